"""What the traces of one problem agree on. Run: pytest tests/test_voting.py"""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from scripted import ScriptedDecomposer, VaryingSolver

from socratic.confidence import Calibration, Calibrations, Features
from socratic.orchestrator import Orchestrator
from socratic.schema import Ended, Problem, Trace
from socratic.voting import Vote, count

PLUMS = "Tom has 3 bags of 12 plums. How many plums does he have?"
NOTHING = Features(*[0.0 for _ in fields(Features)])
WRONG, OTHER, RIGHT, NOWHERE = "<<3*12=35>>35", "<<3+12=15>>15", "<<3*12=36>>36", "<<12+17=29>>29"


def vote(*solutions: str | Ended, **calibrations: Calibrations) -> Vote:
    """Of so many traces of one problem, the first one greedy."""
    students = ScriptedDecomposer({PLUMS: [PLUMS]}), VaryingSolver({PLUMS: solutions})
    return Orchestrator(*students, **calibrations).vote(PLUMS, samples=len(solutions))


def test_votes_drop_wrong_and_unfinished_traces() -> None:
    found = vote(WRONG, WRONG, WRONG, Ended.CONTEXT_FULL, OTHER, "<<12*3=36>>36", RIGHT)
    assert (found.trace.answer, found.agreeing, found.samples) == ("36", 2, 7)


@pytest.mark.parametrize(
    ("solutions", "answer", "agreeing"),
    [
        ([NOWHERE, NOWHERE, RIGHT], "36", 1),  # verified ones alone vote
        ([WRONG, WRONG, NOWHERE], "29", 1),  # none is verified: those without a wrong step
        ([WRONG, WRONG, Ended.CONTEXT_FULL], "35", 2),  # none is sound: all that have an answer
        ([Ended.CONTEXT_FULL, Ended.NO_ANSWER, WRONG], "35", 1),
        ([Ended.CONTEXT_FULL, Ended.CONTEXT_FULL], None, 2),
    ],
)
def test_the_best_kind_of_trace_that_there_is_votes(solutions: list[str | Ended], answer: str | None, agreeing: int) -> None:
    found = vote(*solutions)
    assert (found.trace.answer, found.agreeing) == (answer, agreeing)


@pytest.mark.parametrize(("solutions", "answer"), [([OTHER, RIGHT], "15"), ([RIGHT, OTHER], "36"), ([WRONG, OTHER, RIGHT], "15")])
def test_of_equally_many_votes_the_earliest_trace_decides_and_the_greedy_one_is_first(solutions: list[str], answer: str) -> None:
    assert {vote(*solutions).trace.answer for _ in range(3)} == {answer}


def test_answers_written_differently_are_one_and_unreadable_ones_are_no_crash() -> None:
    problem = Problem("p", PLUMS)
    traces = [Trace(problem, answer=answer, ended=Ended.DONE) for answer in ("1..2", "36.0", "36", "1..2/", "36.00")]
    assert (count(traces).trace.answer, count(traces).agreeing) == ("36.0", 3)


PART = "<<3+3=6>>6"  # uses one number of two


def test_a_sure_trace_outweighs_doubtful_ones_where_the_pair_is_calibrated_for_single_traces() -> None:
    reads_all = Calibration(
        -2.0, replace(NOTHING, all_used=4.0), samples=1
    )  # 0.12 or 0.88: 53 traces of the one for one of the other
    assert (vote(PART, PART, RIGHT).trace.answer, vote(PART, PART, RIGHT).agreeing) == ("6", 2)
    found = vote(PART, PART, RIGHT, calibrations=Calibrations((reads_all,)))
    assert (found.trace.answer, found.agreeing, found.features.agreement, found.features.lead) == ("36", 1, 1 / 3, 0.0)
    assert found.features.support == pytest.approx(0.88**2 / (0.88**2 + 2 * 0.12**2), abs=0.01)


@pytest.mark.parametrize("solutions", [(RIGHT, OTHER, OTHER), (OTHER, RIGHT), (WRONG, RIGHT, OTHER, RIGHT), (NOWHERE, OTHER)])
def test_where_all_traces_are_equally_sure_votes_are_counted_as_without_a_calibration(solutions: tuple[str, ...]) -> None:
    equal = Calibrations((Calibration(0.3, NOTHING, samples=1),))
    assert vote(*solutions, calibrations=equal).trace == vote(*solutions).trace


def test_of_the_winners_the_likeliest_trace_is_shown() -> None:
    doubled, uses_all = "<<12+12=24>>24 <<24+12=36>>36", Calibration(0.0, replace(NOTHING, all_used=2.0), samples=1)
    assert vote(doubled, RIGHT).trace.steps[0].solution == doubled
    assert vote(doubled, RIGHT, calibrations=Calibrations((uses_all,))).trace.steps[0].solution == RIGHT


def test_without_a_calibration_confidence_is_agreement_and_says_so() -> None:
    found = vote(RIGHT, RIGHT, RIGHT, OTHER).confidence
    assert (found.probability, found.calibrated) == (0.75, False)
    assert "not calibrated" in str(found)


def test_a_vote_is_withheld_below_the_asked_confidence_and_never_below_nothing() -> None:
    sure, torn = vote(RIGHT, RIGHT, RIGHT), vote(RIGHT, OTHER, WRONG)
    silent = vote(Ended.CONTEXT_FULL, Ended.CONTEXT_FULL)
    assert all(found.at_least(0.0) == found for found in (sure, torn, silent))
    withheld = torn.at_least(0.5)
    assert (withheld.trace.answer, withheld.trace.ended) == (None, Ended.UNSURE)
    assert (withheld.trace.steps, withheld.confidence) == (torn.trace.steps, torn.confidence)
    assert str(withheld.trace).endswith("No answer (unsure)")
    assert sure.at_least(1.0) == sure


def test_a_votes_json_is_a_trace_with_confidence_beside_it() -> None:
    row = json.loads(json.dumps(vote(RIGHT, OTHER).at_least(0.9).to_dict()))
    assert row["answer"] is None and row["ended"] == "unsure"
    assert (row["confidence"], row["calibrated"], row["agreeing"], row["samples"]) == (0.5, False, 1, 2)
    assert Features.from_dict(row["features"]) == vote(RIGHT, OTHER).features
    assert Trace.from_dict(row).ended is Ended.UNSURE
