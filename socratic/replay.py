"""Stored answers as a teacher: what was said once, by whomever, is judged like any reply, and costs nothing.

In: a JSON or JSONL file of questions and answers. Out: a `Teacher`. Knows nothing of prompts or of whether an answer is right.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from socratic.errors import CallError, DataError
from socratic.replies import Finish, Reply, bounded
from socratic.schema import BrokenLine, Problem, read_jsonl


class Replay:
    """Answers that were stored, found by the question's letters: a JSON or JSONL file, `.gz` too, of records with `question` or
    `instruction`, and `output` or `text`: one answer, or a list of samples."""

    def __init__(self, path: Path) -> None:
        self.troubles = Counter[str]()
        self._stored = {_letters(question): texts for question, texts in _stored(path)}

    async def ask(self, problem: Problem, *, sample: int, attempt: int) -> Reply:
        """The stored answer; there are as many as the file has."""
        texts = self._stored.get(_letters(problem.question), ())
        if sample >= len(texts):
            self.troubles["not stored"] += 1
            raise NotStored(f"{len(texts)} answers are stored to this problem, and none is sample {sample}")
        return bounded(texts[sample], Finish.STOP)

    async def close(self) -> None:
        """Nothing is open."""


class NotStored(CallError):
    """Asking again would not help."""

    retryable = False


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _stored(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for where, row in _records(path):
        if isinstance(row, BrokenLine):
            raise DataError(f"{row.where}: {row.reason}", hint="mend or remove the line")
        question, found = row.get("question", row.get("instruction")), row.get("output", row.get("text"))
        texts = tuple(found) if isinstance(found, list) else (found,)
        if not isinstance(question, str) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: expected 'question' and 'output' (a text, or a list), found {', '.join(row)[:80]}")
        yield question, texts


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any] | BrokenLine]]:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from read_jsonl(path)
        return
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = json.loads(raw.decode("utf-8-sig"))
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a JSON list or a JSONL of stored answers") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected a list of objects")
    yield from ((f"{path}, record {number}", row) for number, row in enumerate(rows, 1))
