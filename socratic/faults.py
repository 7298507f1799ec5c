"""The first wrong step of a wrong trace, by the gold equations alone: no model is run, no oracle asked.

In: a student's wrong trace and the gold trace of its problem, playable (see oracles). Out: a `Fault`. Equations are aligned
by their values, so that another order, other words, or `20/100*50` for `.2*50` is no fault. Knows nothing of files or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sympy import Rational

from socratic.arithmetic import find_numbers, number_text, number_value, verdict
from socratic.schema import Check, Trace, Verdict


class Fault(StrEnum):
    """What is wrong with the first step whose value is none of the gold ones."""

    OPERANDS = "wrong operands"  # the operators of the gold equation that was due, other numbers
    OPERATOR = "wrong operator"  # the numbers of a gold equation, other operators or another order
    BOTH = "wrong operands and operator"  # no gold equation that was due is like it
    RESULT = "wrong result"  # the right calculation, another result
    EXTRA = "extra step"  # the answer was there, and it went on
    MISSING = "missing step"  # all steps are right, and it ended before the answer
    UNREADABLE = "no equation"  # none at all, or one that cannot be read


def first_fault(trace: Trace, gold: Trace) -> Fault:
    """Why a wrong trace is wrong."""
    equations, due = [check for step in trace.steps for check in step.checks], list(_gold_equations(gold))
    answer = gold.steps[-1].checks[-1]
    for check in equations:
        if check.verdict is Verdict.UNREADABLE:
            return Fault.UNREADABLE
        if answer not in due:
            return Fault.EXTRA
        met = next((one for one in due if _is_value(check.stated, one)), None)
        if met is None:
            return _fault(check, due)
        due.remove(met)
    if not equations:
        return Fault.UNREADABLE
    return Fault.MISSING if answer in due else Fault.EXTRA


def _gold_equations(gold: Trace) -> Iterator[Check]:
    """The gold equations in order; a line without one counts as its last number, as other lines build on it."""
    for step in gold.steps:
        yield from step.checks
        if not step.checks and (numbers := find_numbers(step.solution)):
            yield Check("", number_text(numbers[-1].value), "", Verdict.UNREADABLE)


def _is_value(text: str, gold: Check) -> bool:
    """Whether a result is the gold one, at the digits that gold is written with."""
    return verdict(number_value(text), gold.stated) in (Verdict.CORRECT, Verdict.ROUNDED)


def _fault(check: Check, due: Sequence[Check]) -> Fault:
    """What is wrong with an equation whose value is not due."""
    worked = [one for one in due if one.expression]
    if any(_is_value(check.computed, one) for one in due):
        return Fault.RESULT
    if any(_operands(check) == _operands(one) for one in worked):
        return Fault.OPERATOR
    if worked and _operators(check) == _operators(worked[0]):
        return Fault.OPERANDS
    return Fault.BOTH


def _operands(check: Check) -> list[Rational]:
    return sorted(number_value(operand.text) for operand in check.operands)


def _operators(check: Check) -> list[str]:
    return sorted(sign for sign in check.expression if sign in "+-*/")
