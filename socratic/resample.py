"""Which number of a worked problem is which? Where that is certain, the problem can be had with other numbers.

In: a `Trace`. Out: a `Plan` that says of each number whether it is a quantity of the question, a result, or stays (`redraw`
draws by it), or a `Refusal`, where it is not certain. A number that no equation uses is kept, for nothing would show that
another one makes sense; so are constants, years, clock times and fractions, and what might be one of them. Knows nothing
of benchmarks, files or how students read a trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import combinations
from typing import Final

from sympy import Rational

from socratic import wording
from socratic.arithmetic import (
    EQUATION,
    Known,
    Leaf,
    Number,
    candidates,
    check_solution,
    evaluate,
    find_numbers,
    number_text,
    number_value,
)
from socratic.errors import ExpressionError
from socratic.redraw import Equation, Origins, Passage, Place, Plan, Quantity, Ref, origins
from socratic.schema import Origin, Step, Trace, Verdict

GROWTH: Final = 10  # no result is larger than so many times the largest number of the original


class Refusal(StrEnum):
    """Why a trace keeps its numbers."""

    EQUATION = "no equation, or one that is not exactly right, or a negative or endless result"
    ANSWER = "an answer that is not the last result"
    AMBIGUOUS = "an operand with two possible origins"
    NOWHERE = "an operand without an origin"
    MENTION = "a sentence that names a number of no certain origin"
    UNUSED = "a number that no equation uses, but that is a bound or the sum of others"
    CHOICE = "a comparison that other numbers may turn round"
    KEPT = "no number that may change"


def align(trace: Trace) -> Plan | Refusal:
    """Find out what each number of a trace stands for, or why that is not certain."""
    try:
        return _Aligner(trace).plan()
    except _Unfit as unfit:
        return unfit.reason


class _Unfit(Exception):
    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


_UNMARKED = re.compile(r"[\d%)]\s*=\s*\$?[\d.]")  # "40/2 = 20" without calculator marks, which nobody would check
_REPEATED = re.compile(r"^[\s$]*[\d.,]*")
_AFTER_MARK = re.compile(r"[\s$]*")
_WORDS = re.compile(r"[a-z]+|%")
_STRAY = re.compile(r"\d(?!\d*(?:st|nd|rd|th)\b)")  # a digit outside of all numbers, "3x5", that is no ordinal
_Stands = tuple[Ref, bool] | None  # what a number stands for, and whether for a hundredth of it; None: it stays


class _Notes:
    """What the numbers of one text stand for: by their place, where an equation beside them shows it, or by their value."""

    def __init__(self, numbers: Sequence[Number]) -> None:
        self.numbers, self.by_place, self.by_value = numbers, dict[int, _Stands](), dict[Rational, set[_Stands]]()

    def working(self, end: int, leaves: Sequence[Leaf], stands: Sequence[_Stands]) -> None:
        """An equation that begins at `end`; GSM8K writes its expression twice, "48/2 = <<48/2=24>>"."""
        for leaf, found in zip(leaves, stands, strict=True):
            self.by_value.setdefault(leaf.value, set()).add(found)
        before = [number for number in self.numbers if number.end <= end][-len(leaves) :]
        if [number.value for number in before] == [leaf.value for leaf in leaves]:
            self.by_place.update(zip((number.start for number in before), stands, strict=True))

    def result(self, after: re.Match[str] | None, value: Rational, stands: _Stands) -> None:
        """A result, repeated right after its mark: "=24>>24"."""
        start = after.end() if after else -1
        self.by_place.update((n.start, stands) for n in self.numbers if n.start == start and n.value == value)


class _Aligner:
    """Goes once through a trace and notes what each number stands for."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.known = trace, Known.of(trace.problem.question)
        self.values = list(dict.fromkeys(number.value for number in self.known.numbers))  # of the quantities
        self.uses, self.kept = Counter[Ref](), set[Ref]()
        self.stands = list[Ref]()  # for each equation: itself, or the one before it that is the same
        self.seen = dict[str, Ref]()  # equations, with references in place of numbers
        self.equations, self.operands = list[Equation](), list[tuple[Origins, ...]]()
        texts = [trace.problem.question, *(f"{step.question} {_blanked(step.solution)}" for step in trace.steps)]
        self.words = frozenset(_WORDS.findall(_without_numbers(" ".join(texts)).lower()))

    def plan(self) -> Plan:
        """Raises _Unfit."""
        steps = tuple((self._subquestion(step.question), self._solution(step)) for step in self.trace.steps)
        if not self.equations:
            raise _Unfit(Refusal.EQUATION)
        if self.words & wording.COMPARING:
            raise _Unfit(Refusal.CHOICE)
        if not all(_is(answer, self.known.results[-1]) for answer in (self.trace.answer, self.trace.problem.answer) if answer):
            raise _Unfit(Refusal.ANSWER)
        quantities = tuple(self._quantity(index) for index in range(len(self.values)))
        if not any(quantity.grid for quantity in quantities):
            raise _Unfit(Refusal.KEPT)
        numbers = self.known.numbers
        places = tuple(Place(n.start, n.end, (Origin.PROBLEM, self.values.index(n.value))) for n in numbers)
        question = Passage(self.trace.problem.question, places)
        ordered = tuple(self._ordered(quantities))
        return Plan(self.trace, quantities, ordered, tuple(self.equations), question, steps, tuple(self.operands))

    # What the numbers of a step stand for

    def _subquestion(self, text: str) -> Passage:
        return Passage(text, tuple(self._mentions(_Notes(find_numbers(text)), text)))

    def _solution(self, step: Step) -> Passage:
        """The places of a solution: operands and results of its equations, and what its sentences mention of them."""
        checks, known = check_solution(step.solution, self.known)
        if any(check.verdict is not Verdict.CORRECT for check in checks):
            raise _Unfit(Refusal.EQUATION)
        if _UNMARKED.search(EQUATION.sub("<>", step.solution)):
            raise _Unfit(Refusal.MENTION)
        if step.answer and not (_is(step.answer, known.results[-1]) if checks else not find_numbers(step.answer)):
            raise _Unfit(Refusal.ANSWER)
        self.operands.append(origins(checks))
        sentences = _blanked(step.solution)
        notes, places = _Notes(find_numbers(sentences)), list[Place]()
        for match in EQUATION.finditer(step.solution):
            places += self._equation(match, notes)
        places += self._mentions(notes, sentences)
        self.known = known  # and what these equations have used
        return Passage(step.solution, tuple(sorted(places, key=lambda place: place.start)))

    def _equation(self, match: re.Match[str], notes: _Notes) -> Iterator[Place]:
        """The places of one equation; takes it up, and notes what its numbers stand for."""
        leaves, value, ref = evaluate(match[1], self.known.results).leaves, number_value(match[2]), self._next
        if value < 0 or "/" in number_text(value):
            raise _Unfit(Refusal.EQUATION)
        stands = [self._operand(leaf, match[1]) for leaf in leaves]
        places = tuple(Place(leaf.start, leaf.end, *found) for leaf, found in zip(leaves, stands, strict=True) if found)
        notes.working(match.start(), leaves, stands)
        self._take(Passage(match[1], places), value, _REPEATED.sub("", match.string[match.end() :]))
        notes.result(_AFTER_MARK.match(match.string, match.end()), value, (ref, False))
        notes.by_value.setdefault(value, set()).add((self.stands[-1], False))
        yield from (replace(place, start=place.start + match.start(1), end=place.end + match.start(1)) for place in places)
        yield Place(match.start(2), match.end(2), ref)

    @property
    def _next(self) -> Ref:
        return Origin.STEP, len(self.equations)

    def _operand(self, leaf: Leaf, expression: str) -> _Stands:
        """What an operand stands for. Where it might be several things, it is the result that nothing used before."""
        if leaf.value in (0, 1):
            return None  # and what is 1 stays 1, wherever it comes from
        options = self._options(leaf.value)
        is_constant = wording.is_constant(leaf.value, self.words) or bool(_ONE_OVER.search(expression[: leaf.start]))
        if not options and not is_constant:
            raise _Unfit(Refusal.NOWHERE)
        from_steps = {option for option in options if option[0][0] is Origin.STEP}
        if len(options) > 1 or (is_constant and from_steps):
            options = {option for option in options if not self.uses[option[0]]}
            if len(options) != 1 or not options <= from_steps:
                raise _Unfit(Refusal.AMBIGUOUS)
        found = next(iter(options), None)
        if found:
            self.uses[found[0]] += 1
            self.kept |= {found[0]} if is_constant else set()
        return found

    def _options(self, value: Rational) -> set[tuple[Ref, bool]]:
        """What may be meant by a value; results that come from the same equation are one."""
        options = set[tuple[Ref, bool]]()
        for origin, index in candidates(value, self.known):
            given = value if origin is Origin.STEP else self.known.numbers[index].value
            ref = self.stands[index] if origin is Origin.STEP else (Origin.PROBLEM, self.values.index(given))
            options.add((ref, given != value))
        return options

    def _take(self, expression: Passage, value: Rational, after: str) -> None:
        """Take an equation up: from here on its result may be an operand."""
        whole = expression.places[0] if expression.places else None
        is_copy = whole and not whole.hundredth and expression.text.strip() == expression.text[whole.start : whole.end]
        same = self.seen.setdefault(_signature(expression), self._next)
        most = min(GROWTH * max([*self.values, value]), wording.most(value, after))
        feeds = frozenset[int]().union(*(self._feeds(place.ref) for place in expression.places))
        self.stands.append(whole.ref if whole and is_copy else same)
        self.equations.append(Equation(expression, value, most, tuple(_quotients(expression)), feeds))
        self.known = self.known.having(value)

    def _feeds(self, ref: Ref) -> frozenset[int]:
        return frozenset((ref[1],)) if ref[0] is Origin.PROBLEM else self.equations[ref[1]].feeds

    def _mentions(self, notes: _Notes, text: str) -> Iterator[Place]:
        """The numbers of sentences; what the equations beside them show goes before what their values suggest."""
        if _STRAY.search(_without_numbers(text)):
            raise _Unfit(Refusal.MENTION)
        for number in notes.numbers:
            stands = notes.by_place[number.start] if number.start in notes.by_place else self._meant(number, notes)
            if stands:
                yield Place(number.start, number.end, *stands)

    def _meant(self, number: Number, notes: _Notes) -> _Stands:
        if number.value in (0, 1):
            return None
        options = notes.by_value.get(number.value) or self._options(number.value)
        if len(options) > 1 or not (options or wording.is_constant(number.value, self.words)):
            raise _Unfit(Refusal.MENTION)
        return next(iter(options), None)

    # What the quantities may become

    def _quantity(self, index: int) -> Quantity:
        ref, value, text = (Origin.PROBLEM, index), self.values[index], self.trace.problem.question
        numbers = [number for number in self.known.numbers if number.value == value]
        if not self.uses[ref] and (self._is_sum(value) or any(wording.is_bound(n, text) for n in numbers)):
            raise _Unfit(Refusal.UNUSED)
        is_reused = value <= 3 and self.uses[ref] > len(numbers)  # one use may be a small constant
        if ref in self.kept or not self.uses[ref] or is_reused or any(wording.is_fixed(n, text) for n in numbers):
            return Quantity(value)
        percent = any(number.percent for number in numbers)
        most = min(
            Rational(100) if percent and value <= 100 else 3 * value, *(wording.most(value, text[n.end :]) for n in numbers)
        )
        articles = [has_an for n in numbers if (has_an := wording.follows_an(n, text)) is not None]
        return Quantity.of(value, most, percent, articles)

    def _is_sum(self, value: Rational) -> bool:
        """Whether it is a result, or the sum of numbers that may change: "18 items: 6 hats, 4 pens, 8 cups"."""
        used = [given for index, given in enumerate(self.values) if self.uses[Origin.PROBLEM, index]]
        sums = (sum(some) for size in range(2, min(len(used), 8) + 1) for some in combinations(used, size))
        return value in self.known.results or value in sums

    def _ordered(self, quantities: tuple[Quantity, ...]) -> Iterator[tuple[int, int]]:
        """Pairs of quantities of the same thing: of 5 tests she passed 3, never 7."""
        text = self.trace.problem.question
        things = [(self.values.index(n.value), wording.thing(text[n.end :])) for n in self.known.numbers]
        for small, thing in things:
            for large, other in things:
                may_change = quantities[small].grid or quantities[large].grid
                if thing and thing == other and self.values[small] < self.values[large] and may_change:
                    yield small, large


