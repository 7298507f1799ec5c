"""Properties of the arithmetic: exact, bounded, deaf to everything that is not arithmetic, and honest about origins.

In: expressions drawn by hypothesis, tables of cases, and the package's own source. Out: pass or fail.
"""

from __future__ import annotations

import ast
import doctest
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy import Rational

import socratic
from socratic import arithmetic
from socratic.arithmetic import (
    MAX_CHARS,
    MAX_DIGITS,
    MAX_NESTING,
    Known,
    calculate,
    candidates,
    check,
    check_solution,
    equations,
    evaluate,
    find_numbers,
    number_text,
    number_value,
    provenance,
    verdict,
)
from socratic.errors import ExpressionError
from socratic.schema import Badge, Check, Operand, Origin, Verdict, badge

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
LARGEST = 10**MAX_DIGITS - 1


# Expressions with their value by another implementation, `fractions`.


@dataclass(frozen=True)
class Written:
    """Text, value (None where it divides by zero), how tightly it holds together (3: an atom), and its nesting."""

    text: str
    value: Fraction | None
    rank: int
    depth: int


def number(whole: int, decimals: str, dress: str) -> Written:
    text = dress.format(f"{whole:,}" if "$" in dress else f"{whole}", f".{decimals}" if decimals else "")
    value = Fraction(f"{whole}.{decimals or 0}")
    return Written(text, value / 100 if "%" in dress else value, 3, 0)


def bracket(inner: Written) -> Written:
    return Written(f"({inner.text})", inner.value, 3, inner.depth + 1)


def negative(inner: Written) -> Written:
    atom = inner if inner.rank == 3 else bracket(inner)
    return Written(f"-{atom.text}", None if atom.value is None else -atom.value, 3, atom.depth + 1)


def join(operator: str, left: Written, right: Written, space: str) -> Written:
    rank = 1 if operator in "+-" else 2
    left = left if left.rank >= rank else bracket(left)
    right = right if right.rank > rank else bracket(right)
    text = f"{left.text}{space}{operator}{space}{right.text}"
    return Written(text, combine(operator, left.value, right.value), rank, max(left.depth, right.depth))


def rounded(word: str, space: str, inner: Written) -> Written:
    round_ = {"ceil": math.ceil, "floor": math.floor}[word]
    value = None if inner.value is None else Fraction(round_(inner.value))
    return Written(f"{word}{space}({inner.text})", value, 3, inner.depth + 1)


def combine(operator: str, left: Fraction | None, right: Fraction | None) -> Fraction | None:
    if left is None or right is None or (operator == "/" and right == 0):
        return None
    return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[operator](right)


NUMBERS = st.builds(
    number,
    st.integers(0, 20) | st.integers(0, 10**7),
    st.text(alphabet="0123456789", max_size=3),
    st.sampled_from(["{}{}", "{}{}", "${}{}", "{}{}%"]),
)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.builds(join, st.sampled_from("+-*/"), inner, inner, st.sampled_from(["", " "]))
        | st.builds(bracket, inner)
        | st.builds(negative, inner)
        | st.builds(rounded, st.sampled_from(["ceil", "floor"]), st.sampled_from(["", " "]), inner)
    ),
    max_leaves=14,
)


def fits(written: Written) -> bool:
    """Whether an expression is inside the bounds and has a value."""
    value = written.value
    is_small = value is not None and abs(value.numerator) <= LARGEST and value.denominator <= LARGEST
    return is_small and len(written.text) <= MAX_CHARS and written.depth <= MAX_NESTING


@CALM
@given(EXPRESSIONS)
def test_values_are_those_of_fractions_or_the_expression_is_refused(written: Written) -> None:
    if not fits(written):
        with pytest.raises(ExpressionError):
            evaluate(written.text)
        return
    read = evaluate(written.text)
    assert Fraction(int(read.value.p), int(read.value.q)) == written.value
    assert [written.text[leaf.start : leaf.end] for leaf in read.leaves] == [leaf.text for leaf in read.leaves]
    assert all(leaf.value == number_value(leaf.text) for leaf in read.leaves)


