"""How numbers are written and drawn anew; what whole problems become is in test_resample.py. Run: pytest tests/test_redraw.py"""

from __future__ import annotations

import doctest
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from socratic import redraw
from socratic.arithmetic import number_value
from socratic.redraw import Quantity, like


def test_documented_examples_are_true() -> None:
    assert doctest.testmod(redraw).attempted > 0
    assert doctest.testmod(redraw).failed == 0


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("3.00", Rational(9, 2), "4.50"),
        ("2.5", Rational(3), "3"),
        ("1,200", Rational(950), "950"),
        ("0.25", Rational(3, 10), "0.30"),
        ("forty", Rational(55), "fifty-five"),
        ("Twenty five", Rational(25), "Twenty five"),
        ("20.0", Rational(20), "20.0"),
    ],
)
def test_a_number_is_written_like_the_old_one(old: str, value: Rational, new: str) -> None:
    assert like(old, value) == new


@settings(deadline=None)
@given(value=st.integers(2, 5000), most=st.integers(2, 20_000), percent=st.booleans(), seed=st.integers(0, 99))
def test_a_quantity_is_drawn_within_its_bounds_or_kept(value: int, most: int, percent: bool, seed: int) -> None:
    old = Rational(value)
    new = Quantity.of(old, Rational(most), percent, []).draw(random.Random(seed))
    assert new == old or (new <= most and new.q == 1 and Rational(2, 5) * old <= new <= Rational(5, 2) * old)


@settings(deadline=None)
@given(old=st.sampled_from(["7", "1,200", "$5", "3.50", "$1,250.00", "20%"]), value=st.integers(2, 99_999))
def test_what_is_written_reads_back(old: str, value: int) -> None:
    new = Rational(value, 100) if old.endswith("%") else Rational(value)
    assert number_value(like(old, new)) == new
