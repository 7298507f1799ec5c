"""A reasoner over problems → `Report`, and every prediction kept.

In: a callable from problems to traces or votes, problems with gold answers. Out: a `Report` (accuracy with Wilson interval,
badges, time) and one JSONL line per problem, written as they come; those of votes read back as `Rated`. Knows nothing of
models, files of benchmarks, or terminals.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from socratic.answers import same_answer
from socratic.confidence import Features
from socratic.errors import DataError
from socratic.orchestrator import Vote
from socratic.schema import BrokenLine, Problem, Report, Trace, read_jsonl
from socratic.statistics import wilson

Reasoner = Callable[[Sequence[Problem]], Iterator[Trace] | Iterator[Vote]]


@dataclass(frozen=True, slots=True)
class Graded:
    """One prediction and whether it is right."""

    trace: Trace
    correct: bool


@dataclass(frozen=True, slots=True)
class Rated:
    """A vote's problem, by its id, how sure it was (0..1), whether it is right, and what it was like."""

    problem: str
    confidence: float
    correct: bool
    features: Features


def grade(trace: Trace) -> bool:
    """Whether a trace's answer is the gold one; a problem without gold answer is a DataError."""
    if trace.problem.answer is None:
        raise DataError(f"problem '{trace.problem.id}' has no gold answer", hint="evaluation needs `answer` in every line")
    return same_answer(trace.answer, trace.problem.answer)


def evaluate(
    reason: Reasoner,
    problems: Sequence[Problem],
    *,
    dataset: str,
    model: str,
    calculator: bool,
    predictions: Path,
    samples: int = 1,
    progress: Callable[[bool], None] = lambda is_right: None,
) -> Report:
    """Solve, grade, and write each prediction as soon as it is there; `progress` hears of each whether it is right."""
    if not problems:
        raise DataError("there are no problems to evaluate on", hint="check --limit and the file")
    started, graded = time.monotonic(), list[Graded]()
    predictions.parent.mkdir(parents=True, exist_ok=True)
    with predictions.open("w", encoding="utf-8") as out:
        for found in reason(problems):
            trace = found.trace if isinstance(found, Vote) else found
            graded.append(Graded(trace, grade(trace)))
            out.write(json.dumps({"correct": graded[-1].correct, **found.to_dict()}, ensure_ascii=False) + "\n")
            out.flush()
            progress(graded[-1].correct)
    return replace(_report(graded, dataset, model, calculator, time.monotonic() - started), samples=samples)


def read_rated(path: Path) -> list[Rated]:
    """The votes of a predictions file in its order. Raises DataError where a line is none."""
    return [_rated(where, row) for where, row in read_jsonl(path)]


def _rated(where: str, row: dict[str, Any] | BrokenLine) -> Rated:
    hint = "give a predictions file that `socratic evaluate --samples 9` wrote"
    if isinstance(row, BrokenLine):
        raise DataError(f"{where}: {row.reason}", hint=hint)
    try:
        features = Features.from_dict(row["features"])
        return Rated(str(row["problem"]["id"]), float(row["confidence"]), bool(row["correct"]), features)
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise DataError(f"{where}: not a vote: {type(error).__name__}: {error}", hint=hint) from error


def _report(graded: Sequence[Graded], dataset: str, model: str, calculator: bool, seconds: float) -> Report:
    correct = sum(g.correct for g in graded)
    low, high = wilson(correct, len(graded))
    return Report(
        dataset=dataset,
        model=model,
        calculator=calculator,
        n=len(graded),
        correct=correct,
        low=low,
        high=high,
        unanswered=sum(g.trace.answer is None for g in graded),
        seconds=round(seconds, 1),
        badges=dict(Counter(step.badge.value for g in graded for step in g.trace.steps)),
        versions={name: version(name) for name in ("socratic-cot", "numpy", "ctranslate2", "tokenizers", "sympy")},
    )


def as_line(report: Report) -> str:
    """One readable line."""
    calculator = "with" if report.calculator else "without"
    vote = f", a vote of {report.samples} traces" if report.samples > 1 else ""
    return (
        f"{report.dataset}, {calculator} calculator{vote}: {100 * report.accuracy:.1f} %"
        f"  (95 % interval {100 * report.low:.1f} to {100 * report.high:.1f}; {report.correct} of {report.n};"
        f" {report.unanswered} without an answer; {report.seconds:.0f} s)"
    )