@CALM
@given(st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**9) | st.integers(-9, 9).map(Fraction))
def test_rounding_is_that_of_fractions(value: Fraction) -> None:
    above, below = value.numerator, value.denominator
    assert evaluate(f"ceil({above}/{below})").value == math.ceil(value)
    assert evaluate(f"floor({above}/{below})").value == math.floor(value)
    assert evaluate(f"{above}-{below}*floor({above}/{below})").value == above % below


def test_rounding_nests_as_deep_as_brackets_do() -> None:
    assert evaluate("ceil(" * MAX_NESTING + "1/2" + ")" * MAX_NESTING).value == 1
    with pytest.raises(ExpressionError, match="nested deeper"):
        evaluate("ceil(" * (MAX_NESTING + 1) + "1/2" + ")" * (MAX_NESTING + 1))


@CALM
@given(EXPRESSIONS, st.lists(st.fractions(max_denominator=40), max_size=3), st.booleans())
def test_quoting_earlier_results_changes_no_value(written: Written, earlier: list[Fraction], is_bracketed: bool) -> None:
    results = [Rational(value.numerator, value.denominator) for value in earlier]
    quoted = "".join(f"+({number_text(value)})" for value in results) if is_bracketed else ""
    text = written.text + quoted
    try:
        plain = evaluate(text)
    except ExpressionError:
        return
    read = evaluate(text, results)
    assert read.value == plain.value
    others = [leaf for leaf in read.leaves if text[leaf.start] != "("]
    assert set(others) <= set(plain.leaves)
    for leaf in set(read.leaves) - set(others):
        assert text[leaf.start : leaf.end] == f"({leaf.text})"
        assert leaf.value in results and number_text(leaf.value) == leaf.text


@pytest.mark.parametrize(
    ("text", "earlier", "leaves"),
    [
        ("(10/3)*6", ["10/3"], ["10/3", "6"]),
        ("(10/3)*6", [], ["10", "3", "6"]),
        ("(10/3)*6", ["20/3"], ["10", "3", "6"]),
        ("10/3*6", ["10/3"], ["10", "3", "6"]),  # without brackets it is a division
        ("(20/6)*6", ["10/3"], ["20", "6", "6"]),  # results are written in lowest terms
        ("(10/4)*6", ["2.5"], ["10", "4", "6"]),  # 2.5 is quoted as 2.5
        ("(10/3+1)*6", ["10/3"], ["10", "3", "1", "6"]),
        ("6-(-10/3)", ["-10/3"], ["6", "-10/3"]),
        ("((10/3))-(1/7)", ["10/3", "1/7"], ["10/3", "1/7"]),
        ("ceil(10/3)", ["10/3"], ["10", "3"]),  # the brackets are the word's
        ("ceil((10/3))*6", ["10/3"], ["10/3", "6"]),
        ("(10/3", ["10/3"], None),
        ("(10/3)(10/3)", ["10/3"], None),
    ],
)
def test_an_earlier_fraction_in_brackets_is_one_number(text: str, earlier: list[str], leaves: list[str] | None) -> None:
    results = [number_value(value) for value in earlier]
    if leaves is None:
        with pytest.raises(ExpressionError):
            evaluate(text, results)
    else:
        assert [leaf.text for leaf in evaluate(text, results).leaves] == leaves


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__base__.__subclasses__()",
    "exec('1')",
    "open('/etc/passwd')",
    "lambda: 1",
    "9**9**9",
    "2**100",
    "10//3",
    "5!",
    "1e999",
    "1e5",
    "0x10",
    "1_000",
    "1j",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "pi",
    "x",
    "3 if 1 else 2",
    "1;2",
    "1==1",
    "[1]",
    "(1, 2)",
    "",
    " ",
    "()",
    "(",
    ")",
    "1)",
    "(1",
    "2(3)",
    "(2)(3)",
    "2 3",
    "1/0",
    "1/(2-2)",
    "0/0",
    "5/0%",
    "1+",
    "*1",
    "1*/2",
    "1,,2",
    "1,2,3",
    "1,0000",
    ",5",
    "5,",
    "1.2.3",
    "..5",
    ".",
    "$",
    "%",
    "$$5",
    "5$",
    "5%%",
    "5%3",
    "\uff11\uff12",  # fullwidth digits
    "\u0661+\u0661",  # Arabic digits
    "\u2460",  # a digit in a circle
    "3\u22121",  # the minus sign of typographers
    "2\u00d73",
    "6\u00f72",
    "\u00bd",
    "1\x00",
    "\x00",
    "1\u200b2",
    "\ud800",
    "9" * 25,
    "9" * 200,
    "9" * 1_000_000,
    "." + "1" * 25,
    "(" * 10_000 + "1" + ")" * 10_000,
    "(" * 17 + "1" + ")" * 17,
    "-" * 18 + "1",
    "1" + "+1" * 100,
    "*".join(["9" * 24] * 10),
    "/".join(["1", "7" * 24, "9" * 24]),
    "1/" * 120 + "3",
    " " * 1_000_000,
    "ceil",
    "floor",
    "ceil 4",
    "ceil4",
    "ceil(4",
    "ceil()",
    "ceil(4))",
    "ceil)4(",
    "ceil((4)",
    "floorceil(3)",
    "ceil floor(3)",
    "Ceil(3)",
    "FLOOR(3)",
    "c eil(3)",
    "ceil[3]",
    "ceil.real(3)",
    "ceil(1,2)",
    "ceil(1, 2)",
    "ceil(1/0)",
    "1/floor(1/2)",
    "2ceil(3)",
    "ceil(3)2",
    "ceil(3)floor(3)",
    "$ceil(3)",
    "ceil(3)%",
    "-ceil",
    "math.ceil(3)",
    "round(3)",
    "max(3)",
    "ceil(x)",
    "ceil(__import__('os'))",
    "ceil(9**9)",
    "\uff43eil(3)",  # a fullwidth letter
    "ceil\uff083)",
    "ceil(" * 50,
    "ceil(" * 17 + "1" + ")" * 17,
    "ceil(" * 100_000 + "1" + ")" * 100_000,
    "floor" + " " * 250,
    "ceil " * 51,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:24]!r}x{len(text)}")
