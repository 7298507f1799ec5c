"""What a student wrote, with real numbers in place of references: the way back from a transcript.

In: the pieces of a turn, and the numbers that are known by then. Out: a subquestion, an expression for the calculator, or a whole
solution with `<<48/2=24>>` marks; and a plan, in the pieces that `transcript.guide` makes. Knows nothing of styles, token ids,
models or files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from socratic.arithmetic import Known, number_text, number_value
from socratic.dialect import CAPITAL, NUMBERS, OPEN, RESULTS, Mark, Piece, in_brackets
from socratic.errors import ExpressionError

_SIGNS = r"(?:[0-9.+\-*/()%]|(?:ceil|floor) ?\()*+"
_ARITHMETIC, _ARITHMETIC_TAIL = re.compile(_SIGNS), re.compile(rf" ({_SIGNS})\Z")
_PLANNED = re.compile(r"(?:ceil|floor)\(|[\d.]+|[^\w\s]")


def read_question(pieces: Iterable[Piece], known: Known) -> str:
    """A subquestion that the decomposer wrote, with real numbers in place of references."""
    text = _plain(pieces, known).strip()
    return text[:1].upper() + text[1:]


def read_expression(pieces: Sequence[Piece], known: Known) -> str:
    """The expression at the end of what the solver wrote, with real numbers; text before it is left out."""
    return _split_expression(pieces, known)[1]


def read_solution(turn: Sequence[tuple[Sequence[Piece], str]], rest: Sequence[Piece], known: Known) -> str:
    """A whole turn: (pieces up to an equals mark, result) pairs, then what followed; numbers are real in the end."""
    text = ""
    for pieces, result in turn:
        before, expression = _split_expression(pieces, known)
        unit = "$" if before.endswith("$") else ""
        text += f"{before.removesuffix('$').rstrip()} {unit}{expression} = {unit}<<{expression}={result}>>{result}"
        try:
            known = known.having(number_value(result))
        except ExpressionError:
            continue
    return (text + _plain(rest, known)).strip()


def read_guide(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """A planner's plan, in the pieces that `transcript.guide` makes: a decomposer must read the tokens that it learned."""
    cut = ((piece,) if isinstance(piece, Mark) else _PLANNED.findall("".join(piece.split())) for piece in pieces)
    return tuple(part for parts in cut for part in parts)


def _split_expression(pieces: Sequence[Piece], known: Known) -> tuple[str, str]:
    """(text before, expression): what the last `<<` parts, else the longest tail of arithmetic signs, digits, references.

    Of " Nora needs 48/2", whose digits were not parted, and of " Nora needs ceil(" it is what follows the last space.
    """
    for index in reversed(range(len(pieces))):
        before, opened, after = str(pieces[index]).rpartition(OPEN) if isinstance(pieces[index], str) else ("", "", "")
        if opened:
            return _plain((*pieces[:index], before.rstrip()), known), _expression((after, *pieces[index + 1 :]), known)
    start = len(pieces)
    while start and (isinstance(pieces[start - 1], Mark) or _ARITHMETIC.fullmatch(str(pieces[start - 1]).strip())):
        start -= 1
    words = str(pieces[start - 1]) if start else ""
    tail = _ARITHMETIC_TAIL.search(words)
    if tail and (start == len(pieces) or tail[1].endswith("(")):
        before = words[: tail.start()].rstrip()
        return _plain((*pieces[: start - 1], before), known), _expression((tail[1], *pieces[start:]), known)
    return _plain(pieces[:start], known), _expression(pieces[start:], known)


def _expression(pieces: Iterable[Piece], known: Known) -> str:
    return "".join(_value(piece, known, bracket=True) if isinstance(piece, Mark) else piece.strip() for piece in pieces)


def _plain(pieces: Iterable[Piece], known: Known) -> str:
    text, capital = "", False
    for piece in pieces:
        if piece is CAPITAL:
            capital = True
        elif isinstance(piece, Mark):
            shown = _value(piece, known, bracket=False)
            text += shown if text.endswith(("$", "(", "-", "/", "#")) else f" {shown}"
        else:
            text += re.sub(r"\w", lambda letter: letter[0].upper(), piece, count=1) if capital else piece
            capital = False
    return text


def _value(mark: Mark, known: Known, *, bracket: bool) -> str:
    """What a reference stands for; inside expressions (`bracket`) as a number, with fractions in brackets."""
    if mark in NUMBERS and NUMBERS.index(mark) < len(known.numbers):
        number = known.numbers[NUMBERS.index(mark)]
        value = number_text(number.value)
        return value if bracket and "/" not in value else number.text  # 0.12345678 stays as it is written
    if mark in RESULTS and RESULTS.index(mark) < len(known.results):
        text = number_text(known.results[RESULTS.index(mark)])
        return in_brackets(text) if bracket else text
    return mark.name
