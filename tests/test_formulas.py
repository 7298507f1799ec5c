"""Equations as worked steps: both forms, and those of the real files where SOCRATIC_DATA names them."""

from __future__ import annotations

import os

import pytest

from socratic.answers import same_answer
from socratic.benchmarks import traces
from socratic.errors import ExpressionError
from socratic.formulas import decimal, worked


@pytest.mark.parametrize("equation", ["( ( 2.0 * 3.0 ) + 1.0 )", "+ * 2.0 3.0 1.0"])
def test_both_forms_have_a_step_per_operation_and_the_question_at_the_last(equation: str) -> None:
    assert worked("How many?", equation) == [("", "2*3 = <<2*3=6>>6", "6"), ("How many?", "6+1 = <<6+1=7>>7", "7")]


def test_a_number_alone_is_a_step_too() -> None:
    assert worked("How many?", "8.0") == [("How many?", "8 = <<8=8>>8", "8")]


def test_what_has_endless_decimals_stays_in_brackets_until_it_ends() -> None:
    assert worked("How many?", "* / 10.0 3.0 6.0") == [("How many?", "(10/3)*6 = <<(10/3)*6=20>>20", "20")]
    assert worked("How many?", "- 3.0 + 0.16666666666666666 0.5")[-1][2] == "7/3"


@pytest.mark.parametrize(
    "equation", ["( 1.0 + 2.0", "( 1.0 / 0.0 )", "", "( 1.0 + x )", "( 1.0 + 2.0 ]", "+ 8.0 2.0 - 3.0 1.0", "( 8.0 + 2.0 ) * 3.0"]
)
def test_a_broken_equation_is_refused(equation: str) -> None:
    with pytest.raises((ValueError, StopIteration, ExpressionError)):
        worked("How many?", equation)


def test_floats_are_written_as_people_do() -> None:
    assert [decimal(text) for text in ("9.0", "2.5", "-4.0", "0.16666666666666666")] == ["9", "2.5", "-4", "1/6"]


real = pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with the real files")


@real
@pytest.mark.parametrize(("name", "disagreeing"), [("svamp", 1), ("mawps", 18)])
def test_worked_equations_reach_the_gold_answer_but_for_known_errors(name: str, disagreeing: int) -> None:
    wrong = [trace for trace in traces(name, "train") if not same_answer(trace.steps[-1].answer, str(trace.answer))]
    assert len(wrong) == disagreeing
