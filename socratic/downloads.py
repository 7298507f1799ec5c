"""Pinned downloads of the public benchmark files.

In: names of sets and a cache folder. Out: the files in the cache, each exactly the one whose sha256 stands in the table
below, in the layout that `benchmarks` reads. A file is written beside its place, checked, and then moved: what lies in
the cache is whole and right, or is not there. Addresses are https, unless the caller names a mirror.
Does NOT know what is in the files; derived files (SVAMP's 700/300 split, the MAWPS rows) have no address and are not here.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from socratic.errors import DataError, RunError, UsageError, did_you_mean

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 2
_CHUNK = 1 << 16
_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Origin:
    """A set's name, and where its files are published: repository/commit/folder."""

    set: str
    folder: str


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One public file and what it must be."""

    origin: Origin
    name: str
    bytes: int
    sha256: str

    @property
    def place(self) -> str:
        """Its path in the cache."""
        return f"{self.origin.set}/{self.name}"


_GSM8K = Origin("gsm8k", "openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data")
_SVAMP = Origin("svamp", "arkilpatel/SVAMP/689d7ccac74b9983a2ac7cc3b264f441b99e7c53")
_STRATEGYQA = Origin("strategyqa", "eladsegal/strategyqa/1ba1e97452e189569357876f2854b01357ffbe37/data/strategyqa")

FILES = (
    PinnedFile(_GSM8K, "train.jsonl", 4166206, "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465"),
    PinnedFile(_GSM8K, "test.jsonl", 749738, "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"),
    PinnedFile(_GSM8K, "train_socratic.jsonl", 5401739, "153d86551187cfd64ef7afb59bfd0ef75cea3ae9388e7ad31e43920b6dd77872"),
    PinnedFile(_GSM8K, "test_socratic.jsonl", 972978, "c96673362fa7a699f4836a9b6474a067448f95fe58064727501ee63ba4c3fdb6"),
    PinnedFile(_SVAMP, "SVAMP.json", 339970, "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e"),
    PinnedFile(_STRATEGYQA, "train.json", 3857762, "0f72560b8a6fad3db847d2f1a7524fb087297843bb45a8d3245ffd68cbe0de12"),
    PinnedFile(_STRATEGYQA, "dev.json", 424195, "0d94842ffb022db8fd5ecd2168b785d5cf67f6faf64f665476bad544a3eb9dde"),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """One message to whoever watches: a file, how much of it is here, and whether it lay here before."""

    place: str
    received: int
    total: int
    was_here: bool = False


def _unwatched(message: Progress) -> None:
    """Progress that nobody looks at."""


def sets() -> tuple[str, ...]:
    """The names of what can be downloaded."""
    return tuple(dict.fromkeys(file.origin.set for file in FILES))


def download(
    names: Sequence[str], *, cache: Path, mirror: str | None = None, progress: Callable[[Progress], None] = _unwatched
) -> list[Path]:
    """Bring the files of these sets into the cache and return where they are; right ones that lie there are kept.

    Raises DataError for an unknown set, and what `download_file` raises.
    """
    for name in names:
        if name not in sets():
            reason = f"no set '{name}' can be downloaded; known: {', '.join(sets())}"
            raise DataError(reason, hint=did_you_mean(name, sets()))
    wanted = [file for file in FILES if file.origin.set in names]
    return [download_file(file, cache=cache, mirror=mirror, progress=progress) for file in wanted]


def download_file(
    file: PinnedFile, *, cache: Path, mirror: str | None = None, progress: Callable[[Progress], None] = _unwatched
) -> Path:
    """Bring one pinned file into the cache.

    A `mirror` is a base address in place of raw.githubusercontent.com, with the same paths; it alone may be http.
    Raises DataError for a file that is not the pinned one, RunError where the transport or the disk fails.
    """
    place = cache / file.place
    address = f"{_base(mirror)}/{file.origin.folder}/{file.name}"
    # A name of this process's own, so that two downloads at once do not write into each other.
    partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
    try:
        if place.is_file() and place.stat().st_size == file.bytes and _sha256(place) == file.sha256:
            progress(Progress(file.place, file.bytes, file.bytes, was_here=True))
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, file, partial, progress)
        _verify(partial, file, address)
        partial.replace(place)
    except OSError as error:
        raise RunError(f"cannot write {place}: {error}", hint="free the disk, or choose another cache folder") from error
    finally:
        with suppress(OSError):  # a folder that cannot be written holds no partial either
            partial.unlink(missing_ok=True)
    return place


def _base(mirror: str | None) -> str:
    if mirror is None:
        return _RAW
    if not mirror.startswith(("https://", "http://")):
        raise UsageError(f"expected a mirror that begins with https:// or http://, found '{mirror}'")
    return mirror.rstrip("/")


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _verify(partial: Path, file: PinnedFile, address: str) -> None:
    size, found = partial.stat().st_size, _sha256(partial)
    if found != file.sha256:
        raise DataError(
            f"{address} is not the pinned file: expected {file.bytes} bytes with sha256 {file.sha256}, found {size} with {found}",
            hint="try again; if it stays so, its source has changed: get the file elsewhere and name its folder with --data",
        )


def _fetch(address: str, file: PinnedFile, partial: Path, progress: Callable[[Progress], None]) -> None:
    """Write what the address gives to `partial`; a transport that fails or breaks off is tried once more."""
    for attempt in range(1, ATTEMPTS + 1):
        is_last = attempt == ATTEMPTS
        try:
            with _OPENER.open(address, timeout=TIMEOUT_SECONDS) as response, partial.open("wb") as out:
                received = _copy(response, out, file, progress)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection
            if is_last or _is_final(error):
                hint = f"check the connection, name a mirror, or put the file at {partial.with_name(file.name)} yourself"
                raise RunError(f"cannot get {address}: {error}", hint=hint) from error
        else:
            if received >= file.bytes or is_last:
                return


def _is_final(error: Exception) -> bool:
    return isinstance(error, urllib.error.HTTPError) and error.code < 500


def _copy(response: IO[bytes], out: IO[bytes], file: PinnedFile, progress: Callable[[Progress], None]) -> int:
    """Copy in pieces, at most a piece more than the file should have; return how much came."""
    received = 0
    while received <= file.bytes and (piece := response.read(_CHUNK)):
        received += out.write(piece)
        progress(Progress(file.place, received, file.bytes))
    return received


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect from https to anything else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://") and req.type != "http":
            raise urllib.error.URLError(f"redirected from https to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)
