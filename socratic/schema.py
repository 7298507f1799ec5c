"""The values that the whole project passes around, and their JSON form.

In: nothing. Out: `Problem`, `Operand`, `Check`, `Step`, `Solution`, `Source`, `Trace`, `Labels`, `Report`, and the enums
`Ended`, `Verdict`, `Origin` and `Badge`. All values are frozen; equal content means equal objects. An unfinished
`Trace` (`ended` is None) is the state of a run. Knows nothing of models, benchmarks or arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from socratic.errors import DataError


class Ended(StrEnum):
    """Why a trace ended."""

    DONE = "done"  # the decomposer said so
    STEP_LIMIT = "step_limit"
    REPEATED = "repeated"  # the same subquestion again, with the same solution
    CONTEXT_FULL = "context_full"
    NO_ANSWER = "no_answer"  # the solver's text held no answer, or the loop ended before any step
    UNSURE = "unsure"  # a vote was less confident than was asked for


class Verdict(StrEnum):
    """What recomputing an equation says of it."""

    CORRECT = "correct"  # exactly equal
    ROUNDED = "rounded"  # equal at the digits that are written
    WRONG = "wrong"
    UNREADABLE = "unreadable"


class Origin(StrEnum):
    """Where an operand comes from."""

    PROBLEM = "problem"
    STEP = "step"  # the result of an earlier equation
    CONSTANT = "constant"  # a well-known one: 12 months, 60 minutes, 100 %
    NOWHERE = "nowhere"


class Badge(StrEnum):
    """What a reader may trust in one step."""

    VERIFIED = "verified"  # arithmetic right, every operand has an origin
    UNGROUNDED = "ungrounded"  # arithmetic right, some operand comes from nowhere
    WRONG = "wrong"
    UNCHECKABLE = "not checkable"  # no equation that could be read


class Training(StrEnum):
    """Which role a student is trained for."""

    DECOMPOSER = "decomposer"
    SOLVER = "solver"
    UNIFIED = "unified"  # writes both
    QUESTIONS = "questions"  # a decomposer that reads no solutions: all subquestions at once
    COT = "cot"  # the whole solution, without subquestions
    ANSWER = "answer"  # the answer alone
    PLANNER = "planner"  # what guides a decomposer
    BASE = "base"  # with subquestions and without by turns: what the students of a table start as


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its gold answer, if there is one."""

    id: str
    question: str
    answer: str | None = None
    dataset: str = "user"
    split: str = ""


@dataclass(frozen=True, slots=True)
class Operand:
    """A number of an expression. `index` counts the problem's numbers, or the earlier equations, from 0."""

    text: str
    origin: Origin
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One equation of a solution, recomputed. `computed` is "" where the expression could not be read."""

    expression: str
    stated: str
    computed: str
    verdict: Verdict
    operands: tuple[Operand, ...] = ()


def badge(checks: Sequence[Check]) -> Badge:
    """Sum up the equations of a step: a wrong one spoils it, an operand from nowhere leaves it ungrounded."""
    verdicts = {check.verdict for check in checks}
    if Verdict.WRONG in verdicts:
        return Badge.WRONG
    if not checks or Verdict.UNREADABLE in verdicts:
        return Badge.UNCHECKABLE
    nowhere = any(operand.origin is Origin.NOWHERE for check in checks for operand in check.operands)
    return Badge.UNGROUNDED if nowhere else Badge.VERIFIED


@dataclass(frozen=True, slots=True)
class Step:
    """One subquestion, the solution to it, its answer, the checks of its equations, and how likely the solver found it (0..1)."""

    question: str
    solution: str
    answer: str
    checks: tuple[Check, ...] = ()
    likelihood: float | None = field(default=None, compare=False)  # a batch may change its last digits

    @property
    def badge(self) -> Badge:
        """What a reader may trust in it."""
        return badge(self.checks)

    @property
    def plain(self) -> str:
        """The solution without calculator marks: `48/2 = 24`."""
        before, *marked = self.solution.split("<<")
        return (before + "".join(part.partition(">>")[2] if ">>" in part else part for part in marked)).strip()


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver wrote, and how likely it found that, in 0..1; None where it cannot tell."""

    text: str
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How students write: temperature 0 is greedy; without the calculator the solver writes its results itself."""

    temperature: float = 0.0
    seed: int = 0
    calculator: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """Who wrote a trace: kind is human, teacher, curriculum or student."""

    kind: str
    name: str
    prompt_sha256: str = ""
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """A problem, its steps so far, the final answer, and why it ended (None: it has not)."""

    problem: Problem
    steps: tuple[Step, ...] = ()
    answer: str | None = None
    ended: Ended | None = None
    source: Source = field(default_factory=lambda: Source("student", ""))

    def __str__(self) -> str:
        """For people: subquestions, solutions with badges, and the answer or why there is none."""
        lines = []
        for number, step in enumerate(self.steps, 1):
            lines += [f"{number}. {step.question}", f"   {step.plain}   [{step.badge.value}]"]
        return "\n".join([*lines, self.ending])

    @property
    def ending(self) -> str:
        """The last line: the answer, and a word of warning where the trace did not end well."""
        answer = f"Answer: {self.answer}" if self.answer else "No answer"
        return answer if self.ended is Ended.DONE else f"{answer} ({self.ended.value if self.ended else 'not finished'})"

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape of docs/design.md, section 1; a step that nobody weighed says nothing of it."""
        return asdict(self, dict_factory=_said)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Trace:
        """Read the JSON shape. Raises DataError naming what is missing or wrong."""
        try:
            trace = cls(
                problem=_typed(Problem(**data["problem"])),
                steps=tuple(_step(step) for step in data.get("steps", ())),
                answer=data.get("answer"),
                ended=Ended(data["ended"]) if data.get("ended") else None,
                source=_typed(Source(**data.get("source", {"kind": "human", "name": ""}))),
            )
            return _typed(trace)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"not a trace: {type(error).__name__}: {error}") from error


