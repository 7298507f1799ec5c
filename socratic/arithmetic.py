"""Exact arithmetic on text that nobody trusts.

In: expressions and solutions written by students, teachers or people. Out: `Expression` (value as a sympy rational,
leaves with their places), `Check` (verdict and provenance of every operand), `Number` (a number in running text).
The grammar is digits `. , $ %`, `+ - * / ( )`, signs, and two words: `ceil( )` rounds up to a whole number, `floor( )`
down. It is bounded in length, digits, operators and nesting. Text never reaches `eval`, `sympify` or `parse_expr`, which
execute Python. Knows nothing of models or files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sympy import Rational

from socratic.errors import ExpressionError
from socratic.schema import Check, Operand, Origin, Trace, Verdict

MAX_CHARS = 256  # of an expression
MAX_DIGITS = 24  # of one number before its point and behind it, and of a result's numerator and denominator
MAX_DECIMALS = 6  # that a value is written with; beyond, and where decimals do not end, it is written as a fraction
MAX_OPERATORS = 48
MAX_NESTING = 16

# Units and calendars that problems take for granted; small multipliers count only where a word implies them.
UNIT_CONSTANTS = frozenset({1, 7, 12, 24, 30, 52, 60, 100, 365, 1000, 3600})
IMPLIED = {
    2: "half halves halve equal average middle weekend back twice double doubled doubles couple pair pairs both two "
    "rectangle rectangular other another",
    3: "third thirds triple tripled triples thrice triangle triangular three",
    4: "quarter quarters fourth fourths quadruple square season seasons four",
    5: "fifth fifths weekday weekdays monday friday fives nickel nickels five",
    6: "sixth sixths cube dice die six",
    8: "eighth eighths octopus octopuses eight",
    9: "ninth ninths",
    10: "tenth tenths tens dime dimes decade ten",
    16: "ounce ounces pound pounds",
    20: "score",
    36: "yard yards",
    180: "triangle triangles",
    25: "quarter quarters",
    50: "percent half",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One number of an expression: its text, value and place, `text[start:end]`, brackets of a quoted result included."""

    text: str
    value: Rational
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A readable expression: the text as given, its exact value, and its numbers from left to right."""

    text: str
    value: Rational
    leaves: tuple[Leaf, ...]


# What becomes of the value in brackets, by the word before them.
_BRACKETS: dict[str, Callable[[Rational], Rational]] = {
    "(": lambda value: value,
    "ceil(": lambda value: Rational(-(-value.p // value.q)),
    "floor(": lambda value: Rational(value.p // value.q),
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\$?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)%?)|(?P<symbol>[-+*/)]|(?:(?:ceil|floor)\s*)?\())\s*"
)


def evaluate(text: str, earlier: Sequence[Rational] = ()) -> Expression:
    """Read an expression and evaluate it exactly.

    >>> evaluate("2 * (3 + $1,000)").value
    2006

    An `earlier` result that is negative or has no decimal form is quoted in brackets, and that is one number:

    >>> [leaf.text for leaf in evaluate("(10/3)*6", earlier=[Rational(10, 3)]).leaves]
    ['10/3', '6']

    `ceil` and `floor` round what their brackets hold: buses of 6 for 46 people, and how many sit in the last one.

    >>> evaluate("ceil(46/6)").value, evaluate("46-6*floor(46/6)").value
    (8, 4)

    Raises ExpressionError when the text is outside the grammar or its bounds, or divides by zero.
    """
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"expression of {len(text)} characters, at most {MAX_CHARS} are read")
    parser = _Parser(text, {quoted: value for value in earlier if set("/-") & set(quoted := number_text(value))})
    value = parser.sum(depth=0)
    if parser.peek():
        raise ExpressionError(f"'{parser.peek()}' was not expected in '{text}'")
    if max(abs(value.p), value.q) >= 10**MAX_DIGITS:
        raise ExpressionError(f"the result has more than {MAX_DIGITS} digits")
    return Expression(text, value, tuple(parser.leaves))


class _Parser:
    """Recursive descent over one expression: sum → product → factor."""

    def __init__(self, text: str, quotable: Mapping[str, Rational]) -> None:
        self.text, self.quotable, self.leaves = text, quotable, list[Leaf]()
        self.tokens = list(_tokens(text))  # (text, start), last first
        if len(self.tokens) > 2 * MAX_OPERATORS:
            raise ExpressionError(f"expression of {len(self.tokens)} tokens, at most {2 * MAX_OPERATORS} are read")
        self.tokens.reverse()

    def peek(self) -> str:
        return self.tokens[-1][0] if self.tokens else ""

    def take(self) -> tuple[str, int]:
        if not self.tokens:
            raise ExpressionError(f"'{self.text}' ends where a number was expected")
        return self.tokens.pop()

    def sum(self, *, depth: int) -> Rational:
        value = self.product(depth=depth)
        while self.peek() in ("+", "-"):
            sign = 1 if self.take()[0] == "+" else -1
            value += sign * self.product(depth=depth)
        return value

    def product(self, *, depth: int) -> Rational:
        value = self.factor(depth=depth)
        while self.peek() in ("*", "/"):
            operator, right = self.take()[0], self.factor(depth=depth)
            if operator == "/" and right == 0:
                raise ExpressionError(f"'{self.text}' divides by zero")
            value = value * right if operator == "*" else value / right
        return value

    def factor(self, *, depth: int) -> Rational:
        if depth > MAX_NESTING:
            raise ExpressionError(f"'{self.text}' is nested deeper than {MAX_NESTING}")
        token, start = self.take()
        if token in ("-", "+"):
            return self.factor(depth=depth + 1) * (-1 if token == "-" else 1)
        if token in _BRACKETS:
            return self.bracket(token, start, depth=depth + 1)
        if token in ("*", "/", ")"):
            raise ExpressionError(f"'{token}' stands where a number was expected in '{self.text}'")
        self.leaves.append(Leaf(token, number_value(token), start, start + len(token)))
        return self.leaves[-1].value

    def bracket(self, opening: str, start: int, *, depth: int) -> Rational:
        """What stands between brackets, the first of which was just taken."""
        if opening == "(" and self.quoted(start):
            return self.leaves[-1].value
        value = self.sum(depth=depth)
        if self.take()[0] != ")":
            raise ExpressionError(f"a bracket of '{self.text}' is not closed")
        return _BRACKETS[opening](value)

    def quoted(self, start: int) -> bool:
        """Take an earlier result in brackets, the first of which was just taken, as one leaf; false where none is."""
        end = self.text.find(")", start) + 1
        inside = self.text[start + 1 : end - 1]
        if inside not in self.quotable:
            return False
        self.leaves.append(Leaf(inside, self.quotable[inside], start, end))
        while self.take()[0] != ")":
            pass
        return True


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise ExpressionError(
                f"'{text[place : place + 12]}' is not arithmetic; digits . , $ % + - * / ( ) ceil( floor( are read"
            )
        kind = match.lastgroup or ""
        yield "".join(match[kind].split()), match.start(kind)  # "ceil (" is "ceil("
        place = match.end()


def number_value(text: str) -> Rational:
    """The exact value of a written number: `$1,200`, `.5`, `20%` (one fifth), `3/4`, `-7`. Raises ExpressionError."""
    return _read_number(text)[0]


_WRITTEN = re.compile(
    r"(?P<sign>-\$?|\$-?|)(?P<whole>\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.(?P<decimals>\d+)|/(?P<below>\d+))?(?P<percent>%?)\.?",
    re.ASCII,
)


def _read_number(text: str) -> tuple[Rational, Rational]:
    """The value of a written number, and the value of one unit of its last digit (0 for a fraction, which is exact)."""
    match = _WRITTEN.fullmatch(text.strip())
    if not match:
        raise ExpressionError(f"'{text[:32]}' is not a number")
    whole, decimals, below = match["whole"].replace(",", ""), match["decimals"] or "", match["below"]
    if max(len(whole), len(decimals), len(below or "")) > MAX_DIGITS:
        raise ExpressionError(f"'{text[:32]}' has more than {MAX_DIGITS} digits")
    if below and int(below) == 0:
        raise ExpressionError(f"'{text[:32]}' divides by zero")
    scale = (int(below) if below else 10 ** len(decimals)) * (100 if match["percent"] else 1)
    value = Rational(int(whole + decimals), scale)
    return (-value if "-" in match["sign"] else value), Rational(0 if below else 1, scale)


def number_text(value: Rational) -> str:
    """Write a value so that it reads back exactly: `24`, `0.125`, and `10/3` where decimals do not end."""
    if value.q == 1:
        return str(value.p)
    if 10**MAX_DECIMALS % value.q:
        return f"{value.p}/{value.q}"
    places = next(places for places in range(1, MAX_DECIMALS + 1) if 10**places % value.q == 0)
    digits = str(abs(value.p) * 10**places // value.q).rjust(places + 1, "0")
    return ("-" if value.p < 0 else "") + f"{digits[:-places]}.{digits[-places:]}"


EQUATION = re.compile(r"<<(?P<expression>[^<>=]*)=(?P<stated>[^<>=]*)>>")  # GSM8K's calculator marks, `<<48/2=24>>`


def equations(solution: str) -> list[tuple[str, str]]:
    """The (expression, stated value) pairs of a solution's calculator marks, in order."""
    return EQUATION.findall(solution)


