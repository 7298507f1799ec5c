"""Final answers: the table of awkward outputs that graders disagree on, and the properties of comparing."""

from __future__ import annotations

import pytest

from socratic.answers import Kind, gold_number, kind_of, lenient, normal_answer, normal_number, same_answer, strict
from socratic.errors import DataError

STRICT, LENIENT, WRONG = "strict", "lenient", "wrong"

# Outputs on which five graders of four projects disagree, and what each should count as. A strict hit is a lenient one.
GRADED = [
    ("72", "#### 72", STRICT),
    ("72", "#### 72.", STRICT),
    ("72", "The answer is 72.", LENIENT),
    ("72", "The answer is 72...", LENIENT),
    ("18", "9*2=<<9*2=18>>18 every day.\n#### 18\nQuestion: Next 5", STRICT),
    ("1450000", "The total is $1,450,000.", LENIENT),
    ("29", "It costs $29.00", LENIENT),
    ("-3", "#### -3", STRICT),
    ("3", "#### -3", WRONG),
    ("0", "I do not know", WRONG),
    ("0.5", "Answer: 0.5", LENIENT),
    ("5", "Answer: 5.75", WRONG),
    ("3.5", "3 1/2 hours", LENIENT),
    ("18", "So she earns 18 dollars, i.e. 2 per egg.", WRONG),
    ("72", "72 clips, altogether.", LENIENT),
    ("12", "The answer is twelve", WRONG),
    ("-3", "The answer is \u22123", LENIENT),
    ("1500", "1.5e3", LENIENT),
]


@pytest.mark.parametrize(("gold", "output", "verdict"), GRADED)
def test_awkward_outputs_are_graded_as_the_table_says(gold: str, output: str, verdict: str) -> None:
    assert same_answer(strict(output, Kind.NUMBER), gold) == (verdict == STRICT)
    assert same_answer(lenient(output, Kind.NUMBER), gold) == (verdict in (STRICT, LENIENT))


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("#### \u22123", "-3"),
        ("#### $1,200", "1200"),
        ("#### 7 clips", "7"),
        ("#### 10/3", "10/3"),
        ("#### -1 1/2", "-1.5"),
        ("#### 20%", "20%"),
        ("####72", "72"),
        ("#### 1\n#### 2", "1"),
        ("#### ", None),
        ("#### many\n72", None),
        ("#### 48+24", None),
        ("#### 1/0", None),
        ("72", None),
        ("", None),
    ],
)
def test_strict_reads_what_follows_the_first_mark_and_nothing_else(output: str, answer: str | None) -> None:
    assert strict(output, Kind.NUMBER) == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Natalia sold 48+24 = <<48+24=72>>72 clips altogether.", "72"),
        ("First he ate 3.\nThen he had 5 - 3 = 2 left.", "2"),
        ("The answer is 2 * 3 = 6.", "6"),
        ("The answer is 5 \u00d7 3 = 15.", "15"),
        ("The answer is 5 \u00f7 2 = 2.5.", "2.5"),
        (r"\boxed{1{,}000}", "1000"),
        ("The answer is 3\u00bd", None),
        ("The answer is not known. No, wait, the answer is: **$1,200**.", "1200"),
        (r"Hence \boxed{-4}.", "-4"),
        ("He ran 7km.", "7"),
        ("Half of them, 50 percent.", "50%"),
        ("It is .5", "0.5"),
        ("She came 2nd.", None),
        ("It took from 5:30 on.", None),
        ("It is 1.450.000.", None),
        ("It is 1,45.", None),
        ("There are 5 or 6.", None),
        ("x2", None),
        ("Nobody knows.", None),
        ("", None),
    ],
)
def test_lenient_takes_a_number_out_of_a_sentence_and_never_guesses(output: str, answer: str | None) -> None:
    assert lenient(output, Kind.NUMBER) == answer


