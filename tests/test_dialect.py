"""The dialect: its words, its marks, and which marks may be written when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transcripts import INSIDE, MARKED, STYLES

from socratic.arithmetic import Known, number_value
from socratic.dialect import CAPITAL, MARKS, NUMBERS, RESULTS, Capitals, Style, allowed_marks


def test_a_style_is_read_from_the_words_of_configurations() -> None:
    for style in STYLES:
        words = {"numbers": style.numbers.value, "solutions": style.solutions.value, "results": style.results.value}
        assert Style.of(**words, capitals=style.capitals.value) == style
        assert Style.of(**words) == replace(style, capitals=Capitals.KEPT)  # as pairs were saved before
    with pytest.raises(ValueError, match="roman"):
        Style.of(numbers="roman", solutions="equation", results="learned")


def test_allowed_marks_are_the_references_to_numbers_that_exist() -> None:
    known = Known.of("5 cats, 6 dogs")
    assert allowed_marks(known, Style()) == {NUMBERS[0], NUMBERS[1]}
    assert allowed_marks(known.having(number_value("11")), Style()) == {NUMBERS[0], NUMBERS[1], RESULTS[0]}
    assert allowed_marks(Known.of("none"), Style()) == frozenset()
    assert allowed_marks(Known.of("none"), MARKED) == {CAPITAL}
    full = Known.of(" ".join(map(str, range(10, 60))))
    for _ in range(20):
        full = full.having(number_value("1"))
    assert allowed_marks(full, Style()) == frozenset((*NUMBERS, *RESULTS))
    assert allowed_marks(full, MARKED) == frozenset(INSIDE)


def test_no_two_marks_have_the_same_name() -> None:
    assert len({mark.name for mark in MARKS}) == len(MARKS)
