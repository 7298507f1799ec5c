"""Oracles: students that say what the gold trace says, and pairs of students with one part swapped for an oracle.

In: a pair of students, and gold traces with subquestions by the problem's id. Out: pairs that fit the orchestrator's two
protocols by shape. Knows nothing of models, files, or what is concluded from a swap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from socratic.answers import same_answer
from socratic.arithmetic import Known, check_solution, equations, find_numbers
from socratic.errors import DataError
from socratic.orchestrator import Asks, Solves, bare
from socratic.schema import Decoding, Ended, Problem, Solution, Step, Trace

Pair = tuple[Asks, Solves]
Gold = Mapping[str, Trace]  # playable ones, by the problem's id
AGAIN: Final = " (again)"  # tells a subquestion from the same one before: with the same solution too, the loop would end there
TRIES: Final = 8  # samples of a decomposer that would stop too early
WARM: Final = 1.0  # temperature of these


class Swap(StrEnum):
    """What of a pair is swapped for an oracle."""

    AS_IS = "as it is"
    QUESTIONS = "gold questions"
    SOLUTIONS = "gold solutions"
    STOPPING = "perfect stopping"
    ARITHMETIC = "exact arithmetic"
    GOLD = "both gold"

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANING[self]


_MEANING = {
    Swap.AS_IS: "the student alone",
    Swap.QUESTIONS: "the solver gets the gold subquestions, as many as there are",
    Swap.SOLUTIONS: "the decomposer asks; step k gets the gold solution k, however it was asked; no step beyond them has one",
    Swap.STOPPING: "the decomposer asks exactly as many subquestions as the gold trace has, a repeated one too",
    Swap.ARITHMETIC: "the calculator writes the results",
    Swap.GOLD: "gold subquestions and solutions: checks the harness, must be 100 %",
}


def pair(swap: Swap, student: Pair, gold: Gold) -> Pair:
    """The student with that part swapped. Exact arithmetic is the decoding's business, so there the pair stays as it is."""
    decomposer, solver = student
    match swap:
        case Swap.QUESTIONS:
            return GoldDecomposer(gold), _Unmarked(solver)
        case Swap.SOLUTIONS:
            return decomposer, GoldSolver(gold)
        case Swap.STOPPING:
            return PerfectStopping(decomposer, gold), _Unmarked(solver)
        case Swap.GOLD:
            return GoldDecomposer(gold), GoldSolver(gold)
        case _:
            return student


class GoldDecomposer:
    """Asks the gold subquestions in order, then is done."""

    def __init__(self, gold: Gold) -> None:
        self.gold = gold

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """For each trace the next gold subquestion, or DONE."""
        due = [_due(trace, self.gold) for trace in traces]
        return [step.question if step else Ended.DONE for step in due]


class GoldSolver:
    """Gives the gold solution of the step at that place, whatever was asked.

    An approximation of a perfect solver, which needs no gold solution to fit its question: right where the decomposer
    takes the gold steps in their order, too kind to an idle subquestion in the place of a needed one, too hard on a
    finer decomposition than the gold one, as a step beyond it has no gold solution and ends the trace without an answer.
    """

    def __init__(self, gold: Gold) -> None:
        self.gold = gold

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """For each trace the next gold solution, or NO_ANSWER where there is no more."""
        due = [_due(trace, self.gold) for trace in traces]
        return [Solution(step.solution) if step else Ended.NO_ANSWER for step in due]