def test_a_hostile_expression_is_refused_in_under_ten_milliseconds(text: str) -> None:
    def refused() -> float:
        start = time.perf_counter()
        with pytest.raises(ExpressionError) as caught:
            evaluate(text)
        assert len(str(caught.value)) < 2 * MAX_CHARS
        return time.perf_counter() - start

    assert min(refused() for _ in range(3)) < 0.010
    assert check(text, "1", Known.of("")) == Check(text, "1", "", Verdict.UNREADABLE)


@pytest.mark.parametrize("text", [*HOSTILE, *"1+1 (5) --5 +5 3/4/5 5/ /5 5.% - 5.. 1/0% $".split(), "- 5", "5 5", "3 1/2"])
def test_a_number_is_one_number_and_nothing_odd(text: str) -> None:
    with pytest.raises(ExpressionError):
        number_value(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24", (24, 1)),
        ("0", (0, 1)),
        ("007", (7, 1)),
        ("$1,200", (1200, 1)),
        ("1,234,567.5", (2469135, 2)),
        (".5", (1, 2)),
        ("5.", (5, 1)),
        ("-7", (-7, 1)),
        ("-$7", (-7, 1)),
        ("$-7", (-7, 1)),
        ("-.5", (-1, 2)),
        ("20%", (1, 5)),
        ("12.5%", (1, 8)),
        ("3/4", (3, 4)),
        ("-6/4", (-3, 2)),
        (" 24\n", (24, 1)),
        ("9" * 24, (LARGEST, 1)),
    ],
)
def test_a_written_number_has_its_exact_value(text: str, value: tuple[int, int]) -> None:
    assert number_value(text) == Rational(*value)


SIZES = st.integers(-LARGEST, LARGEST) | st.integers(-2000, 2000)
BELOWS = st.integers(1, LARGEST) | st.sampled_from([2**i * 5**j for i in range(20) for j in range(20)])


@CALM
@given(SIZES, BELOWS)
def test_a_written_value_reads_back_exactly(above: int, below: int) -> None:
    value = Rational(above, below)
    assert number_value(number_text(value)) == value


