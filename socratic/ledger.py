"""What teachers answered and what it cost: an append-only JSONL, one line per problem and sample, so that nothing is paid twice.

In: entries. Out: the same, by their keys, in this run and in any later one. A request that was lost on the way has a line of
another kind, which counts as spent and leaves its call to be made. Each line is handed to the operating system before
the next call is counted as done, so SIGKILL loses the calls in flight alone; a loss of power may lose a few lines more. A line
that was cut off is set aside in `ledger.torn` and its call is made again. One process at a time writes. Memory holds a hash and
a place for each entry, and no text. Knows nothing of what an answer means, and of no server.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from socratic.budget import Tokens
from socratic.errors import RunError
from socratic.locks import hold
from socratic.replies import Reply
from socratic.schema import Problem
from socratic.teacher import Sampling


def key_of(problem: Problem, prompt_sha256: str, sampling: Sampling, sample: int) -> str:
    """The name of a call: the hash of all that its reply hangs on."""
    parts = [problem.id, problem.question, prompt_sha256, asdict(sampling), sample]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of one problem: all replies that were paid, the last of which counts. `used` are their tokens as the server
    counted them, or at most, where it did not (`counted` is false)."""

    key: str
    problem: str  # its id
    sample: int
    prompt_sha256: str
    sampling: Sampling
    replies: Annotated[tuple[Reply, ...], Field(min_length=1)]
    used: Tokens
    counted: bool = True
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """A request that was sent and brought nothing, so that it may be billed: `used` is its most."""

    lost: str  # the key of its call, under the name that tells such a line from an entry
    model: str
    used: Tokens


_LINE: Final = TypeAdapter[Entry | Loss](Entry | Loss)


@dataclass(slots=True)
class Index:
    """Where each entry stands, and what was used, by model and whether it was a batch."""

    places: dict[bytes, int] = field(default_factory=dict)  # by the key's bytes, which are half as long as its text
    used: dict[tuple[str, bool], Tokens] = field(default_factory=dict)
    end: int = 0  # of the last whole line, in bytes
    broken: int = 0  # lines that are no entry; their calls are made again

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self.places

    def add(self, entry: Entry, length: int) -> None:
        """Note an entry that stands at the end; of two with one key the first is the one that is used, both were paid."""
        self.places.setdefault(bytes.fromhex(entry.key), self.end)
        self._spend(entry.sampling.model, entry.used, length, batch=entry.batch)

    def lose(self, loss: Loss, length: int) -> None:
        """Note a loss that stands at the end; batches have none."""
        self._spend(loss.model, loss.used, length, batch=False)

    def _spend(self, model: str, used: Tokens, length: int, *, batch: bool) -> None:
        self.used[model, batch] = self.used.get((model, batch), Tokens()) + used
        self.end += length


def index(path: Path) -> Index:
    """Read through a ledger, up to a last line that was cut off. Where there is no file, nothing was asked yet."""
    found = Index()
    if not path.is_file():
        return found
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                _note(found, line)
            except ValueError:  # pydantic's, and of a key that is no hash
                found.broken += 1
                found.end += len(line)
    return found


def _note(found: Index, line: bytes) -> None:
    noted = _LINE.validate_json(line)
    if isinstance(noted, Loss):
        found.lose(noted, len(line))
    else:
        found.add(noted, len(line))


class Ledger:
    """A ledger that is written to; use it as a context manager. Raises RunError where another process writes it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._out = path.open("ab", buffering=0)  # closing a buffer writes again what a full disk has just refused
        _lock(self._out, path)
        self.index = index(path)
        _set_aside(path, self.index.end)
        self._in = path.open("rb")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._out.close()  # and the lock goes with it

    def __contains__(self, key: str) -> bool:
        return key in self.index

    def add(self, entry: Entry) -> None:
        """Write a line. Raises RunError where the disk is full; nothing is left half written."""
        self.index.add(entry, self._write(entry))

    def lose(self, loss: Loss) -> None:
        """Write down a request that was lost. Raises RunError as `add` does."""
        self.index.lose(loss, self._write(loss))

    def get(self, key: str) -> Entry:
        """The entry of a key. Raises KeyError."""
        self._in.seek(self.index.places[bytes.fromhex(key)])
        found = _LINE.validate_json(self._in.readline())
        assert isinstance(found, Entry)  # the index has places of entries alone
        return found

    def _write(self, found: Entry | Loss) -> int:
        """Append a line; its length in bytes."""
        line = (json.dumps(asdict(found), ensure_ascii=False) + "\n").encode("utf-8")
        written = 0
        try:
            while written < len(line):
                written += self._out.write(line[written:])
        except OSError as error:
            with suppress(OSError):  # then the next run sets the half line aside
                self._out.truncate(self.index.end)  # a later line must not stand behind half of this one
            raise RunError(f"the ledger cannot be written: {error}", hint="make room and run the same command again") from error
        return len(line)


def _lock(file: FileIO, path: Path) -> None:
    """Held as long as the file is open. Two writers would pay twice, so a system that locks nothing is refused."""
    try:
        if not hold(file.fileno(), path):
            raise RunError("ledgers need a system that locks files as POSIX does", hint="on Windows use WSL")
    except RunError:
        file.close()
        raise


def _set_aside(path: Path, end: int) -> None:
    """Move what follows the last whole line into `ledger.torn`."""
    if path.stat().st_size == end:
        return
    with path.open("r+b") as file:
        file.seek(end)
        with path.with_suffix(".torn").open("ab") as torn:
            torn.write(file.read() + b"\n")
        file.truncate(end)
