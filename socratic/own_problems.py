"""Problems of one's own: any JSONL file of questions.

In: the path of a file, plain or `.gz`, with `question` and maybe `answer` and `id` in each line. Out: its `Problem`s, with
normalised gold answers, and its broken lines, each with its place and reason. Knows nothing of benchmarks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from socratic.answers import Kind, normal_answer, strict
from socratic.errors import DataError
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.schema import Problem


def read_problems(path: Path) -> tuple[list[Problem], list[BrokenLine]]:
    """The problems of any JSONL file with `question` and maybe `answer` and `id`; broken lines apart, the rest goes on."""
    found, broken = dict[str, Problem](), list[BrokenLine]()
    for where, row in read_jsonl(path):
        read = row if isinstance(row, BrokenLine) else _problem(row, where, path.name.partition(".")[0])
        if isinstance(read, BrokenLine):
            broken.append(read)
        elif read.id in found:
            broken.append(BrokenLine(where, f"expected an id of its own, found '{read.id}' again"))
        else:
            found[read.id] = read
    return list(found.values()), broken


def read_whole(path: Path) -> list[Problem]:
    """The problems of a file that must be whole. Raises DataError at its first broken line."""
    problems, broken = read_problems(path)
    if broken:
        raise DataError(f"{broken[0].where}: {broken[0].reason}", hint="the file must be whole: mend or remove the line")
    return problems


def _problem(row: dict[str, Any], where: str, stem: str) -> Problem | BrokenLine:
    question, name = row.get("question"), row.get("id")
    if not isinstance(question, str) or not question.strip():
        return BrokenLine(where, f"expected text under 'question', found {json.dumps(question)[:40]}")
    try:
        answer = _answer(row.get("answer"))
    except DataError as error:
        return BrokenLine(where, str(error))
    return Problem(f"{stem}-{where.rpartition(':')[2]}" if name is None else str(name), question.strip(), answer)


def _answer(given: object) -> str | None:
    if given is None:
        return None
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, float):
        given = f"{given:.15g}"  # 0.1 + 0.2 as people mean it
    if not isinstance(given, str) or "####" not in given:
        return normal_answer(str(given))
    if (marked := strict(given, Kind.NUMBER)) is None:
        raise DataError(f"expected a number after '####', found '{given[-40:]}'")
    return marked