@pytest.mark.parametrize(
    ("above", "below", "text"),
    [
        (0, 1, "0"),
        (24, 1, "24"),
        (-24, 1, "-24"),
        (1, 8, "0.125"),
        (-1, 8, "-0.125"),
        (1, 20, "0.05"),
        (5, 2, "2.5"),
        (10, 3, "10/3"),
        (-10, 3, "-10/3"),
        (1, 10**6, "0.000001"),
        (1, 2**6, "0.015625"),
        (1, 2**7, "1/128"),  # seven decimals are no longer read by people
        (1, 10**7, "1/10000000"),
        (1, 2**10_000, f"1/{2**10_000}"),
    ],
)
def test_a_value_is_written_as_people_write_it(above: int, below: int, text: str) -> None:
    assert number_text(Rational(above, below)) == text


def test_the_calculator_gives_the_exact_result_as_text() -> None:
    assert [calculate(text) for text in ("48/2", "10/4", "10/3", "5-8", "20%*50")] == ["24", "2.5", "10/3", "-3", "10"]
    assert [calculate(text) for text in ("ceil(46/6)", "floor(50/8)", "50-8*floor(50/8)", "-floor(-1/2)")] == ["8", "6", "2", "1"]


@pytest.mark.parametrize(
    ("expression", "stated", "found"),
    [
        ("48/2", "24", Verdict.CORRECT),
        ("48/2", "24.0", Verdict.CORRECT),
        ("48/2", "$24", Verdict.CORRECT),
        ("48/2", "25", Verdict.WRONG),
        ("48/2", "-24", Verdict.WRONG),
        ("600*2", "1,200", Verdict.CORRECT),
        ("10/3", "10/3", Verdict.CORRECT),
        ("10/3", "20/6", Verdict.CORRECT),
        ("10/3", "3.33", Verdict.ROUNDED),
        ("10/3", "$3.33", Verdict.ROUNDED),
        ("10/3", " 3.33 ", Verdict.ROUNDED),
        ("10/3", "3.33.", Verdict.ROUNDED),
        ("10/3", "3.3333", Verdict.ROUNDED),
        ("10/3", "3", Verdict.ROUNDED),
        ("10/3", "3.34", Verdict.WRONG),
        ("10/3", "3.32", Verdict.WRONG),
        ("10/3", "3.30", Verdict.WRONG),
        ("10/3", "4", Verdict.WRONG),
        ("9/10", "1/2", Verdict.WRONG),  # a fraction is written exactly
        ("2/3", "67%", Verdict.ROUNDED),
        ("2/3", "66.7%", Verdict.ROUNDED),
        ("2/3", "66%", Verdict.WRONG),
        ("2/3", "67", Verdict.WRONG),
        ("1/2", "50%", Verdict.CORRECT),
        ("5/2", "2", Verdict.ROUNDED),  # both ways from the middle
        ("5/2", "3", Verdict.ROUNDED),
        ("ceil(46/6)", "8", Verdict.CORRECT),
        ("ceil(48/6)", "8", Verdict.CORRECT),
        ("ceil(46/6)", "7", Verdict.WRONG),
        ("ceil(46/6)", "7.67", Verdict.WRONG),
        ("floor(46/6)", "8", Verdict.WRONG),
        ("ceil 46/6", "8", Verdict.UNREADABLE),
        ("48/2", "", Verdict.UNREADABLE),
        ("48/2", "many", Verdict.UNREADABLE),
        ("48/2", "24 clips", Verdict.UNREADABLE),
        ("48/2", "1/0", Verdict.UNREADABLE),
        ("48/2", "9" * 25, Verdict.UNREADABLE),
        ("48//2", "24", Verdict.UNREADABLE),
    ],
)
def test_verdicts_are_those_of_the_table(expression: str, stated: str, found: Verdict) -> None:
    assert check(expression, stated, Known.of("")).verdict is found


