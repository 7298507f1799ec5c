"""The small language of `where` and `eq`: exact arithmetic on named numbers.

In: text of our own family files, such as `ceil((a + b) / k)` or `a > b and a % 5 == 0`. Out: `Formula` (a value) and
`Condition` (true or false), compiled once to closures, and for `notation` the syntax tree that was let through.
Whitelisted: numbers, names, + - * / // %, unary minus, comparisons, and/or, ceil floor max min. Nothing is ever given to
`eval`. Knows nothing of families, words or of how an equation is written down.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

from socratic.errors import FamilyError

Value = int | Fraction  # both are exact; whole numbers stay int because they are many times faster
Values = Mapping[str, Value]
Compute = Callable[[Values], Value]
Test = Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression with a number for its value."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    compute: Compute

    def value(self, values: Values) -> Value:
        """The exact value. Raises FamilyError for a division by zero."""
        try:
            return self.compute(values)
        except ZeroDivisionError:
            raise FamilyError(f"'{self.text}' divides by zero") from None


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that holds or does not."""

    text: str
    names: frozenset[str]
    test: Test

    def holds(self, values: Values) -> bool:
        """Whether it is true of these values. Raises FamilyError for a division by zero."""
        try:
            return self.test(values)
        except ZeroDivisionError:
            raise FamilyError(f"'{self.text}' divides by zero") from None


@cache  # thousands of families have a few hundred formulas
def read_formula(text: str) -> Formula:
    """Compile an `eq`. Raises FamilyError for whatever is not whitelisted."""
    tree = _parse(text)
    return Formula(text, tree, _names(text), compile_value(tree))


@cache
def read_condition(text: str) -> Condition:
    """Compile a `where`. Raises FamilyError for whatever is not whitelisted, or is no comparison."""
    tree = _parse(text)
    return Condition(text, _names(text), _compile_test(tree))


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FamilyError(f"'{text}' is no expression") from None


def _names(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(text)).difference(FUNCTIONS, ("and", "or"))


_NAME: Final = re.compile(r"(?<![\w.])[^\W\d]\w*")


def divide(left: Value, right: Value) -> Value:
    """Exact division that stays with int where it can."""
    if isinstance(left, int) and isinstance(right, int):
        whole, rest = divmod(left, right)
        return Fraction(left, right) if rest else whole
    return Fraction(left) / right


_OPERATORS: Final[dict[type[ast.operator], Callable[[Value, Value], Value]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Value, Value], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {"ceil": math.ceil, "floor": math.floor, "max": max, "min": min}


def compile_value(node: ast.expr) -> Compute:
    """The closure for one node that has a number for its value."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _constant(number)
        case ast.Name(id=name) if name not in FUNCTIONS:
            return operator.itemgetter(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _binary(_OPERATORS[type(op)], compile_value(left), compile_value(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = compile_value(operand)
            return lambda values: -inner(values)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _call(name, [compile_value(argument) for argument in args])
    raise FamilyError(f"'{ast.unparse(node)}': {type(node).__name__} is not allowed where a number is expected")


def _constant(number: float) -> Compute:
    if not math.isfinite(number):
        raise FamilyError("a number is too large to be written")
    value = number if isinstance(number, int) else Fraction(str(number))
    return lambda values: value


def _binary(combine: Callable[[Value, Value], Value], left: Compute, right: Compute) -> Compute:
    return lambda values: combine(left(values), right(values))


def _call(name: str, arguments: list[Compute]) -> Compute:
    is_rounding = name in ("ceil", "floor")
    if (len(arguments) == 1) is not is_rounding or not arguments:
        raise FamilyError(f"'{name}' takes {'one number' if is_rounding else 'two numbers or more'}, found {len(arguments)}")
    function = FUNCTIONS[name]
    return lambda values: function(*[argument(values) for argument in arguments])


def _compile_test(node: ast.expr) -> Test:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
            terms = [compile_value(term) for term in (left, *others)]
            return _chain([_COMPARISONS[type(op)] for op in ops], terms)
        case ast.BoolOp(op=op, values=parts):
            tests = [_compile_test(part) for part in parts]
            quantify = all if isinstance(op, ast.And) else any
            return lambda values: quantify(test(values) for test in tests)
    raise FamilyError(f"'{ast.unparse(node)}': {type(node).__name__} is not allowed where a condition is expected")


def _chain(comparisons: list[Callable[[Value, Value], bool]], terms: list[Compute]) -> Test:
    if len(comparisons) == 1:
        (compare,), (left, right) = comparisons, terms
        return lambda values: compare(left(values), right(values))

    def test(values: Values) -> bool:
        found = [term(values) for term in terms]
        return all(compare(a, b) for compare, a, b in zip(comparisons, found[:-1], found[1:], strict=True))

    return test
