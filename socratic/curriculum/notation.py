"""Writes a formula with its numbers filled in, as it stands in `<<...>>`.

In: a `Formula`, the names whose problem text says them in words ("a third"), and values. Out: text that `arithmetic`
reads, such as `(48+2)/5`. Brackets stand only where the reading needs them. A share in words is written as people
write it: a third of 66 is `66/3`, two thirds are `66*(2/3)`. Rounding is written even where it changes nothing: 48 people
in buses of 6 are `ceil(48/6)`; the remainder of 46 by 6 is `46-6*floor(46/6)`.
Knows nothing of families or of the sentences around an equation.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from typing import Final

from sympy import Rational

from socratic.arithmetic import number_text
from socratic.curriculum.expressions import Formula, Value, Values, compile_value
from socratic.errors import FamilyError

Notation = Callable[[Values], str]
_SUM, _PRODUCT, _ATOM = 1, 2, 3
Written = tuple[str, int]  # the text, and how tightly it holds together
_Write = Callable[[Values], Written]
_SYMBOLS: Final[dict[type[ast.operator], tuple[str, int]]] = {
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _PRODUCT),
    ast.Div: ("/", _PRODUCT),
}


@cache
def read_notation(formula: Formula, in_words: frozenset[str]) -> Notation:
    """Compile the writer of a formula; `in_words` are the names that the problem says in words."""
    write = _compile(formula.tree, in_words)
    return lambda values: write(values)[0]


def value_text(value: Value) -> str:
    """A value as `arithmetic.number_text` writes it, without the detour where it is whole."""
    return str(value) if value.denominator == 1 else number_text(Rational(value.numerator, value.denominator))


def _atom(value: Value, *, as_fraction: bool = False) -> Written:
    if as_fraction and value.denominator != 1:
        return f"({value.numerator}/{value.denominator})", _ATOM
    text = value_text(value)
    return (f"({text})" if "/" in text or value < 0 else text), _ATOM


def _join(left: Written, symbol: str, right: Written, rank: int) -> Written:
    before = left[0] if left[1] >= rank else f"({left[0]})"
    after = right[0] if right[1] > rank else f"({right[0]})"
    return before + symbol + after, rank


def _compile(node: ast.expr, in_words: frozenset[str]) -> _Write:
    match node:
        case ast.Constant():
            constant = compile_value(node)
            return lambda values: _atom(constant(values))
        case ast.Name(id=name):
            as_fraction = name in in_words
            return lambda values: _atom(values[name], as_fraction=as_fraction)
        case ast.UnaryOp(operand=operand):
            inner = _compile(operand, in_words)
            return lambda values: _join(("", _ATOM), "-", inner(values), _PRODUCT)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return _rounded("floor", ast.BinOp(left, ast.Div(), right), in_words)
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            return _remainder(left, right, in_words)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _product(left, right, in_words)
        case ast.BinOp(left=left, op=op, right=right):
            return _operation(type(op), _compile(left, in_words), _compile(right, in_words))
        case ast.Call(func=ast.Name(id="ceil" | "floor" as name), args=[argument]):
            return _rounded(name, argument, in_words)
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=arguments):
            return _extreme(arguments, in_words, largest=name == "max")
    raise FamilyError(f"'{ast.unparse(node)}' cannot be written as an equation")


def _operation(op: type[ast.operator], left: _Write, right: _Write) -> _Write:
    symbol, rank = _SYMBOLS[op]
    return lambda values: _join(left(values), symbol, right(values), rank)


def _product(left: ast.expr, right: ast.expr, in_words: frozenset[str]) -> _Write:
    """A product; times "a third" becomes a division by 3."""
    plain = _operation(ast.Mult, _compile(left, in_words), _compile(right, in_words))
    for share, other in ((right, left), (left, right)):
        if isinstance(share, ast.Name) and share.id in in_words:
            return _share(share.id, _compile(other, in_words), plain)
    return plain


def _share(name: str, whole: _Write, plain: _Write) -> _Write:
    def write(values: Values) -> Written:
        share = values[name]
        if share.numerator == 1 and share.denominator != 1:
            return _join(whole(values), "/", _atom(share.denominator), _PRODUCT)
        return plain(values)

    return write


def _rounded(word: str, node: ast.expr, in_words: frozenset[str]) -> _Write:
    plain = _compile(node, in_words)
    return lambda values: (f"{word}({plain(values)[0]})", _ATOM)


def _remainder(left: ast.expr, right: ast.expr, in_words: frozenset[str]) -> _Write:
    """What the whole parts leave."""
    parts = ast.BinOp(right, ast.Mult(), ast.BinOp(left, ast.FloorDiv(), right))
    return _compile(ast.BinOp(left, ast.Sub(), parts), in_words)


def _extreme(arguments: list[ast.expr], in_words: frozenset[str], *, largest: bool) -> _Write:
    options = [(compile_value(argument), _compile(argument, in_words)) for argument in arguments]
    choose = max if largest else min
    return lambda values: choose(options, key=lambda option: option[0](values))[1](values)