def _is(answer: str, value: Rational) -> bool:
    try:
        return bool(number_value(answer) == value)
    except ExpressionError:
        return False


def _blanked(solution: str) -> str:
    """The sentences of a solution, every character at its place."""
    return EQUATION.sub(lambda match: " " * len(match[0]), solution)


def _without_numbers(text: str) -> str:
    for number in reversed(find_numbers(text)):
        text = f"{text[: number.start]} {text[number.end :]}"
    return text


def _signature(expression: Passage) -> str:
    text, end = "", 0
    for place in expression.places:
        text += f"{expression.text[end : place.start]}<{place.ref} {place.hundredth}>"
        end = place.end
    return "".join((text + expression.text[end:]).split())


_ONE_OVER = re.compile(r"(?<![\d.])1/$")  # 1/2, 1/3
_QUOTIENT = re.compile(r"(?<![\d.*/])[\d.]+/[\d.]+(?![\d.%])")


def _quotients(expression: Passage) -> Iterator[Passage]:
    """Parts "a/b" that are whole: half of 17 apples is nothing to count on with, though times 2 it is."""
    for match in _QUOTIENT.finditer(expression.text):
        if evaluate(match[0]).value.q == 1:
            inside = [place for place in expression.places if match.start() <= place.start and place.end <= match.end()]
            moved = (replace(place, start=place.start - match.start(), end=place.end - match.start()) for place in inside)
            yield Passage(match[0], tuple(moved))