@CALM
@given(SIZES, st.integers(1, 500), st.integers(0, 6))
def test_a_value_rounded_to_any_place_is_rounded_and_one_more_unit_is_wrong(above: int, below: int, places: int) -> None:
    value = Rational(above % 10**9, below)
    unit = Rational(1, 10**places)
    near = round(Fraction(int(value.p), int(value.q)), places)

    def fixed(shown: Fraction) -> str:
        digits = str(int(shown * 10**places)).rjust(places + 1, "0")
        return f"{digits[:-places]}.{digits[-places:]}" if places else digits

    assert verdict(value, fixed(near)) in (Verdict.CORRECT, Verdict.ROUNDED)
    assert verdict(value, fixed(near + 2 * Fraction(1, 10**places))) is Verdict.WRONG
    assert verdict(value + 2 * unit, fixed(near)) is Verdict.WRONG


def found(text: str) -> list[str]:
    return [n.text for n in find_numbers(text)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("She paid $1,200.50 for 3 bikes.", ["1,200.50", "3"]),
        ("One twenty-dollar bill, two five-dollar bills, four two-liter bottles", ["twenty", "two", "five", "four", "two"]),
        ("Fifty two-dollar tickets and fifty two coins, twenty-five of them old", ["Fifty", "two", "fifty two", "twenty-five"]),
        ("a .5 share", [".5"]),
        ("it costs $.50", [".50"]),
        ("20% of 20 percent", ["20", "20"]),
        ("twenty-five, Twenty five and FORTY", ["twenty-five", "Twenty five", "FORTY"]),
        ("three hundred, two thousand", ["three hundred", "two thousand"]),
        ("five hundred thousand people, 3\u00bd, 1,000\u00bd or 3.5\u00bd cups each", ["five hundred thousand"]),
        ("one of them, one by one", []),
        ("twenty-one and one hundred", ["twenty-one", "one hundred"]),
        ("the 2nd, 1st, 3rd, 22nd and 10th day", []),
        ("at 9:30 on 12/25/2020", ["9", "30", "12", "25", "2020"]),
        ("3/4 of a pizza", ["3", "4"]),
        ("He is 5.", ["5"]),
        ("5 - 3, 5-3, -3", ["5", "3", "5", "3", "3"]),
        ("a 20-foot rope, size A4, MP3, v1.2", ["20"]),
        ("1,2345 and 1,234", ["1", "2345", "1,234"]),
        ("often, tone, fortytwo, someone", []),
        ("\uff15 apples and \u0665 pears", []),
        ("9" * 25, []),
        ("9" * 24, ["9" * 24]),
        ("", []),
    ],
)
def test_numbers_are_found_as_the_table_says(text: str, numbers: list[str]) -> None:
    assert found(text) == numbers


@CALM
@given(st.text(alphabet="0123456789.,$% -twenyfivohudr\u2028\uff15", max_size=40) | st.text())
def test_found_numbers_lie_in_the_text_in_order_with_their_values(text: str) -> None:
    numbers = find_numbers(text)
    assert [text[n.start : n.end] for n in numbers] == [n.text for n in numbers]
    assert all(before.end <= after.start for before, after in pairwise(numbers))
    assert all(n.value == number_value(n.text) for n in numbers if not n.text[0].isalpha())


def test_a_number_is_a_percentage_where_the_sign_or_the_word_follows() -> None:
    assert [n.percent for n in find_numbers("20%, 20 %, 20 percent, 20 Percent, 20, 20 people")] == [True] * 4 + [False] * 2


def origins(expression: str, known: Known) -> list[tuple[Origin, int | None]]:
    return [(o.origin, o.index) for o in provenance(evaluate(expression, known.results), known)]


P, S, C, N = Origin.PROBLEM, Origin.STEP, Origin.CONSTANT, Origin.NOWHERE
BIKES = Known.of("Tom sold 48 clips in May, half as many in June and 20% of 5 boxes of 48 clips each week.")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("48/2", [(P, 0), (C, None)]),  # "half" implies 2
        ("48+48", [(P, 0), (P, 3)]),  # among equals what is not used yet
        ("48+48+48", [(P, 0), (P, 3), (P, 0)]),
        ("5*20%", [(P, 2), (P, 1)]),
        ("5*0.2", [(P, 2), (P, 1)]),  # the hundredth of a percentage
        ("5*20/100", [(P, 2), (P, 1), (C, None)]),
        ("5*0.05", [(P, 2), (N, None)]),  # 5 is no percentage
        ("48*7", [(P, 0), (C, None)]),  # days of a week
        ("48*13", [(P, 0), (N, None)]),
        ("48*3", [(P, 0), (N, None)]),  # nothing implies 3
        ("-48", [(P, 0)]),
        ("ceil(48/5)", [(P, 0), (P, 2)]),
        ("48-5*floor(48/5)", [(P, 0), (P, 2), (P, 3), (P, 2)]),
        ("ceil(48/13)", [(P, 0), (N, None)]),
    ],
)
def test_operands_come_from_where_the_table_says(expression: str, expected: list[tuple[Origin, int | None]]) -> None:
    assert origins(expression, BIKES) == expected


