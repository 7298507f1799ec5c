"""Grading. Run: pytest tests/test_evaluate.py"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from socratic.errors import DataError
from socratic.evaluate import as_line, evaluate, grade, read_rated
from socratic.orchestrator import Vote, count
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


def test_votes_are_graded_and_read_back_with_their_confidence(tmp_path: Path) -> None:
    def votes(problems: Sequence[Problem]) -> Iterator[Vote]:
        for right, wrong in zip(gold(problems), shuffled(problems), strict=True):
            yield count([right, right, wrong])

    path = tmp_path / "p.jsonl"
    report = evaluate(votes, PROBLEMS, dataset="sums", model="scripted", calculator=True, predictions=path, samples=3)
    assert (report.accuracy, report.samples) == (1.0, 3) and "a vote of 3 traces" in as_line(report)
    rated = read_rated(path)
    assert [vote.problem for vote in rated] == [problem.id for problem in PROBLEMS]
    assert all(vote.correct and vote.confidence == vote.features.agreement == 2 / 3 for vote in rated)


def test_predictions_without_votes_are_refused_with_their_place(tmp_path: Path) -> None:
    evaluate(gold, PROBLEMS, dataset="sums", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    with pytest.raises(DataError, match="1: not a vote") as caught:
        read_rated(tmp_path / "p.jsonl")
    assert "--samples" in caught.value.hint


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
