"""A benchmark's equation as worked steps.

In: an equation in prefix form, `+ 8.0 * 2.0 3.0`, or fully bracketed, `( 8.0 + ( 2.0 * 3.0 ) )`, and the question that it
answers. Out: a `Line` for each operation, in the order in which a person would work, with numbers as people write them.
Knows nothing of files, or of which benchmark an equation comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from sympy import Rational

from socratic.arithmetic import calculate, number_text

Line = tuple[str, str, str]  # subquestion, solution, answer of one step
Operation = tuple[str, str]  # expression, value


def worked(question: str, equation: str) -> list[Line]:
    """One step per operation. Nobody wrote subquestions to them: only the last has one, the problem's own.

    Raises ValueError, StopIteration or ExpressionError where the equation is broken.
    """
    done = list[Operation]()
    value = _value(tokens := iter(equation.split()), done)
    if left := list(tokens):
        raise ValueError(f"the equation ends before '{' '.join(left)}'")
    if value.startswith("(") or not done:
        whole = value.removeprefix("(").removesuffix(")")
        done.append((whole, calculate(whole)))
    asked = [""] * (len(done) - 1) + [question]
    return [(ask, f"{text} = <<{text}={result}>>{result}", result) for ask, (text, result) in zip(asked, done, strict=True)]


def _value(tokens: Iterator[str], done: list[Operation]) -> str:
    """The value of an equation in prefix form, or fully bracketed; adds the operations to `done`."""
    token = next(tokens)
    if token not in "(+-*/":
        return decimal(token)
    left = _value(tokens, done)
    operator = next(tokens) if token == "(" else token
    right = _value(tokens, done)
    if token == "(" and next(tokens) != ")":
        raise ValueError(f"a bracket is not closed after '{right}'")
    return _operation(left, operator, right, done)


def _operation(left: str, operator: str, right: str, done: list[Operation]) -> str:
    """Work an operation out and note it, or leave it standing in brackets where decimals do not end, as people do."""
    sides = (f"({side})" if side.startswith("-") or ("/" in side and side[0] != "(") else side for side in (left, right))
    expression = operator.join(sides)
    value = calculate(expression)
    if "/" in value:
        return f"({expression})"
    done.append((expression, value))
    return value


def decimal(text: str) -> str:
    """A float as a person writes it: "9.0" is "9", "0.16666666666666666" is "1/6"."""
    exact = Fraction(text)
    near = exact.limit_denominator(1000)
    is_cut_off = exact.denominator > 10**8 and abs(near - exact) < Fraction(1, 10**9)
    value = near if is_cut_off else exact
    return number_text(Rational(value.numerator, value.denominator))
