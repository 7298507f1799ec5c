"""The dialect of students: its marks, the segments that are made of them and of text, and the `Style` of a pair.

In: the words that configurations and student.json use. Out: a `Style`; with it, the marks that may stand inside a text.
`transcript` writes in this dialect, `readback` reads it. Knows nothing of the order of a transcript, token ids, models or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from socratic.arithmetic import Known
from socratic.schema import Training

MAX_NUMBERS = 16  # of a problem; later ones stay digits
MAX_RESULTS = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece that is one token of its own and never part of anybody's text."""

    name: str


PROBLEM, ASK, SOLVE, EQUALS, END, DONE, CAPITAL = (Mark(f"<|{n}|>") for n in ("problem", "ask", "solve", "=", "end", "done", "^"))
NUMBERS = tuple(Mark(f"<n{i}>") for i in range(MAX_NUMBERS))
RESULTS = tuple(Mark(f"<r{i}>") for i in range(MAX_RESULTS))
MARKS = (PROBLEM, ASK, SOLVE, EQUALS, END, DONE, CAPITAL, *NUMBERS, *RESULTS)

Piece = str | Mark

OPEN = "<<"  # parts a sentence from the equation in it: "in year 5" is no operand
PLAN = " Plan:"  # opens what guides a decomposer


class Role(StrEnum):
    """Who writes a segment."""

    PROBLEM = "problem"
    GUIDE = "guide"
    DECOMPOSER = "decomposer"
    SOLVER = "solver"
    CALCULATOR = "calculator"


class Numbers(StrEnum):
    """How numbers are written: tag and digits, the tag alone, or digits alone (design decision 8)."""

    REFERENCES = "references"
    MASKED = "masked"
    DIGITS = "digits"


class Solutions(StrEnum):
    """How much of a solution a solver writes."""

    EQUATION = "equation"
    SENTENCE = "sentence"


class Results(StrEnum):
    """Whether a solver learns the results that the calculator inserts."""

    INSERTED = "inserted"
    LEARNED = "learned"


class Capitals(StrEnum):
    """Whether students write capitals themselves, or a mark before the word: a lower-case vocabulary knows no "Nora"."""

    KEPT = "kept"
    MARKED = "marked"


class Guidance(StrEnum):
    """What a decomposer is told of the solution, beside the problem."""

    NONE = "none"
    STEPS = "steps"  # how many
    OPERATORS = "operators"  # of each step
    EQUATIONS = "equations"  # of each step, without their results


GUIDED = frozenset({Training.DECOMPOSER, Training.QUESTIONS, Training.UNIFIED, Training.PLANNER})  # by Style.guidance


@dataclass(frozen=True, slots=True)
class Style:
    """The dialect of a pair; saved with its weights, so that inference uses the training form."""

    numbers: Numbers = Numbers.MASKED
    solutions: Solutions = Solutions.EQUATION
    results: Results = Results.INSERTED
    capitals: Capitals = Capitals.KEPT
    guidance: Guidance = Guidance.NONE

    @classmethod
    def of(cls, *, numbers: str, solutions: str, results: str, capitals: str = "kept", guidance: str = "none") -> Style:
        """From the words that configurations and student.json use. Raises ValueError, TypeError."""
        return cls(Numbers(numbers), Solutions(solutions), Results(results), Capitals(capitals), Guidance(guidance))


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of pieces that one role writes. No text piece ends in a space."""

    role: Role
    pieces: tuple[Piece, ...]


def allowed_marks(known: Known, style: Style) -> frozenset[Mark]:
    """What may stand inside a text: the references that exist (another one names a number that nobody gave), and capitals."""
    capital = (CAPITAL,) if style.capitals is Capitals.MARKED else ()
    return frozenset((*NUMBERS[: len(known.numbers)], *RESULTS[: len(known.results)], *capital))


def in_brackets(number: str) -> str:
    """A fraction or a negative number as an operand: `3/(10/3)` is not `3/10/3`."""
    return f"({number})" if "/" in number or number.startswith("-") else number
