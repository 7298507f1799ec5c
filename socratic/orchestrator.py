"""The lockstep loop: the decomposer asks, the solver answers, every step is checked.

In: questions, and any two students that fit `Asks` and `Solves`. Out: `Trace`s, each with the reason why it ended. Batch
first: one problem is a batch of one. Knows nothing of models, tokens or files; `from_pretrained` alone asks `students`.

    orchestrator = Orchestrator.from_pretrained("default")
    print(orchestrator.solve("Tom has 3 bags of 12 apples. How many apples does he have?"))
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from socratic.answers import Kind, last_number, lenient, normal_number
from socratic.arithmetic import MAX_DIGITS, Number, check_solution, find_numbers, known_after, number_text
from socratic.confidence import Calibrations, load
from socratic.errors import UsageError
from socratic.schema import Decoding, Ended, Problem, Solution, Source, Step, Trace
from socratic.voting import UNCALIBRATED, Vote, count

GREEDY = Decoding()
MAX_STEPS: Final = 10  # of a trace, where nobody says otherwise
TEMPERATURE = 0.7  # of sampled traces
MAX_QUESTION = 4000  # characters; the students' context is far shorter


class Asks(Protocol):
    """A decomposer."""

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """For each unfinished trace its next subquestion, or why there is none."""
        ...


class Solves(Protocol):
    """A solver."""

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """For each trace a solution to its next subquestion, equations as `<<48/2=24>>`, or why there is none."""
        ...


class Orchestrator:
    """Runs two students in lockstep; with calibrations its votes say how likely they are right."""

    def __init__(
        self,
        decomposer: Asks,
        solver: Solves,
        *,
        name: str = "",
        max_steps: int = MAX_STEPS,
        batch_size: int = 16,
        calibrations: Calibrations = UNCALIBRATED,
    ) -> None:
        self.decomposer, self.solver, self.calibrations = decomposer, solver, calibrations
        self.name, self.max_steps, self.batch_size = name, max_steps, batch_size

    @classmethod
    def from_pretrained(
        cls, name: str = "default", *, engine: str = "light", max_steps: int = MAX_STEPS, batch_size: int = 16
    ) -> Orchestrator:
        """The shipped pair, or one from a folder. Raises ModelError."""
        from socratic.folders import pair_folder
        from socratic.students import load_pair

        students, calibrations = load_pair(name, engine=engine), load(pair_folder(name))
        return cls(*students, name=name, max_steps=max_steps, batch_size=batch_size, calibrations=calibrations)

    def solve(self, question: str | Problem, decoding: Decoding = GREEDY) -> Trace:
        """Solve one problem. Raises UsageError where there is none."""
        return self.solve_many([question], decoding)[0]

    def solve_many(self, questions: Sequence[str | Problem], decoding: Decoding = GREEDY) -> list[Trace]:
        """Solve problems in batches; order is kept."""
        return list(self.solve_each(questions, decoding))

    def solve_each(self, questions: Sequence[str | Problem], decoding: Decoding = GREEDY, *, first: int = 0) -> Iterator[Trace]:
        """The same, yielding each batch as soon as it is done; none before the `first` question, where a batch must begin."""
        problems = [as_problem(question) for question in questions]
        for start in range(first, len(problems), self.batch_size):
            traces = [self._start(problem) for problem in problems[start : start + self.batch_size]]
            *_, ended = self._rounds(traces, decoding, batch=start)
            yield from ended

    def stream(self, question: str | Problem, decoding: Decoding = GREEDY) -> Iterator[Trace]:
        """The trace of one problem after each round of the loop; the last one yielded has ended."""
        for traces in self._rounds([self._start(as_problem(question))], decoding, batch=0):
            yield traces[0]

    def vote(
        self, question: str | Problem, *, samples: int, temperature: float = TEMPERATURE, decoding: Decoding = GREEDY
    ) -> Vote:
        """Vote on one problem; see `vote_each`."""
        return next(self.vote_each([question], samples=samples, temperature=temperature, decoding=decoding))

    def vote_each(
        self, questions: Sequence[str | Problem], *, samples: int, temperature: float = TEMPERATURE, decoding: Decoding = GREEDY
    ) -> Iterator[Vote]:
        """For each problem write k traces, one greedy and the others sampled, and vote, in batches that problems share.

        How they are counted: see `voting.count`.
        """
        if samples < 1:
            raise UsageError(f"expected at least 1 sample, found {samples}", hint="more samples, a better vote; try 9")
        problems, others = [as_problem(question) for question in questions], samples - 1
        for start in range(0, len(problems), self.batch_size):
            group = problems[start : start + self.batch_size]
            greedy = self.solve_many(group, replace(decoding, temperature=0.0))
            sampling = replace(decoding, temperature=temperature, seed=_mixed(decoding.seed, group[0].id, group[0].question))
            sampled = self.solve_many([problem for problem in group for _ in range(others)], sampling)
            for place, first in enumerate(greedy):
                yield self.count([first, *sampled[place * others : (place + 1) * others]])

    def count(self, sampled: Sequence[Trace]) -> Vote:
        """The vote of one problem's traces, the greedy one first; of a single one, how sure that is."""
        return count(sampled, self.calibrations)

    def _start(self, problem: Problem) -> Trace:
        return Trace(problem, source=Source("student", self.name))

    def _rounds(self, traces: list[Trace], decoding: Decoding, *, batch: int) -> Iterator[list[Trace]]:
        """The batch after each round, until every trace has ended; each batch and round draws from a seed of its own."""
        for round_ in range(self.max_steps + 1):
            traces = self._advance(traces, replace(decoding, seed=_mixed(decoding.seed, batch, round_)))
            yield traces
            if all(trace.ended for trace in traces):
                return

    def _advance(self, traces: list[Trace], decoding: Decoding) -> list[Trace]:
        """One round for every trace that has not ended: a subquestion, then its solution."""
        traces = [_end(t, Ended.STEP_LIMIT) if not t.ended and len(t.steps) >= self.max_steps else t for t in traces]
        live = [place for place, trace in enumerate(traces) if not trace.ended]
        asked = self.decomposer.ask([traces[place] for place in live], decoding) if live else []
        questions: dict[int, str] = {}
        for place, question in zip(live, asked, strict=True):
            if isinstance(question, Ended):
                traces[place] = _end(traces[place], question)
            else:
                questions[place] = question
        self._answer(traces, questions, decoding)
        return traces

    def _answer(self, traces: list[Trace], questions: dict[int, str], decoding: Decoding) -> None:
        if not questions:
            return
        solutions = self.solver.solve([traces[place] for place in questions], list(questions.values()), decoding)
        for (place, question), solution in zip(questions.items(), solutions, strict=True):
            if isinstance(solution, Ended) or _is_repeated(traces[place], question, solution.text):
                traces[place] = _end(traces[place], solution if isinstance(solution, Ended) else Ended.REPEATED)
            else:
                traces[place] = _with_step(traces[place], question, solution)


