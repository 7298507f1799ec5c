"""Properties of earlier.py: an earlier step's question, the steps that it needs, and nothing else of the trace.

In: curriculum traces, GSM8K where SOCRATIC_DATA names it, and stories written here. Run: pytest tests/test_earlier.py
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from socratic import benchmarks, curriculum
from socratic.arithmetic import Known, check_solution, number_text, number_value
from socratic.curriculum import Family
from socratic.earlier import ask_earlier, earlier_questions
from socratic.schema import Badge, Ended, Origin, Problem, Source, Step, Trace

TOLD = "Ann has 12 apples and 7 pears. She buys 8 more apples and sells each for $2."
STEPS = (
    Step("How many apples does Ann have?", "She has <<12+8=20>>20 apples.", "20"),
    Step("How many fruits are in the bowl?", "That is <<12+7=19>>19 fruits.", "19"),
    Step("How much money does she get for the apples?", "She gets <<20*2=40>>$40.", "40"),
    Step("How much is that?", "It is <<40*100=4000>>4000 cents.", "4000"),
)


def story(told: str = TOLD, asked: str = "How many cents does she get?", steps: tuple[Step, ...] = STEPS) -> Trace:
    return Trace(Problem("p", f"{told} {asked}", "4000"), steps, "4000", Ended.DONE, Source("teacher", "scripted"))


def test_each_earlier_question_that_stands_alone_gets_the_steps_that_it_needs() -> None:
    found = list(earlier_questions(story()))
    assert [trace.problem.question for trace in found] == [f"{TOLD} {STEPS[place].question}" for place in (0, 2)]
    assert [[step.question for step in trace.steps] for trace in found] == [
        [STEPS[0].question],
        [STEPS[0].question, STEPS[2].question],  # the money needs the apples and not the bowl
    ]
    assert [trace.problem.answer for trace in found] == ["20", "40"]
    assert len({trace.problem.id for trace in found} | {"p"}) == 3


@pytest.mark.parametrize(
    "trace",
    [
        story(told=""),
        story(asked="She lives in Rome."),  # the last sentence asks nothing
        story(told=f"How much does Ann get? {TOLD}"),  # asked elsewhere too
        story(steps=STEPS[:1]),
        story(steps=(replace(STEPS[0], question="How many is that?"), STEPS[3])),  # "that" would point at nothing
        story(steps=(replace(STEPS[0], question="How many lemons?"), STEPS[3])),  # of which no word was told
        story(steps=(replace(STEPS[0], solution="She has more."), STEPS[3])),
        story(steps=(replace(STEPS[0], solution="<<12+31=43>>43"), STEPS[3])),
        story(steps=(replace(STEPS[0], solution="<<12+8=21>>21"), STEPS[3])),
    ],
)
def test_nothing_is_asked_where_that_would_not_be_certain(trace: Trace) -> None:
    assert list(earlier_questions(trace)) == []
    assert ask_earlier(trace, Random(0)) is None


@pytest.mark.parametrize(
    ("told", "asked", "solution"),
    [
        ("Ann picks 2 apples an hour.", "If she picks for 2 hours, how many cents is that?", "<<2*2=4>>4"),  # an equal is told
        ("Ann picks an apple each 2 minutes.", "How many cents is that in 12 minutes?", "<<12/2=6>>6"),  # 12 is a dozen
    ],
)
def test_no_other_number_stands_in_for_one_that_is_lost_with_the_question(told: str, asked: str, solution: str) -> None:
    first = Step("How many apples does Ann pick?", solution, solution[-1])
    assert list(earlier_questions(story(told, asked, (first, STEPS[3])))) == []
    whole = story(f"{told} She does so {2 if '*' in solution else 12} times.", "How many cents?", (first, STEPS[3]))
    assert [trace.answer for trace in earlier_questions(whole)] == [solution[-1]]


def test_a_number_of_the_question_is_lost_with_it() -> None:
    trace = story(told="Ann has 12 apples.", asked="If she buys 8 more apples, how many cents does she get?", steps=STEPS)
    assert list(earlier_questions(trace)) == []


def rightly_asked(trace: Trace, copy: Trace) -> None:
    """Everything that must hold of a copy, whatever the trace."""
    known = Known.of(copy.problem.question)
    for step in copy.steps:
        checks, known = check_solution(step.solution, known)
        assert checks == step.checks
        assert step.badge is Badge.VERIFIED
    assert copy.problem.answer == copy.answer == number_text(number_value(copy.steps[-1].checks[-1].stated))
    assert copy.problem.question.endswith(copy.steps[-1].question.strip())
    assert len(copy.steps) < len(trace.steps)
    operands = {o.index for s in copy.steps for c in s.checks for o in c.operands if o.origin is Origin.STEP}
    assert operands >= set(range(len([c for s in copy.steps[:-1] for c in s.checks]))) or any(
        len(step.checks) > 1 for step in copy.steps
    ), "a step stays only if something builds on it"


def test_copies_of_the_curriculum_are_right(families: tuple[list[Family], list[Family]]) -> None:
    copies = 0
    for trace in curriculum.draw_many(families[0], 400, seed=6):
        for copy in earlier_questions(trace):
            rightly_asked(trace, copy)
            copies += 1
    assert copies > 100


@pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA names no folder with GSM8K")
def test_copies_of_gsm8k_are_right() -> None:
    traces = list(benchmarks.traces("gsm8k-socratic", "train", data=Path(os.environ["SOCRATIC_DATA"])))[:300]
    copies = [(trace, copy) for trace in traces for copy in earlier_questions(trace)]
    for trace, copy in copies:
        rightly_asked(trace, copy)
    assert len(copies) > len(traces) / 2


def test_the_random_state_picks_one_of_them() -> None:
    picked = {copy.problem.id for seed in range(20) if (copy := ask_earlier(story(), Random(seed)))}
    assert picked == {trace.problem.id for trace in earlier_questions(story())}