def verdict(computed: Rational, stated: str) -> Verdict:
    """Compare a recomputed value with the written one: exactly, then at the digits that are written."""
    try:
        value, unit = _read_number(stated)
    except ExpressionError:
        return Verdict.UNREADABLE
    if value == computed:
        return Verdict.CORRECT
    return Verdict.ROUNDED if abs(value - computed) * 2 <= unit else Verdict.WRONG


@dataclass(frozen=True, slots=True)
class Number:
    """A number in running text, `text[start:end]`; `percent` where a % sign or the word follows."""

    text: str
    value: Rational
    start: int
    end: int
    percent: bool = False


_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: i for i, word in enumerate(_ONES.split(), 1)} | {word: 10 * i for i, word in enumerate(_TENS.split(), 2)}
_SMALL = "|".join(sorted(_WORDS, key=len, reverse=True))
_COMPOUND = "(?:{0})(?:-(?:{1})|[ ](?:{1})(?!-))".format(
    _TENS.replace(" ", "|"), "|".join(_ONES.split()[:9])
)  # "fifty two-dollar bills"
_VULGAR = "\u00bc-\u00be\u2150-\u215e"  # fractions of one character: 3 and a half in two is no 3
_END = rf"(?![\d{_VULGAR}]|[.,]\d{{1,9}}(?:,\d{{3}}){{0,3}}[{_VULGAR}]|(?:st|nd|rd|th)\b)"  # bounded: a text is read once
_NUMBER = re.compile(
    rf"(?P<digits>(?<![\w.])(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?{_END}|(?<![\w.])\.\d+)"
    rf"|\b(?P<words>(?:{_COMPOUND}|{_SMALL})(?: hundred)?(?: thousand)?)\b",
    re.IGNORECASE | re.ASCII,
)
_PERCENT = re.compile(r" ?%| percent", re.IGNORECASE)


