"""Properties of wording.py; what they are worth in whole problems is in test_resample.py. Run: pytest tests/test_wording.py"""

from __future__ import annotations

import pytest
from sympy import Rational

from socratic import wording
from socratic.arithmetic import Number, find_numbers


def first(text: str) -> Number:
    return find_numbers(text)[0]


@pytest.mark.parametrize(
    "text", ["In 1998 she", "at 7:30", "at 8 p.m.", "a 5/8 share", "in Room 12", "on May 3", "her 30s", "Her two sons, Al and Ed"]
)
def test_years_times_fractions_and_names_are_fixed(text: str) -> None:
    assert wording.is_fixed(first(text), text)


@pytest.mark.parametrize("text", ["She sold 48 cakes", "$1998 in all", "In 24 boxes of 6"])
def test_what_is_counted_is_not_fixed(text: str) -> None:
    assert not wording.is_fixed(first(text), text)


@pytest.mark.parametrize(("text", "expected"), [("at least 5 cakes", True), ("the first $10", True), ("she has 5 cakes", False)])
def test_the_end_of_a_range_is_a_bound(text: str, expected: bool) -> None:
    assert wording.is_bound(first(text), text) is expected


@pytest.mark.parametrize(("text", "expected"), [("An 8-inch pie", True), ("a $20 bill", False), ("her 8 pies", None)])
def test_the_article_before_a_number_is_seen(text: str, expected: bool | None) -> None:
    assert wording.follows_an(first(text), text) is expected


@pytest.mark.parametrize(
    ("value", "after", "thing", "most"),
    [(5, " hours a day", "hour", 12), (20, " hours", "hour", 24), (30, "% of", "%", 100), (7, " cakes", "cake", 7 * 10**9)],
)
def test_the_word_after_a_number_says_what_is_counted_and_how_far_it_goes(value: int, after: str, thing: str, most: int) -> None:
    assert wording.thing(after) == thing
    assert wording.most(Rational(value), after) == most


@pytest.mark.parametrize(
    ("value", "word"), [(Rational(1, 2), "half"), (Rational(2), "half"), (Rational(7), "weeks"), (Rational(100), "%")]
)
def test_a_constant_is_one_where_a_word_takes_it_for_granted(value: Rational, word: str) -> None:
    assert wording.is_constant(value, frozenset({word, "cakes"}))
    assert not wording.is_constant(value, frozenset({"cakes"}))
