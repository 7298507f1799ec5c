"""The multiple-choice sets that SCoTD's figures are of: CommonsenseQA, OpenBookQA, QuaRel.

In: a set's name, a split, a data folder that has a folder of that name; else what the Hub's client keeps on this machine. The Hub
itself is asked by `fetch` alone. A file is as its authors published it (JSONL), or as the Hub has it (parquet, which needs
pyarrow, or JSONL of the same records). Out: `Problem`s whose questions end in their choices, "(A) bank", with letters as gold
answers; a split without published answers has none; and the sum of a data folder's file. The validation split is called dev, as
its authors do: nobody trains on what is called so. Knows nothing of rationales or models.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from socratic.answers import normal_choice
from socratic.benchmarks import cache_folder
from socratic.errors import DataError, NoDataError, UsageError
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.schema import Problem

SPLITS: Final = ("train", "dev", "test")
HUB: Final = "hub:"  # before a set's name: it may be fetched
_REVISION: Final = "refs/convert/parquet"  # where the Hub keeps every set as {config}/{split}/0000.parquet
_HUB_SPLITS: Final = {"train": "train", "dev": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class _Set:
    """Its authors' files, where the Hub has it, and how a record reads as a question and a gold letter."""

    file: str  # a pattern
    repository: str
    config: str
    read: Callable[[dict[str, Any]], tuple[str, str]]


def _listed(record: dict[str, Any]) -> tuple[str, str]:
    """A stem and its choices, below "question" as the authors have them, or flat and in columns as the Hub does."""
    asked = record["question"] if isinstance(record.get("question"), dict) else record
    stem = asked.get("stem") or asked.get("question_stem") or asked["question"]
    choices = asked["choices"]
    rows = choices if isinstance(choices, list) else [{"label": a, "text": b} for a, b in _columns(choices)]
    lines = [f"({_letter(row['label'])}) {row['text'].strip()}" for row in rows]
    return "\n".join([stem.strip(), *lines]), record.get("answerKey") or ""


def _columns(choices: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return zip(choices["label"], choices["text"], strict=True)


def _told(record: dict[str, Any]) -> tuple[str, str]:
    """QuaRel: the question holds its two choices."""
    return record["question"].strip(), "AB"[record["answer_index"]]


_SETS: Final = {
    "commonsenseqa": _Set("{split}_rand_split*.jsonl*", "tau/commonsense_qa", "default", _listed),
    "openbookqa": _Set("{split}.jsonl*", "allenai/openbookqa", "main", _listed),
    "quarel": _Set("quarel-v1-{split}.jsonl*", "allenai/quarel", "default", _told),
}


def names() -> tuple[str, ...]:
    """The sets that are known."""
    return tuple(_SETS)


def problems(name: str, split: str, *, data: Path | None = None) -> list[Problem]:
    """The problems of a split in file order. Raises DataError, and NoDataError where this machine doesn't have it."""
    chosen = _chosen(name, split)
    return [_problem(chosen, record, where, name, split) for where, record in _records(chosen, name, split, data)]


def checksums(name: str, split: str, *, data: Path | None = None) -> dict[str, str]:
    """The sha256 of the data folder's file that a split is read from, as it lies there; none of what the Hub's client keeps.

    No sums of these sets are published that it could be held against: it is for the record alone.
    """
    path = _local(_chosen(name, split), name, split, data)
    if path is None:
        return {}
    _, _, inside = path.absolute().as_posix().rpartition(f"/{name}/")
    return {f"{name}/{inside}": sha256(path.read_bytes()).hexdigest()}


def fetch(name: str, split: str, *, data: Path | None = None) -> None:
    """Have the Hub's client keep a split that no data folder has: the one call here that leaves the machine. Raises DataError."""
    chosen = _chosen(name, split)
    if _local(chosen, name, split, data) or _kept(chosen, split):
        return
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(chosen.repository, _hub_file(chosen, split), repo_type="dataset", revision=_REVISION)
    except (OSError, ValueError) as error:
        reason = f"no local file, and the Hub didn't give {chosen.repository} ({type(error).__name__})"
        raise NoDataError(reason, hint=_PUT.format(name)) from error


def _chosen(name: str, split: str) -> _Set:
    if name not in _SETS or split not in SPLITS:
        raise DataError(f"no set '{name} {split}'; known: {', '.join(_SETS)}, each with {', '.join(SPLITS)}")
    return _SETS[name]


def _problem(chosen: _Set, record: dict[str, Any], where: str, name: str, split: str) -> Problem:
    try:
        question, key = chosen.read(record)
        return Problem(f"{name}-{record['id']}", question, _letter(key) if key else None, name, split)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise DataError(f"{where}: {type(error).__name__}: {error}", hint="the file is not the published one") from error


def _letter(label: str) -> str:
    letter = normal_choice(label)
    if letter is None:
        raise ValueError(f"expected a letter A to E, found '{label[:20]}'")
    return letter


def _records(chosen: _Set, name: str, split: str, data: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    path = _local(chosen, name, split, data) or _kept(chosen, split)
    if path is None:
        places = ", ".join(str(place / name) for place in _places(data))
        raise NoDataError(f"no {name} {split} in {places}, nor kept by the Hub's client", hint=_HINT.format(name))
    if path.suffix == ".parquet":
        yield from ((f"{path}, record {number}", row) for number, row in enumerate(_parquet(path), 1))
        return
    for where, row in read_jsonl(path):
        if isinstance(row, BrokenLine):
            raise DataError(f"{row.where}: {row.reason}", hint="the file is not the published one")
        yield where, row


def _local(chosen: _Set, name: str, split: str, data: Path | None) -> Path | None:
    """The file in a data folder, if there is one. Raises NoDataError where a folder was named and has none."""
    hub, config = _HUB_SPLITS[split], chosen.config
    own = (chosen.file.format(split=split), f"{split}.jsonl*", f"{hub}.jsonl*")
    patterns = (*own, f"{config}/{hub}/0000.parquet", f"{config}/{hub}-*.parquet", f"data/{hub}-*.parquet")
    found = (path for place in _places(data) for pattern in patterns for path in sorted((place / name).glob(pattern)))
    path = next(found, None)
    if path is None and data:  # who names a folder must not get other data
        raise NoDataError(f"no {name} {split} in {data / name}; looked for {', '.join(patterns)}", hint=_HINT.format(name))
    return path


def _places(data: Path | None) -> list[Path]:
    named = os.environ.get("SOCRATIC_DATA")
    return [data] if data else [*([Path(named).expanduser()] if named else []), cache_folder()]


_PUT: Final = "put the authors' JSONL files into {0}/ in the folder that SOCRATIC_DATA or --data names"
_HINT: Final = f"{_PUT}; or, without --data, name it {HUB}{{0}} in evaluate or annotate: then it is fetched from the Hub"


def _kept(chosen: _Set, split: str) -> Path | None:
    """What the Hub's client has fetched before, be it for another program."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(chosen.repository, _hub_file(chosen, split), repo_type="dataset", revision=_REVISION)
    return Path(found) if isinstance(found, str) else None


def _hub_file(chosen: _Set, split: str) -> str:
    return f"{chosen.config}/{_HUB_SPLITS[split]}/0000.parquet"


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        reader = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise UsageError(f"{path} needs pyarrow", hint="pip install pyarrow, or take the authors' JSONL files") from error
    try:
        rows: list[dict[str, Any]] = reader.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise DataError(f"{path} cannot be read: {error}", hint="get the file again") from error
    return rows