def find_numbers(text: str) -> tuple[Number, ...]:
    """The numbers of a text in order: digits and number words; "one" alone is no number ("one of them").

    >>> [n.text for n in find_numbers("She sold $1,200 of twenty-five cakes, one by one.")]
    ['1,200', 'twenty-five']
    """
    return tuple(number for match in _NUMBER.finditer(text) for number in _numbers_at(match))


def _numbers_at(match: re.Match[str]) -> Iterator[Number]:
    if match["digits"]:
        if len(match[0]) <= MAX_DIGITS:
            percent = bool(_PERCENT.match(match.string, match.end()))
            yield Number(match[0], number_value(match[0]), match.start(), match.end(), percent)
        return
    value = _words_value(match[0].lower())
    if value != 1:
        yield Number(match[0], Rational(value), match.start(), match.end())


def _words_value(words: str) -> int:
    """25 for "twenty-five", 300,000 for "three hundred thousand"."""
    parts = re.split(r"[- ]", words)
    scales = ({"hundred": 100, "thousand": 1000}.get(part, 1) for part in parts)
    return sum(_WORDS[part] for part in parts if part in _WORDS) * math.prod(scales)


@dataclass(frozen=True, slots=True)
class Known:
    """What an operand may come from: the question, its numbers, the results of the equations so far, and what these have used."""

    question: str
    numbers: tuple[Number, ...]
    results: tuple[Rational, ...] = ()
    used: frozenset[tuple[Origin, int]] = frozenset()

    @classmethod
    def of(cls, question: str) -> Known:
        """Everything that a question gives, before the first step."""
        return cls(question, find_numbers(question))

    def having(self, result: Rational) -> Known:
        """The same, after one more equation."""
        return replace(self, results=(*self.results, result))

    def using(self, operands: Iterable[Operand]) -> Known:
        """The same, once an equation has these operands."""
        return replace(self, used=self.used | {(o.origin, o.index) for o in operands if o.index is not None})


