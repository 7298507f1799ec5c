"""The first wrong step, by the gold equations. Run: pytest tests/test_faults.py"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.arithmetic import Known, check_solution
from socratic.faults import Fault, first_fault
from socratic.oracles import playable
from socratic.schema import Ended, Problem, Step, Trace

PROBLEM = Problem("p", "A shop sells 10 boxes of 5 pens and 20% of 40 pads, 2 for 3 dollars. How many dollars?", "87")


def trace(*solutions: str) -> Trace:
    known, steps = Known.of(PROBLEM.question), list[Step]()
    for place, solution in enumerate(solutions):
        checks, known = check_solution(solution, known)
        steps.append(Step(f"Question {place}?", solution, checks[-1].stated if checks else "", checks))
    return Trace(PROBLEM, tuple(steps), steps[-1].answer if steps else None, Ended.DONE)


GOLD = playable(trace("<<10*5=50>>50 pens", "<<40*.2=8>>8 pads", "58 things in all", "<<58/2=29>>29", "<<29*3=87>>87"))


@pytest.mark.parametrize(
    ("solutions", "fault"),
    [
        (["<<10+5=15>>15"], Fault.OPERATOR),
        (["<<10*5=50>>50", "<<2/58=1/29>>1/29"], Fault.OPERATOR),  # the wrong way round
        (["<<10*40=400>>400"], Fault.OPERANDS),
        (["<<10*5=50>>50", "<<40*20=800>>800"], Fault.OPERANDS),
        (["<<10-40=-30>>-30"], Fault.BOTH),
        (["<<10*5=51>>51"], Fault.RESULT),
        (["<<10*5=50>>50", "<<20/100*40=8>>8", "<<50+8=58>>58", "<<58/2=29>>29", "<<29*3=87>>87", "<<87+1=88>>88"], Fault.EXTRA),
        (["<<(10*5+8)/2*3=87>>87", "<<87-3=84>>84"], Fault.EXTRA),  # several steps in one
        (["<<10*5=50>>50", "<<.2*40=8>>8"], Fault.MISSING),
        (["<<40*.2=8>>8", "<<5*10=50>>50"], Fault.MISSING),  # another order
        (["<<10*5=50>>50", "<<8*x=3>>3"], Fault.UNREADABLE),
        (["Ten boxes."], Fault.UNREADABLE),
        ([], Fault.UNREADABLE),
    ],
)
def test_the_first_wrong_step_is_named(solutions: list[str], fault: Fault) -> None:
    assert first_fault(trace(*solutions), GOLD) is fault


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.sampled_from(["<<1000+7=1007>>1007", "<<9/4=2.25>>2.25"]))
def test_what_follows_the_first_wrong_step_changes_nothing(right: int, wrong: str) -> None:
    first = [step.solution for step in GOLD.steps[:right]]
    alone = first_fault(trace(*first, wrong), GOLD)
    assert alone not in (Fault.MISSING, Fault.EXTRA)
    assert first_fault(trace(*first, wrong, *(step.solution for step in GOLD.steps)), GOLD) is alone
