"""Every method of the papers as one kind of callable: problems in, traces or votes out, ready for `evaluate`.

In: a `Way`, which is a method and what guides it, and the folders of the students that it needs. Out: a `Reasoner`. Answer-only
and chain-of-thought students run in the same loop as Socratic ones: their trace has one step without a subquestion.
Guidance out of a gold solution is an oracle and says so in each trace's source. Knows nothing of data files or of training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from socratic import transcript
from socratic.decomposer import Ahead, Decomposer, Planner, Undivided
from socratic.dialect import GUIDED, Guidance, Piece, Style
from socratic.engines import Engine
from socratic.errors import ConfigError, DataError
from socratic.evaluate import Reasoner
from socratic.folders import read_student
from socratic.mix import as_learned
from socratic.orchestrator import Asks, Orchestrator, Solves
from socratic.schema import Decoding, Problem, Trace, Training
from socratic.solver import WHOLE, Answerer, Solver
from socratic.students import open_engine
from socratic.turns import Guides
from socratic.voting import Vote


class Method(StrEnum):
    """How a problem becomes an answer; values are what YAML says."""

    ANSWER_ONLY = "answer-only"
    COT = "cot"  # the whole solution at once; an SCoTD student is this one, trained on N rationales a problem
    UNIFIED = "socratic-unified"  # one model writes subquestions and solutions in lockstep
    AT_ONCE = "socratic-at-once"  # two models, the decomposer writes all subquestions first
    LOCKSTEP = "socratic-lockstep"  # two models, iterative


class Plan(StrEnum):
    """Where guidance comes from when a problem is solved."""

    GOLD = "gold"  # out of the problem's own solution: an oracle
    LEARNED = "learned"  # a planner student predicts it


_STUDENTS = {
    Method.ANSWER_ONLY: (Training.ANSWER,),
    Method.COT: (Training.COT,),
    Method.UNIFIED: (Training.UNIFIED,),
    Method.AT_ONCE: (Training.QUESTIONS, Training.SOLVER),
    Method.LOCKSTEP: (Training.DECOMPOSER, Training.SOLVER),
}


@dataclass(frozen=True, slots=True)
class Way:
    """A method and what guides it; `plan` matters to guided ones alone."""

    method: Method
    guidance: Guidance = Guidance.NONE
    plan: Plan = Plan.GOLD

    def __str__(self) -> str:
        """For people and for each trace's source: `socratic-lockstep, operators (oracle)`."""
        if self.guidance is Guidance.NONE:
            return self.method.value
        return f"{self.method.value}, {self.guidance.value} ({'oracle' if self.is_oracle else 'planner'})"

    @property
    def is_oracle(self) -> bool:
        """Whether it is told of the gold solutions, as no student is that stands alone."""
        return self.guidance is not Guidance.NONE and self.plan is Plan.GOLD

    def trainings(self) -> tuple[Training, ...]:
        """The students that must be trained for it, with its guidance in their configuration. Raises ConfigError."""
        needed = _STUDENTS[self.method]
        if self.guidance is Guidance.NONE:
            return needed
        if not GUIDED & set(needed):
            name, told = self.method.value, self.guidance.value
            raise ConfigError(f"'{name}' asks no subquestions, so nothing guides it; found guidance '{told}'")
        return needed if self.is_oracle else (*needed, Training.PLANNER)


@dataclass(frozen=True, slots=True)
class Student:
    """One that is ready to write."""

    engine: Engine
    style: Style


def reasoner(
    way: Way,
    students: Mapping[Training, Path],
    *,
    gold: Mapping[str, Trace] | None = None,
    samples: int = 1,
    engine: str = "light",
    batch_size: int = 16,
    seed: int = 0,
) -> Reasoner:
    """A way over the students' folders; with more than one sample it votes.

    `gold` holds the problems' solutions by problem id, which oracles alone need. Raises ConfigError, ModelError; the
    reasoner itself raises DataError for a problem without gold solution.
    """
    needed = way.trainings()
    if missing := [training.value for training in needed if training not in students]:
        raise ConfigError(f"'{way.method.value}' needs students for {', '.join(missing)}", hint="train them, see `trainings`")
    loaded = {training: load(students[training], training, engine) for training in needed}
    orchestrator = Orchestrator(*assemble(way, loaded, gold=gold), name=str(way), batch_size=batch_size)
    return reasoning(orchestrator, samples=samples, decoding=Decoding(seed=seed))


