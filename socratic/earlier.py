"""The same story with another question: one that an earlier step answers, so that what comes after it no longer matters.

In: a worked trace and a `random.Random`. Out: the trace of a new problem: what was told, the subquestion of one of the
steps before the last, and the steps that this one needs; or nothing, where no subquestion can stand alone. SVAMP is made
so (Patel et al. 2021, section 4: "question sensitivity", "adding irrelevant information"). Knows nothing of where traces
come from or who learns from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from socratic.arithmetic import Known, check_solution, equations, number_text, number_value
from socratic.curriculum.dressing import ASKS, POINTS_BACK, last_sentence, stands_alone
from socratic.schema import Badge, Ended, Origin, Step, Trace


def ask_earlier(trace: Trace, rng: Random) -> Trace | None:
    """One of the problems that `earlier_questions` finds, or None where it finds none."""
    found = list(earlier_questions(trace))
    return rng.choice(found) if found else None


def earlier_questions(trace: Trace) -> Iterator[Trace]:
    """For each step before the last whose subquestion is understood without the others: the problem that asks for it."""
    start = last_sentence(trace.problem.question)
    told = trace.problem.question[:start].strip()
    if not told or ASKS.search(told) or not ASKS.search(trace.problem.question, start):
        return
    for place, step in enumerate(trace.steps[:-1]):
        asked = step.question.strip()
        if equations(step.solution) and not POINTS_BACK.search(asked) and stands_alone(asked, told):
            copy = _asking(trace, f"{told} {asked}", place)
            if copy:
                yield copy


def _asking(trace: Trace, question: str, place: int) -> Trace | None:
    """The steps up to `place` that its result needs; None where the problem no longer tells a number that they use."""
    needed = _needed(_checked(trace.problem.question, trace.steps[: place + 1]))
    steps = _checked(question, needed)
    if not _are_told(needed, trace.problem.question, question) or any(step.badge is not Badge.VERIFIED for step in steps):
        return None
    answer = number_text(number_value(steps[-1].checks[-1].stated))
    problem = replace(trace.problem, id=f"{trace.problem.id}-q{place + 1}", question=question, answer=answer)
    return replace(trace, problem=problem, steps=tuple(steps), answer=answer, ended=Ended.DONE)


def _are_told(steps: Sequence[Step], before: str, now: str) -> bool:
    """Whether `now` tells each number that the steps took from `before`, as often: a constant or an equal would pass for it."""
    numbers = Known.of(before).numbers
    operands = (operand for step in steps for check in step.checks for operand in check.operands)
    used = {operand.index for operand in operands if operand.origin is Origin.PROBLEM and operand.index is not None}
    return Counter(numbers[index].value for index in used) <= Counter(number.value for number in Known.of(now).numbers)


def _checked(question: str, steps: Sequence[Step]) -> list[Step]:
    """The steps with checks that count the numbers of this question, and the results of these steps."""
    known, checked = Known.of(question), list[Step]()
    for step in steps:
        checks, known = check_solution(step.solution, known)
        checked.append(replace(step, checks=checks))
    return checked


def _needed(steps: Sequence[Step]) -> list[Step]:
    """The steps whose results the last one builds on, itself included, in order."""
    of_result = [place for place, step in enumerate(steps) for check in step.checks if check.computed]  # as Known counts them
    wanted = {len(steps) - 1}
    for place in range(len(steps) - 1, -1, -1):
        if place in wanted:
            operands = [operand for check in steps[place].checks for operand in check.operands]
            wanted |= {
                of_result[operand.index] for operand in operands if operand.origin is Origin.STEP and operand.index is not None
            }
    return [step for place, step in enumerate(steps) if place in wanted]