class PerfectStopping:
    """The decomposer's own subquestions, as many as the gold trace has, also where it repeats one.

    The loop would end at the same subquestion with the same solution, so repeated ones are told apart.

    Where it would stop earlier it is asked again, sampling; where all tries stop, the problem's own question is asked.
    """

    def __init__(self, decomposer: Asks, gold: Gold) -> None:
        self.decomposer, self.gold = decomposer, gold

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """For each trace a subquestion while the gold one has more; other ends than DONE stay as they are."""
        turns: list[str | Ended] = [Ended.DONE] * len(traces)
        waiting = [place for place, trace in enumerate(traces) if _due(trace, self.gold)]
        sampling = [replace(decoding, temperature=WARM, seed=decoding.seed + n) for n in range(1, TRIES + 1)]
        for tried in (decoding, *sampling):
            if not waiting:
                break
            asked = self.decomposer.ask([_unmarked(traces[place]) for place in waiting], tried)
            for place, turn in zip(waiting, asked, strict=True):
                turns[place] = turn
            waiting = [place for place in waiting if turns[place] is Ended.DONE]
        for place in waiting:
            turns[place] = own_question(traces[place].problem)
        pairs = zip(turns, traces, strict=True)
        return [turn if isinstance(turn, Ended) else _told_apart(turn, trace.steps) for turn, trace in pairs]


class _Unmarked:
    """A solver that sees repeated subquestions as they were asked."""

    def __init__(self, solver: Solves) -> None:
        self.solver = solver

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """The solver's solutions."""
        return self.solver.solve(list(map(_unmarked, traces)), [q.partition(AGAIN)[0] for q in questions], decoding)


def _unmarked(trace: Trace) -> Trace:
    return replace(trace, steps=tuple(replace(step, question=step.question.partition(AGAIN)[0]) for step in trace.steps))


def _told_apart(question: str, steps: Sequence[Step]) -> str:
    """The subquestion, with as many marks as it has been asked before."""
    asked = [bare(step.question.partition(AGAIN)[0]) for step in steps]
    return question + AGAIN * asked.count(bare(question))


def _due(trace: Trace, gold: Gold) -> Step | None:
    steps = gold[trace.problem.id].steps
    return steps[len(trace.steps)] if len(trace.steps) < len(steps) else None


def own_question(problem: Problem) -> str:
    """The last sentence of a problem."""
    return re.split(r"(?<=[.?!])\s+", problem.question.strip())[-1]


def playable(trace: Trace) -> Trace:
    """A gold trace as the loop can hold it: each line has a number, repeated subquestions are told apart, the last answers.

    Of GSM8K's test problems about one in six asks the same subquestion twice, at which the loop would end where a solver solves
    both alike, and some lines ("Simplify") state no number; such a line goes before the next one. Where the last line's last
    equation is not the gold answer, GSM8K's closing line is added as one. Raises DataError for a trace without subquestions, or
    without steps or answer.
    """
    problem = trace.problem
    if problem.answer is None or not trace.steps or not all(step.question.strip() for step in trace.steps):
        raise DataError(
            f"expected gold subquestions and an answer, found problem '{problem.id}' without",
            hint="diagnose on gsm8k, or on a JSONL of traces with subquestions",
        )
    (*lines, (question, solution)), known, steps = _numbered(trace.steps), Known.of(problem.question), list[Step]()
    for asked, solved in (*lines, (question, _answering(solution, problem.answer))):
        checks, known = check_solution(solved, known)
        steps.append(Step(_told_apart(asked, steps), solved, checks[-1].stated if checks else "", checks))
    return replace(trace, steps=tuple(steps))


Line = tuple[str, str]  # subquestion, solution


def _numbered(steps: Sequence[Step]) -> list[Line]:
    """Lines that each state a number, the last one perhaps not."""
    lines, held = list[Line](), ""
    for step in steps:
        solution = held + step.solution
        is_empty = not find_numbers(solution) and not equations(solution)
        if is_empty and step is not steps[-1]:
            held = f"{solution}\n"
        else:
            lines.append((step.question, solution))
            held = ""
    return lines


def _answering(solution: str, answer: str) -> str:
    stated = equations(solution)
    if stated and same_answer(stated[-1][1], answer):
        return solution
    return f"{solution}\n#### <<{answer}={answer}>>{answer}"