def reasoning(orchestrator: Orchestrator, *, samples: int, decoding: Decoding) -> Reasoner:
    """One trace a problem, or a vote of several."""

    def solve(problems: Sequence[Problem]) -> Iterator[Trace]:
        return orchestrator.solve_each(problems, decoding)

    def vote(problems: Sequence[Problem]) -> Iterator[Vote]:
        return orchestrator.vote_each(problems, samples=samples, decoding=decoding)

    return vote if samples > 1 else solve


def load(folder: Path, training: Training, engine: str) -> Student:
    """A student out of the folder that `train` wrote for this role; a unified one can be both of a pair. Raises ConfigError."""
    found = read_student(folder)
    role = json.loads((folder / "student.json").read_text(encoding="utf-8")).get("role")
    may = {training, Training.UNIFIED} if training in (Training.DECOMPOSER, Training.SOLVER) else {training}
    if role not in may:
        raise ConfigError(f"{folder} holds a student trained as '{role}', expected '{training.value}'", hint="train that role")
    return Student(open_engine(found, engine), found.style)


def assemble(way: Way, students: Mapping[Training, Student], *, gold: Mapping[str, Trace] | None = None) -> tuple[Asks, Solves]:
    """The two sides of the loop. Raises ConfigError where students were trained for another guidance."""
    for training, student in students.items():
        expected = way.guidance if training in GUIDED else Guidance.NONE
        if student.style.guidance is not expected:
            found = f"'{training.value}' was trained with guidance '{student.style.guidance.value}'"
            raise ConfigError(f"{found}, expected '{expected.value}'", hint="train it with that guidance, or ask for this one")
    guides = _guides(way, students, gold)
    match way.method:
        case Method.ANSWER_ONLY:
            only = students[Training.ANSWER]
            return Undivided(), Answerer(only.engine, only.style)
        case Method.COT:
            only = students[Training.COT]
            return Undivided(), Solver(only.engine, only.style, limits=WHOLE[only.style.solutions])
        case Method.UNIFIED:
            only = students[Training.UNIFIED]
            return Decomposer(only.engine, only.style, guides), Solver(only.engine, only.style, guides)
    asks, solves = (students[training] for training in _STUDENTS[way.method])
    decomposer, solver = Decomposer(asks.engine, asks.style, guides), Solver(solves.engine, solves.style)
    return (Ahead(decomposer) if way.method is Method.AT_ONCE else decomposer), solver


def _guides(way: Way, students: Mapping[Training, Student], gold: Mapping[str, Trace] | None) -> Guides | None:
    if way.guidance is Guidance.NONE:
        return None
    if way.is_oracle:
        if gold is None:
            raise ConfigError("gold guidance needs the problems' solutions", hint="give `gold`, or let a planner plan")
        return GoldPlans(gold)
    planner = students[Training.PLANNER]
    if any(student.style.numbers is not planner.style.numbers for training, student in students.items() if training in GUIDED):
        raise ConfigError("the planner and the student that it guides write numbers in different styles", hint="train both alike")
    return Planner(planner.engine, planner.style)


class GoldPlans:
    """Plans out of the problems' own solutions: an oracle."""

    def __init__(self, gold: Mapping[str, Trace]) -> None:
        self.gold = gold

    def guides(self, problems: Sequence[Problem], style: Style) -> list[tuple[Piece, ...]]:
        """The plans. Raises DataError for a problem whose solution is not known."""
        return [transcript.guide(as_learned(self._solution(problem), style), style) for problem in problems]

    def _solution(self, problem: Problem) -> Trace:
        if problem.id not in self.gold:
            hint = "let a planner plan, or leave guidance out"
            raise DataError(f"problem '{problem.id}' has no gold solution, which gold guidance needs", hint=hint)
        return self.gold[problem.id]