def _mixed(*parts: int | str) -> int:
    """One 31-bit seed of several parts, the same on every machine."""
    return zlib.crc32(repr(parts).encode()) >> 1


_TOO_LONG = re.compile(rf"\d{{{MAX_DIGITS + 1},}}")  # `find_numbers` passes over it


def as_problem(question: str | Problem) -> Problem:
    """A question as a problem. Raises UsageError for one that is empty, too long, or holds control characters."""
    problem = question if isinstance(question, Problem) else Problem("question", question.strip())
    text, of = problem.question, "" if isinstance(question, str) else f" of '{problem.id}'"
    if not text.strip():
        raise UsageError(f"the question{of} is empty", hint='give a word problem, e.g. "Tom has 3 bags of 12 apples. How many?"')
    if len(text) > MAX_QUESTION:
        raise UsageError(
            f"the question{of} has {len(text):,} characters, at most {MAX_QUESTION:,} are read",
            hint="give one word problem at a time",
        )
    if long := _TOO_LONG.search(text):
        reason = f"a number{of} has {len(long[0])} digits, at most {MAX_DIGITS} are read"
        raise UsageError(reason, hint="give a number that people could write down")
    odd = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t\r"), None)
    if odd:
        raise UsageError(f"the question{of} holds the control character U+{ord(odd):04X}", hint="give plain text")
    return problem


def _is_repeated(trace: Trace, question: str, solution: str) -> bool:
    """Whether a step stands there already. The same subquestion alone may: a sixth of GSM8K's solutions ask one twice."""
    return any((bare(step.question), step.solution) == (bare(question), solution) for step in trace.steps)


def bare(text: str) -> str:
    """What the loop compares of a subquestion."""
    return "".join(c for c in text.lower() if c.isalnum())


def _end(trace: Trace, why: Ended) -> Trace:
    """The last step's answer is the trace's; a trace without steps has none, however it ended."""
    answer = (trace.steps[-1].answer or None) if trace.steps else None
    if why is Ended.DONE and answer is None:
        why = Ended.NO_ANSWER
    return replace(trace, ended=why, answer=None if why is Ended.NO_ANSWER else answer)


def _with_step(trace: Trace, question: str, solution: Solution) -> Trace:
    """The trace with one more step, checked; where the solution has neither an answer nor words it ends."""
    checks, _ = check_solution(solution.text, known_after(trace))
    answer = checks[-1].stated if checks else _said(solution.text)
    step = Step(question, solution.text, answer, checks, solution.likelihood)
    longer = replace(trace, steps=(*trace.steps, step))
    return longer if answer or _STATEMENT.search(solution.text) else _end(longer, Ended.NO_ANSWER)


_STATEMENT = re.compile(r"[^\W\d_] [^\W\d_]")  # two words: a fact that computes nothing, on the way to a yes, no or letter


def _said(solution: str) -> str:
    """What a solution without equations answers: it is a number as a whole, or its last number, or what it says after that.

    That may be a yes or no, or a letter. "5 amperes (A)" are five: after a number a letter must be called the answer. An equation
    that the calculator could not read has no answer.
    """
    if whole := normal_number(solution):
        return whole
    if not _WORD.search(solution.rpartition("<<")[2]):
        return ""
    numbers = find_numbers(solution)
    rest = solution[numbers[-1].end :] if numbers else solution
    letter = lenient(rest, Kind.CHOICE) if not numbers or "answer is" in rest else None
    return lenient(rest, Kind.YES_NO) or letter or _last(solution, numbers)


_WORD = re.compile(r"(?!ceil|floor)(?<![^\W\d_])[^\W\d_]|[\u00b0:=]")  # or a sign that no expression has


def _last(solution: str, numbers: Sequence[Number]) -> str:
    """The last number, with its sign and its fraction where it is written in digits."""
    if not numbers:
        return ""
    in_digits = numbers[-1].text[0].isdigit() and last_number(solution[: numbers[-1].end])
    return in_digits or number_text(numbers[-1].value)