def test_an_earlier_result_comes_before_the_problem_and_the_latest_first() -> None:
    known = Known.of("5 cats and 24 dogs").having(Rational(24)).having(Rational(7)).having(Rational(24))
    assert list(candidates(Rational(24), known)) == [(S, 2), (S, 0), (P, 1)]
    assert origins("24+24+24+24", known) == [(S, 2), (S, 0), (P, 1), (S, 2)]


def test_what_equations_have_used_comes_last() -> None:
    known = Known.of("5 cats and 5 dogs").having(Rational(5))
    read = evaluate("5")
    options: list[tuple[Origin, int]] = [(S, 0), (P, 0), (P, 1)]
    for used, expected in enumerate([*options, options[0]]):
        (operand,) = provenance(read, replace(known, used=frozenset(options[:used])))
        assert (operand.origin, operand.index) == expected


def test_a_number_that_stands_twice_is_used_twice_in_as_many_steps() -> None:
    known = Known.of("Tom buys 5 pens at 2 dollars each and 5 books at 3 dollars each. How much does he pay?")
    first, known = check_solution("<<5*2=10>>", known)
    second, known = check_solution("<<5*3=15>>", known)
    third, _ = check_solution("<<10+15=25>>", known)
    found = [[(o.origin, o.index) for o in check.operands] for (check,) in (first, second, third)]
    assert found == [[(P, 0), (P, 1)], [(P, 2), (P, 3)], [(S, 0), (S, 1)]]


def test_a_fraction_that_an_earlier_equation_gave_is_its_result() -> None:
    checks, known = check_solution("<<10/3=10/3>> then <<(10/3)*6=20>>", Known.of("10 pies for 3 people, 6 days"))
    assert known.results == (Rational(10, 3), Rational(20))
    assert checks[1].operands == (Operand("10/3", S, 0), Operand("6", P, 2))
    assert badge(checks) is Badge.VERIFIED


def test_what_is_known_grows_by_the_stated_results_of_readable_equations() -> None:
    start = Known.of("48 clips")
    checks, known = check_solution("48/2 = <<48/2=25>>25, <<x+1=3>>3, <<25+48=73>>73 and <<1/0=0>>", start)
    assert [c.verdict for c in checks] == [Verdict.WRONG, Verdict.UNREADABLE, Verdict.CORRECT, Verdict.UNREADABLE]
    assert known.results == (25, 73)
    assert start.results == ()
    assert checks[2].operands == (Operand("25", S, 0), Operand("48", P, 0))
    assert check_solution("no equation", known) == ((), known)


@pytest.mark.parametrize(
    ("solution", "pairs"),
    [
        ("48/2 = <<48/2=24>>24 and $<<24*2=48.00>>48.00", [("48/2", "24"), ("24*2", "48.00")]),
        ("<<ceil(46/6)=8>>8 buses, <<46-6*floor(46/6)=4>>", [("ceil(46/6)", "8"), ("46-6*floor(46/6)", "4")]),
        ("<<a=b>>", [("a", "b")]),
        ("<<=>>", [("", "")]),
        ("<<1=2=3>> <<1>> <1=1> <<1+1=2> 1+1=2", []),
        ("<<1+1=<<2+2=4>>", [("2+2", "4")]),
    ],
)
def test_equations_are_the_calculator_marks_of_gsm8k(solution: str, pairs: list[tuple[str, str]]) -> None:
    assert equations(solution) == pairs


SIGNS = st.lists(st.sampled_from([*"0123456789.,$%+-*/() x", "ceil(", "floor"]), max_size=30).map("".join)