def candidates(value: Rational, known: Known) -> Iterator[tuple[Origin, int]]:
    """Where a value may come from: results, the latest first, then the problem's numbers in order.

    A percentage also offers its hundredth: 0.2 comes from "20%".
    """
    for index in range(len(known.results) - 1, -1, -1):
        if known.results[index] == value:
            yield Origin.STEP, index
    for index, number in enumerate(known.numbers):
        if number.value == value or (number.percent and number.value == value * 100):
            yield Origin.PROBLEM, index


def provenance(expression: Expression, known: Known) -> tuple[Operand, ...]:
    """Say for each operand where it comes from; among equals prefer what no equation has used yet.

    This is also the aligner that turns digits into the references students read (transcript).
    """
    taken = set(known.used)
    operands = []
    for leaf in expression.leaves:
        options = list(candidates(leaf.value, known))
        best = next((option for option in options if option not in taken), options[0] if options else None)
        if best:
            taken.add(best)
            operands.append(Operand(leaf.text, *best))
        else:
            operands.append(Operand(leaf.text, _constant(leaf.value, known.question)))
    return tuple(operands)


def _constant(value: Rational, question: str) -> Origin:
    is_known = value in UNIT_CONSTANTS or not implying(value).isdisjoint(re.findall(r"[a-z]+", question.lower()))
    return Origin.CONSTANT if is_known else Origin.NOWHERE


def implying(value: Rational) -> set[str]:
    """The words that imply a constant: "half" gives 2 as well as 0.5."""
    return {*IMPLIED.get(value, "").split(), *(IMPLIED.get(1 / value, "").split() if value else ())}


def check(expression: str, stated: str, known: Known) -> Check:
    """Recompute one equation and trace its operands. Never raises: what cannot be read is a verdict."""
    try:
        read = evaluate(expression, known.results)
    except ExpressionError:
        return Check(expression, stated, "", Verdict.UNREADABLE)
    return Check(expression, stated, number_text(read.value), verdict(read.value, stated), provenance(read, known))


def check_solution(solution: str, known: Known) -> tuple[tuple[Check, ...], Known]:
    """Check every equation of a solution in order; also what is known after it: the results as they were stated."""
    checks = []
    for expression, stated in equations(solution):
        checks.append(check(expression, stated, known))
        known = known.using(checks[-1].operands)
        if checks[-1].computed:
            known = known.having(result(stated, number_value(checks[-1].computed)))
    return tuple(checks), known


def known_after(trace: Trace) -> Known:
    """What its question and its steps so far give."""
    known = Known.of(trace.problem.question)
    for step in trace.steps:
        _, known = check_solution(step.solution, known)
    return known


def result(stated: str, computed: Rational) -> Rational:
    """What later equations build on: the stated value, right or wrong; the recomputed one where none can be read."""
    try:
        return number_value(stated)
    except ExpressionError:
        return computed


def calculate(expression: str) -> str:
    """The calculator: the exact result as text. Raises ExpressionError."""
    return number_text(evaluate(expression).value)
