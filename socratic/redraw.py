"""Draw the numbers of a worked problem anew, by a `Plan` that says what each of them stands for.

In: a `Plan` and a `random.Random`. Out: a `Trace` with the same words and operations whose question, subquestions, solutions
and answer agree on new numbers, every equation exactly right and every operand of the same origin as before; or None, where
no draw suits. Numbers are written in the manner of the old ones, stay of their kind and size, and equal numbers of a
question change together. Knows nothing of how a plan is found, benchmarks, files or how students read a trace.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sympy import Rational

from socratic.arithmetic import Known, check_solution, evaluate, find_numbers, number_text, number_value
from socratic.curriculum.lexicon import spell
from socratic.errors import ExpressionError
from socratic.schema import Check, Origin, Step, Trace, Verdict

TRIES: Final = 200  # draws, of all numbers or of those that feed an equation that came out badly
ZERO: Final = Rational(0)


Origins = tuple[tuple[Origin, int | None], ...]  # of the operands of an equation
Ref = tuple[Origin, int]  # (PROBLEM, index of a quantity) or (STEP, index of an equation)
Values = Mapping[Ref, Rational]


@dataclass(frozen=True, slots=True)
class Place:
    """A number of a text, `text[start:end]`, that stands for a quantity or a result (`hundredth`: 0.2 for "20%")."""

    start: int
    end: int
    ref: Ref
    hundredth: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and the places of it that change."""

    text: str
    places: tuple[Place, ...] = ()

    def written(self, values: Values) -> str:
        """The text with new numbers, each in the manner of the old one."""
        text, end = "", 0
        for place in self.places:
            value = values[place.ref] / 100 if place.hundredth else values[place.ref]
            text += self.text[end : place.start] + like(self.text[place.start : place.end], value)
            end = place.end
        return text + self.text[end:]


def like(old: str, value: Rational) -> str:
    """Write a value as an old number was written; the same value stays as it is.

    >>> like("Twenty", Rational(25)), like("$1,200.00", Rational(2300)), like(".5", Rational(3, 10)), like("5%", Rational(3, 50))
    ('Twenty-five', '$2,300.00', '.3', '6%')
    """
    if old[0].isalpha():
        words = old if find_numbers(old)[0].value == value else spell(int(value))
        return words.capitalize() if old[0].isupper() and words != old else words
    if number_value(old) == value:
        return old
    whole, _, decimals = number_text(value * 100 if old.endswith("%") else value).partition(".")
    had = re.sub(r"[^\d.]", "", old).partition(".")[2]
    decimals = decimals.ljust(len(had), "0") if had.endswith("0") or len(had) == 2 else decimals
    whole = f"{int(whole):,}" if "," in old else whole
    whole = "" if whole == "0" and old.lstrip("$").startswith(".") else whole
    dollar, percent = "$" * old.startswith("$"), "%" * old.endswith("%")
    return f"{dollar}{whole}{'.' * bool(decimals)}{decimals}{percent}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value that the question names, once or more, and what it may become: multiples of `grid`; grid 0 keeps it."""

    value: Rational
    grid: Rational = ZERO
    low: int = 0
    high: int = 0
    article: bool | None = None  # it follows "an" (True) or "a" (False)

    @classmethod
    def of(cls, value: Rational, most: Rational, percent: bool, articles: list[bool]) -> Quantity:
        """Round numbers stay round, small ones are at least 2, large ones between half and twice the old one."""
        if value in (0, 1) or len(set(articles)) > 1 or (percent and value == 100):
            return cls(value)
        grid = Rational(5) if percent and value % 5 == 0 else _grid(value)
        share = Rational(2, 5) if value <= 12 else Rational(1, 2)
        low = math.ceil(max(share * value, min(value, Rational(2) if value.q == 1 else grid)) / grid)
        high = math.floor(min(value / share, most) / grid)
        return cls(value, grid, int(low), int(high), articles[0] if articles else None)

    def draw(self, rng: random.Random) -> Rational:
        """A new value, or the old one where none is found that suits."""
        for _ in range(20 if self.grid and self.high > self.low else 0):
            value = rng.randint(self.low, self.high) * self.grid
            if self._suits(value):
                return value
        return self.value

    def _suits(self, value: Rational) -> bool:
        is_same_kind = (value.q == 1) == (self.value.q == 1) and value not in (1, self.value)
        return is_same_kind and self.article in (None, _needs_an(value))