@pytest.mark.parametrize("same", ["72", "72.0", "$72", "72.", " 72 ", "72.00", "144/2", "$72.00", "7.2e1"])
def test_ways_of_writing_a_number_are_the_same_answer(same: str) -> None:
    assert same_answer(same, "72")
    assert same_answer("72", same)


@pytest.mark.parametrize(
    ("predicted", "gold", "is_same"),
    [
        ("1,200", "1200", True),
        ("10/3", "10/3", True),
        ("20/6", "10/3", True),
        ("3.33", "10/3", False),
        ("-3", "\u22123", True),
        ("3", "-3", False),
        ("0", "", False),
        ("seven", "7", False),
        (None, "0", False),
        ("__import__('os')", "0", False),
        ("9**9**9", "0", False),
    ],
)
def test_numbers_are_compared_exactly(predicted: str | None, gold: str, is_same: bool) -> None:
    if gold:
        assert same_answer(predicted, gold) == is_same
    else:
        with pytest.raises(DataError):
            same_answer(predicted, gold)


def test_a_percentage_is_its_hundredth_and_only_lenient_lets_it_be_the_bare_number() -> None:
    assert same_answer("50%", "50 percent")
    assert same_answer("50%", "0.5")
    assert not same_answer("50%", "50")
    assert not same_answer("50", "50%")
    assert same_answer("50%", "50", lenient=True)
    assert same_answer("50", "50%", lenient=True)
    assert not same_answer("51%", "50", lenient=True)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("So the answer is yes.", "yes"),
        ("#### NO", "no"),
        ("Yes, there is no doubt.", "yes"),
        ("It is not. No!", "no"),
        ("true", "yes"),
        ("The answer is: False", "no"),
        ("NOT", None),
        ("Nothing is known, noon or not.", None),
        ("I do not know", None),
        ("There is no evidence.", None),
        ("No one does.", None),
        ("Yes and no.", None),
        ("answer: NOT sure", None),
    ],
)
def test_yes_and_no_are_whole_words(output: str, answer: str | None) -> None:
    assert lenient(output, Kind.YES_NO) == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("The answer is (C).", "C"),
        ("answer: D", "D"),
        ("It is (B)", "B"),
        ("b", "B"),
        ("#### b", None),
        ("The answer is A large one", None),
        ("(A) or (B)", None),
        ("A dog", None),
    ],
)
def test_a_choice_is_a_letter_that_stands_as_one(output: str, answer: str | None) -> None:
    assert lenient(output, Kind.CHOICE) == answer


def test_kinds_are_told_apart_by_the_gold_answer() -> None:
    assert [kind_of(gold) for gold in ("72", "Yes", "(c)")] == [Kind.NUMBER, Kind.YES_NO, Kind.CHOICE]
    assert [normal_answer(gold) for gold in ("$72.0", "True", "(c)")] == ["72", "yes", "C"]
    with pytest.raises(DataError, match="12 apples"):
        kind_of("12 apples")


def test_gold_numbers_follow_the_official_expression() -> None:
    assert gold_number("48/2 = 24\n#### 1,200") == "1200"
    assert gold_number("#### -9.50") == "-9.5"
    for broken in ("no mark: 72", "#### ", "#### ,"):
        with pytest.raises(DataError, match="####"):
            gold_number(broken)


@pytest.mark.parametrize("text", ["1" * 30, "1e24", "1e-20", "1e99", "9" * 24 + "e9", "0." + "1" * 24, "7/" + "9" * 23])
def test_every_normalised_number_reads_back_as_itself(text: str) -> None:
    normal = normal_number(text)
    assert normal is None or normal_number(normal) == normal


@pytest.mark.parametrize("text", ["9" * 100_000, "1," * 50_000, ". " * 50_000, "answer " * 20_000, "-$ " * 50_000])
def test_hostile_lengths_end_soon_and_answer_nothing(text: str) -> None:
    assert lenient(text, Kind.NUMBER) is None
