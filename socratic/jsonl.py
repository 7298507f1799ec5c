"""Files with one JSON object a line: read line by line, written whole.

In: a path, or objects to write. Out: objects, each with where it stands; a broken line is a value and stops nothing. Knows
nothing of what the objects are.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socratic.errors import DataError
from socratic.whole import whole


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that could not be read: where it stands and what is wrong with it."""

    where: str
    reason: str


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any] | BrokenLine]]:
    """Yield ("file:line", object) for each line that is not empty; a broken line is a value, the rest goes on.

    Reads `.gz` too. Splits on newlines only: `str.splitlines` would break on U+2028, which some texts contain.
    Raises DataError where there is no file, or the file itself is broken (a `.gz` that was cut off).
    """
    if not path.is_file():
        raise DataError(f"no file at {path}", hint="give the path of a JSONL file, one object a line")
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                if raw.strip():
                    yield f"{path}:{number}", _object(raw, f"{path}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="get or write the file again") from error


def _object(raw: bytes, where: str) -> dict[str, Any] | BrokenLine:
    try:
        data = json.loads(raw.decode("utf-8-sig"))
        if b"\\u" in raw:  # half of an emoji, "\ud83d", is text that nobody can encode again
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, or an integer of thousands of digits
        return BrokenLine(where, f"expected one JSON object, found text that is no JSON ({error})")
    if not isinstance(data, dict):
        return BrokenLine(where, f"expected one JSON object, found {type(data).__name__}")
    return data


def is_jsonl(name: str) -> bool:
    """Whether what a user typed is the path of such a file."""
    return name.endswith((".jsonl", ".jsonl.gz"))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write one object a line, return how many; `.gz` holds no time of day. The file appears whole or not at all."""
    count = 0
    with whole(path) as partial, gzip.GzipFile(partial, "wb", 6, mtime=0) if path.suffix == ".gz" else partial.open("wb") as out:
        for row in rows:
            out.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8"))
            count += 1
    return count