def _grid(value: Rational) -> Rational:
    """The roundest step in which a value and its like are written."""
    steps = [Rational(step) for step in (1000, 500, 100, 50, 25, 10, 5) if value % step == 0 and value >= 8 * step]
    if steps or value.q == 1:
        return steps[0] if steps else Rational(1)
    return next(step for step in (Rational(1, 2), Rational(1, 4), Rational(1, 20), *_TENTHS) if (value / step).q == 1)


_TENTHS = tuple(Rational(1, 10**places) for places in range(1, 25))


def _needs_an(value: Rational) -> bool:
    return number_text(value).startswith("8") or (value.q == 1 and spell(int(value)).startswith(("eleven", "eighteen")))


@dataclass(frozen=True, slots=True)
class Equation:
    """An expression with its places, its old value, and what its new one must keep."""

    expression: Passage
    value: Rational
    most: Rational
    quotients: tuple[Passage, ...]  # parts "a/b" of the expression that were whole and stay so
    feeds: frozenset[int]  # the quantities that its value hangs on

    def result(self, values: Values) -> Rational | None:
        """The new value, or None where it is of another kind than the old one."""
        try:
            is_whole = all(evaluate(part.written(values)).value.q == 1 for part in self.quotients)
            value = evaluate(self.expression.written(values)).value
        except ExpressionError:
            return None
        return value if is_whole and self._suits(value) else None

    def _suits(self, value: Rational) -> bool:
        in_bounds = 0 < value <= self.most if self.value else value == 0
        same_unity = (value == 1) == (self.value == 1)  # "1 hour" but "2 hours"
        return in_bounds and same_unity and "/" not in number_text(value) and _decimals(value) <= _decimals(self.value)


def _decimals(value: Rational) -> int:
    return len(number_text(value).partition(".")[2])


@dataclass(frozen=True, slots=True)
class Plan:
    """A trace in which every number is known to be a quantity, a result, or to stay."""

    trace: Trace
    quantities: tuple[Quantity, ...]
    ordered: tuple[tuple[int, int], ...]  # quantities of which the first is to stay the smaller one
    equations: tuple[Equation, ...]
    question: Passage
    steps: tuple[tuple[Passage, Passage], ...]  # subquestion, solution
    operands: tuple[tuple[Origins, ...], ...]  # of each step

    def draw(self, rng: random.Random) -> Trace | None:
        """The trace with new numbers, or None where the tries ended before any suited."""
        everything = frozenset(range(len(self.quantities)))
        values, stale, old = dict[Ref, Rational](), everything, self.trace.problem.question
        for _ in range(TRIES):
            values |= {(Origin.PROBLEM, index): self.quantities[index].draw(rng) for index in sorted(stale)}
            stale = self._work(values)
            if not stale and (trace := self._written(values)) and trace.problem.question != old:
                return trace
            stale = stale or everything
        return None

    def _work(self, values: dict[Ref, Rational]) -> frozenset[int]:
        """Add the results to the values; return the quantities to draw again because something does not suit."""
        for small, large in self.ordered:
            if values[Origin.PROBLEM, small] >= values[Origin.PROBLEM, large]:
                return frozenset((small, large))
        for index, equation in enumerate(self.equations):
            result = equation.result(values)
            if result is None:
                return equation.feeds
            values[Origin.STEP, index] = result
        return frozenset()

    def _written(self, values: Values) -> Trace | None:
        """The trace with these values, or None where it does not read back as the structure that it was."""
        question = self.question.written(values)
        known, steps, count = Known.of(question), list[Step](), 0
        if [number.value for number in known.numbers] != [values[place.ref] for place in self.question.places]:
            return None
        for step, (asked, solved), operands in zip(self.trace.steps, self.steps, self.operands, strict=True):
            checks, known = check_solution(solution := solved.written(values), known)
            if origins(checks) != operands or any(check.verdict is not Verdict.CORRECT for check in checks):
                return None
            count += len(checks)
            answer = number_text(values[Origin.STEP, count - 1]) if checks and step.answer else step.answer
            steps.append(Step(asked.written(values), solution, answer, checks))
        last = number_text(known.results[-1])
        problem = replace(self.trace.problem, question=question, answer=self.trace.problem.answer and last)
        return replace(self.trace, problem=problem, steps=tuple(steps), answer=self.trace.answer and last)


def origins(checks: tuple[Check, ...]) -> tuple[Origins, ...]:
    """Where the operands of each equation come from."""
    return tuple(tuple((operand.origin, operand.index) for operand in check.operands) for check in checks)