def _said(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if (name, value) != ("likelihood", None)}


def _step(data: dict[str, Any]) -> Step:
    checks = tuple(_check(c) for c in data.get("checks", ()))
    return _typed(Step(data["question"], data["solution"], data["answer"], checks, data.get("likelihood")))


def _check(data: dict[str, Any]) -> Check:
    operands = tuple(_typed(Operand(o["text"], Origin(o["origin"]), o.get("index"))) for o in data.get("operands", ()))
    return _typed(Check(data["expression"], data["stated"], data["computed"], Verdict(data["verdict"]), operands))


Value = TypeVar("Value", Problem, Operand, Check, Step, Source, Trace)
_PLAIN = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "float | None": (float, int, type(None)),
}


def _typed(value: Value) -> Value:
    """The value as it is, or TypeError: JSON has numbers where people forget the quotes of an answer."""
    for place in fields(value):
        found, types = getattr(value, place.name), _PLAIN.get(str(place.type))
        if types and not isinstance(found, types):
            raise TypeError(f"{type(value).__name__}.{place.name}: expected {place.type}, found {found!r:.40}")
    return value


@dataclass(frozen=True, slots=True)
class Labels:
    """What a benchmark tells of a problem besides its answer: how long the gold solution is, what kind of problem it is."""

    gold_steps: int | None = None
    type: str = ""
    unused_numbers: int | None = None  # different numbers of the question that no gold equation uses


@dataclass(frozen=True, slots=True)
class Share:
    """So many of the problems, and the 95 % interval of their share, in 0..1."""

    count: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The problems that are alike in one way: `by` says in what ("gold steps"), `name` how ("3")."""

    by: str
    name: str
    n: int
    lenient: Share
    strict: Share


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What else one must know to get a report again.

    `data`: files, each with its sha256; `problems`: sha256 of those solved; `students`: of the files of those who solved them.
    """

    started: str  # UTC
    commit: str
    engine: str
    device: str
    dtype: str
    batch_size: int
    max_steps: int
    seed: int
    data: dict[str, str]
    problems: str
    students: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found. Accuracies and interval bounds are in 0..1; `seconds` is wall time.

    `correct`, `low` and `high` are of the lenient reading: the last step's answer, however the trace ended. `strict`
    counts the right answers of those traces alone that said themselves that they were done.
    """

    dataset: str
    model: str
    calculator: bool
    n: int
    correct: int
    low: float
    high: float
    unanswered: int
    seconds: float
    badges: dict[str, int]
    versions: dict[str, str]
    samples: int = 1  # traces of each problem; with more than one, a vote was graded
    strict: Share | None = None  # None, here and below: of a report that was written before there was such a field
    unparsed: Share | None = None  # no answer that reads as one of the gold answer's kind
    majority: Share | None = None  # who always says the commonest gold answer; of yes and no, or letters
    slices: tuple[Slice, ...] = ()
    record: RunRecord | None = None

    @property
    def accuracy(self) -> float:
        """Share of problems answered right, read leniently."""
        return self.correct / self.n if self.n else 0.0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """Read the JSON shape, that of older versions too. Raises DataError naming what is missing or unknown."""
        try:
            shares = {name: _share(data.get(name)) for name in ("strict", "unparsed", "majority")}
            slices = tuple(map(_slice, data.get("slices", ())))
            record = RunRecord(**data["record"]) if data.get("record") else None
            return cls(**{**data, **shares, "slices": slices, "record": record})
        except (KeyError, TypeError) as error:
            raise DataError(f"not a report: {type(error).__name__}: {error}") from error


def _share(data: dict[str, Any] | None) -> Share | None:
    return Share(**data) if data else None


def _slice(data: dict[str, Any]) -> Slice:
    return Slice(data["by"], data["name"], data["n"], Share(**data["lenient"]), Share(**data["strict"]))
