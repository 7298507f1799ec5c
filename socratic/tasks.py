"""What is evaluated on: a name that a user gives → problems with their labels, and the record of where they come from.

In: the name of a benchmark or of a multiple-choice set and a split, "curriculum" (families that no student learns from), or the
path of a JSONL with question and answer; a data folder. Out: a `Task`, or gold traces. A file that is not the published one is
refused, where its sum is known. Only a name that begins with "hub:" may be fetched. Knows nothing of students or reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from socratic import benchmarks, choices, curriculum, provenance
from socratic.errors import DataError, UsageError, did_you_mean
from socratic.jsonl import BrokenLine, is_jsonl
from socratic.own_problems import read_problems
from socratic.schema import Labels, Problem, Trace

CURRICULUM: Final = "curriculum"
HELD_OUT: Final = 1000  # problems that are drawn of the curriculum
REPORTED: Final = {  # the splits that papers report
    "gsm8k": "test",
    "gsm8k-socratic": "test",
    "svamp": "all",
    "strategyqa": "dev",
    "mawps": "train",
    **dict.fromkeys(choices.names(), "dev"),  # its answers are published; of CommonsenseQA's test split they are not
    CURRICULUM: "held-out",
}


@dataclass(frozen=True, slots=True)
class Task:
    """Problems in order, what is told of them by id, the files they were read from with their sha256, and unreadable lines."""

    name: str
    problems: tuple[Problem, ...]
    labels: Mapping[str, Labels] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    broken: tuple[BrokenLine, ...] = ()

    @property
    def sha256(self) -> str:
        """Of the problems."""
        return provenance.sha256(asdict(problem) for problem in self.problems)

    def first(self, limit: int) -> Task:
        """The same with at most so many problems."""
        return replace(self, problems=self.problems[:limit])

    def gradable(self, ask: Callable[[Problem], object] = lambda problem: problem) -> Task:
        """The same without problems whose answer is not told, or that cannot be asked; they join the broken lines.

        `ask` raises UsageError for a problem that cannot be asked, as `orchestrator.as_problem` does.
        """
        faults = [_fault(problem, ask) for problem in self.problems]
        told = list(zip(self.problems, faults, strict=True))
        lacking = [BrokenLine(problem.id, fault) for problem, fault in told if fault]
        kept = tuple(problem for problem, fault in told if not fault)
        return replace(self, problems=kept, broken=(*self.broken, *lacking))


def _fault(problem: Problem, ask: Callable[[Problem], object]) -> str:
    """Why a problem cannot be asked and graded; "" where it can."""
    if problem.answer is None:
        return "expected an answer to grade by, found none"
    try:
        ask(problem)
    except UsageError as error:
        return str(error)
    return ""


def load(name: str, split: str = "", *, usual: str = "", data: Path | None = None) -> Task:
    """Read a task; without a split the `usual` one, else the one that papers report. Raises DataError, and UsageError."""
    if is_jsonl(name):
        return _own(Path(name), split)
    name, may_fetch = name.removeprefix(choices.HUB), name.startswith(choices.HUB)
    split = split_of(name, split or usual)
    if may_fetch:
        choices.fetch(name, split, data=data)
    if name == CURRICULUM:
        traces = worked(name, split)
        labels = {trace.problem.id: benchmarks.label(trace) for trace in traces}
        return Task(f"{name} {split}", tuple(trace.problem for trace in traces), labels)
    if name in choices.names():
        asked = tuple(choices.problems(name, split, data=data))
        return Task(f"{name} {split}", asked, files=files(name, split, data=data))
    found = files(name, split, data=data)
    problems = tuple(benchmarks.problems(name, split, data=data))
    return Task(f"{name} {split}", problems, benchmarks.labels(name, split, data=data), found)


def worked(name: str, split: str = "", *, data: Path | None = None) -> list[Trace]:
    """The gold traces of a task, of which SVAMP's test problems and the multiple-choice sets have none. Raises DataError."""
    split = split_of(name, split)
    if name in choices.names():
        hint = f"a teacher can write some: socratic annotate {name} --prompt cot-choice"
        raise DataError(f"{name} has no worked solutions, only questions and letters", hint=hint)
    if name == CURRICULUM:
        return list(_held_out())
    files(name, split, data=data)
    return benchmarks.traces(name, split, data=data)


@cache  # a table asks again and again, and drawing takes seconds
def _held_out() -> tuple[Trace, ...]:
    _, held_out = curriculum.held_out(curriculum.load_families())
    return tuple(curriculum.draw_many(held_out, HELD_OUT, seed=0))


def files(name: str, split: str = "", *, data: Path | None = None) -> dict[str, str]:
    """The files of a task with their sha256. Raises DataError where one is not the published file."""
    split = split_of(name, split)
    if name in choices.names():
        return choices.checksums(name, split, data=data)
    return {} if name == CURRICULUM else benchmarks.checksums(name, split, data=data)


def split_of(name: str, split: str = "") -> str:
    """The split that is meant; without one, that which papers report. Raises DataError for a set that is not known."""
    if name not in REPORTED:
        hint = did_you_mean(name, REPORTED) or "problems of your own: a file that ends in .jsonl, one object a line"
        raise DataError(f"no data set '{name}'; known: {', '.join(REPORTED)}, or a .jsonl", hint=hint)
    known = _splits(name)
    if split not in ("", *known):
        raise DataError(f"no split '{split}' of {name}; known: {', '.join(known)}", hint=did_you_mean(split, known))
    return split or REPORTED[name]


def _splits(name: str) -> tuple[str, ...]:
    if name in choices.names():
        return choices.SPLITS
    return (REPORTED[name],) if name == CURRICULUM else benchmarks.splits(name)


def _own(path: Path, split: str) -> Task:
    if split:
        raise UsageError(f"{path} is a file: it has no split '{split}'", hint="leave --split out, or give that split's file")
    problems, broken = read_problems(path)
    if not problems and not broken:
        raise DataError(f"{path} is empty", hint='give one problem a line: {"question": "…", "answer": "…"}')
    files = {str(path): sha256(path.read_bytes()).hexdigest()}
    return Task(str(path), tuple(problems), {}, files, tuple(broken))
