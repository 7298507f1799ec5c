"""Risk and coverage. Run: pytest tests/test_coverage.py"""

from __future__ import annotations

import random
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.confidence import Features
from socratic.coverage import SHARES, measure, plot, rank, risks
from socratic.errors import DataError
from socratic.evaluate import Rated

CALM = settings(deadline=None, derandomize=True, database=None)
NONE = Features(*[0.0] * len(fields(Features)))


def rated(pairs: list[tuple[float, bool]]) -> list[Rated]:
    return [Rated(f"p{place}", confidence, correct, NONE) for place, (confidence, correct) in enumerate(pairs)]


votes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60).map(rated)


@CALM
@given(votes)
def test_full_coverage_is_plain_accuracy_and_no_minimum_answers_everything(found: list[Rated]) -> None:
    whole = measure(found, 0.0)
    assert whole.points[-1].accuracy == sum(vote.correct for vote in found) / len(found)
    assert whole.points[-1].n == whole.asked.n == len(found)
    assert 0 <= whole.aurc <= 1


@CALM
@given(votes, st.randoms())
def test_neither_the_files_order_nor_the_answers_break_ties(found: list[Rated], dice: random.Random) -> None:
    level = [replace(vote, confidence=0.5) for vote in found]
    mixed, flipped = dice.sample(level, len(level)), [replace(vote, correct=not vote.correct) for vote in level]
    assert measure(mixed) == measure(level)
    assert [vote.problem for vote in rank(flipped)] == [vote.problem for vote in rank(level)]


@CALM
@given(votes, st.floats(0, 1))
def test_who_asks_for_confidence_gets_those_that_have_it(found: list[Rated], least: float) -> None:
    asked = measure(found, least).asked
    sure = [vote for vote in found if vote.confidence >= least]
    assert (asked.n, asked.correct) == (len(sure), sum(vote.correct for vote in sure))


def test_confidence_that_knows_beats_one_that_does_not() -> None:
    knows = rated([(0.9 - place / 1000, place < 30) for place in range(100)])
    other = [replace(vote, confidence=1 - vote.confidence) for vote in knows]
    assert measure(knows).aurc < 0.4 < measure(other).aurc
    assert [point.accuracy for point in measure(knows).points] == [1.0, 1.0, 0.6, 0.4, 0.3]
    assert measure(knows).lift == 2.0
    assert risks(rank(knows))[:31] == [0.0] * 30 + [1 / 31]


def test_the_table_has_a_row_for_each_coverage_and_says_what_was_asked() -> None:
    found = rated([(0.9, True), (0.8, True), (0.3, False), (0.2, False)] * 5)
    lines = str(measure(found, 0.85)).splitlines()
    assert len(lines) == 1 + len(SHARES) + 2
    assert "2.00 times" in lines[-2]
    assert lines[-1].startswith("from a confidence of 85 %: 25.0 % answered, 100.0 % of these right")
    assert len(str(measure(found)).splitlines()) == 1 + len(SHARES) + 1
    assert measure(found, 1.0).asked.n == 0


@CALM
@given(votes)
def test_no_row_of_the_table_stands_twice_and_each_size_has_one(found: list[Rated]) -> None:
    whole = measure(found)
    _, *rows, _ = str(whole).splitlines()
    assert len(rows) == len({*rows}) == len({point.n for point in whole.points})


def test_a_whole_of_wrong_answers_is_no_crash_and_none_at_all_are_refused() -> None:
    assert measure(rated([(0.5, False)])).lift == 0.0
    with pytest.raises(DataError, match="no votes"):
        measure([])


@pytest.mark.parametrize("n", [1, 40])
def test_a_curve_is_drawn(n: int, tmp_path: Path) -> None:
    plot(rated([(place / n, place % 3 > 0) for place in range(n)]), tmp_path / "deep" / "curve.png", "plums")
    assert (tmp_path / "deep" / "curve.png").read_bytes().startswith(b"\x89PNG")