@CALM
@given(st.lists(st.tuples(SIGNS, st.text(max_size=6)), max_size=4))
def test_checking_never_raises_and_knows_one_result_for_each_readable_equation(pairs: list[tuple[str, str]]) -> None:
    solution = " and ".join(f"<<{expression}={stated}>>" for expression, stated in pairs)
    checks, known = check_solution(solution, Known.of("48 clips"))
    assert len(known.results) == sum(c.computed != "" for c in checks)
    assert all(c.verdict is Verdict.UNREADABLE for c in checks if not c.computed)


@CALM
@given(st.integers(1, LARGEST), st.integers(1, LARGEST))
def test_the_largest_results_can_be_checked_too(above: int, below: int) -> None:
    (found_check,), known = check_solution(f"<<{above}/{below}={number_text(Rational(above, below))}>>", Known.of(""))
    assert found_check.verdict is Verdict.CORRECT
    assert known.results == (Rational(above, below),)


def one(verdict: Verdict, *origins: Origin) -> Check:
    return Check("", "", "", verdict, tuple(Operand("", origin) for origin in origins))


RIGHT, ROUNDED, WRONG, UNREADABLE = Verdict.CORRECT, Verdict.ROUNDED, Verdict.WRONG, Verdict.UNREADABLE


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], Badge.UNCHECKABLE),
        ([one(UNREADABLE)], Badge.UNCHECKABLE),
        ([one(RIGHT, P, S, C)], Badge.VERIFIED),
        ([one(ROUNDED, P)], Badge.VERIFIED),
        ([one(RIGHT, P), one(RIGHT, P, N)], Badge.UNGROUNDED),
        ([one(RIGHT, P), one(UNREADABLE)], Badge.UNCHECKABLE),
        ([one(RIGHT, N), one(UNREADABLE)], Badge.UNCHECKABLE),
        ([one(RIGHT, P), one(WRONG, P), one(UNREADABLE)], Badge.WRONG),
        ([one(WRONG, N)], Badge.WRONG),
    ],
)
def test_one_wrong_equation_spoils_a_step_and_one_operand_from_nowhere_ungrounds_it(checks: list[Check], expected: Badge) -> None:
    assert badge(checks) is expected


def test_the_examples_of_the_docstrings_are_true() -> None:
    tried = doctest.testmod(arithmetic)
    assert (tried.failed, tried.attempted > 0) == (0, True)


# Nothing in the package executes text: read from its source.

EXECUTING = {"eval", "exec", "compile", "__import__", "sympify", "parse_expr", "S"}


def executing(source: str) -> Iterator[str]:
    """Every mention of what executes text; `re.compile` and the `eval()` of a torch module take no text to run."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in EXECUTING:
            yield node.id
        elif isinstance(node, ast.ImportFrom):
            imported = {alias.name for alias in node.names}
            is_sympy = (node.module or "").partition(".")[0] == "sympy"
            yield from imported - {"Rational"} if is_sympy else imported & EXECUTING
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in {"sympy", "pickle", "builtins"})
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_torch = node.func.attr == "eval" and not node.args
            is_regex = node.func.attr == "compile" and ast.unparse(node.func.value) == "re"
            if node.func.attr in EXECUTING and not is_torch and not is_regex:
                yield node.func.attr


def test_no_file_of_the_package_executes_text() -> None:
    files = sorted(Path(socratic.__file__).parent.rglob("*.py"))
    assert len(files) > 20
    assert [(path.name, name) for path in files for name in executing(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "map(eval, ['1'])",
        "exec(text)",
        "f = compile",
        "import sympy",
        "import sympy.parsing.sympy_parser as p",
        "from sympy import sympify as Rational",
        "from sympy.parsing.sympy_parser import parse_expr",
        "sympy.sympify('1')",
        "frame.eval('a + b')",
        "builtins.exec('1')",
        "import pickle",
    ],
)
def test_the_search_sees_every_form_of_executing(source: str) -> None:
    assert list(executing(source))


def test_the_search_lets_harmless_namesakes_through() -> None:
    assert list(executing("from sympy import Rational\nre.compile('a')\nmodel.eval()")) == []
