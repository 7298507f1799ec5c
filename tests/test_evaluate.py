"""Grading and intervals. Run: pytest tests/test_evaluate.py"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import binomtest

from socratic.errors import DataError
from socratic.evaluate import as_line, evaluate, grade, wilson
from socratic.schema import Ended, Problem, Source, Trace

PROBLEMS = [Problem(f"p{i}", f"What is {i} and 1?", str(i + 1), "sums", "test") for i in range(10)]


def gold(problems: Sequence[Problem]) -> Iterator[Trace]:
    """A student that knows every answer."""
    for problem in problems:
        yield Trace(problem, answer=problem.answer, ended=Ended.DONE, source=Source("human", "gold"))


def shuffled(problems: Sequence[Problem]) -> Iterator[Trace]:
    """A student that gives each problem the answer of the next."""
    for trace, other in zip(gold(problems), [*problems[1:], problems[0]], strict=True):
        yield replace(trace, answer=other.answer)


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 1319), (20, 100), (150, 1000), (1319, 1319)])
def test_wilson_is_scipys(correct: int, n: int) -> None:
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_gold_traces_score_everything_and_shuffled_ones_nothing(tmp_path: Path) -> None:
    options = {"dataset": "sums test", "model": "scripted", "calculator": True, "predictions": tmp_path / "p.jsonl"}
    assert evaluate(gold, PROBLEMS, **options).accuracy == 1.0
    assert evaluate(shuffled, PROBLEMS, **options).accuracy == 0.0


def test_every_prediction_is_written_and_reads_back(tmp_path: Path) -> None:
    report = evaluate(
        shuffled, PROBLEMS, dataset="sums test", model="scripted", calculator=False, predictions=tmp_path / "deep" / "p.jsonl"
    )
    rows = [json.loads(line) for line in (tmp_path / "deep" / "p.jsonl").read_text().splitlines()]
    assert len(rows) == report.n == 10
    assert not any(row.pop("correct") for row in rows)
    assert [Trace.from_dict(row).problem for row in rows] == PROBLEMS


def test_predictions_are_there_before_the_end(tmp_path: Path) -> None:
    def stops(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from gold(problems[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(stops, PROBLEMS, dataset="sums test", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 3


def test_no_answer_is_wrong_and_counted(tmp_path: Path) -> None:
    def silent(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from (Trace(problem, ended=Ended.NO_ANSWER) for problem in problems)

    report = evaluate(silent, PROBLEMS, dataset="sums test", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    assert (report.correct, report.unanswered) == (0, 10)
    assert "0.0 %" in as_line(report)


def test_problems_without_gold_or_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gold"):
        grade(Trace(Problem("x", "How many?")))
    with pytest.raises(DataError, match="no problems"):
        evaluate(gold, [], dataset="sums test", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
