"""Traces and their transcripts, for the tests of both directions: written here by hand, in every style, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, product

import pytest

from socratic.arithmetic import Known, calculate, check_solution, equations, number_value
from socratic.dialect import (
    ASK,
    CAPITAL,
    END,
    NUMBERS,
    RESULTS,
    Capitals,
    Mark,
    Numbers,
    Piece,
    Results,
    Role,
    Segment,
    Solutions,
    Style,
)
from socratic.readback import read_expression, read_question, read_solution
from socratic.schema import Ended, Problem, Step, Trace
from socratic.transcript import render

STYLES = [Style(*choice) for choice in product(Numbers, Solutions, Results, Capitals)]
each_style = pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.numbers}-{s.solutions}-{s.results}-{s.capitals}")
DIGITS = Style(numbers=Numbers.DIGITS)
SENTENCES = Style(numbers=Numbers.DIGITS, solutions=Solutions.SENTENCE)
MARKED = Style(capitals=Capitals.MARKED)
INSIDE = (*NUMBERS, *RESULTS, CAPITAL)  # marks that may stand inside a text


def trace(question: str, *steps: tuple[str, str], ended: Ended | None = Ended.DONE) -> Trace:
    """A trace of (subquestion, solution) pairs."""
    answers = [(equations(solution) or [("", "")])[-1][1] for _, solution in steps]
    return Trace(
        Problem("1", question),
        tuple(Step(asked, solution, answer) for (asked, solution), answer in zip(steps, answers, strict=True)),
        answers[-1] if answers else None,
        ended,
    )


# The ways in which people write solutions, beside the curriculum's one: GSM8K's own form, and some that are rare.
CLIPS = trace(
    "Natalia sold 48 clips at $1,200 each in May, half as many in June, and gave 20% of five away.",
    ("How many did she sell in June?", "Natalia sold 48/2 = <<48/2=24>>24 clips in June."),
    ("How many in both of the 2 months?", "She sold 48+24 = <<48+24=72>>72 clips, that's $<<72*1200=86400>>86,400."),
    ("And 20% of the 5?", "In year 5, 5*0.2 = $<<5*0.2=1.00>>1.00 of the 72 (48 + 24)."),
)
SHARES = trace(
    "10 pies are shared by 3 families for 6 days, 7 weeks. A slice is 0.12345678 pies.",
    ("How much does each get?", "Each gets 10 / 3 = <<10 / 3=10/3>>10/3 pies."),
    ("How much in 6 days?", "<<(10/3)*6=20>>"),
    ("How many shares?", "(7 - 3) * 20 / (10/3) = <<( 7-3 )\t*20/(10/3)=24>>24"),
    ("How many slices?", "<<20/0.12345678=1000000000/6172839>> slices and 3-7 is <<3-7=-4>>-4, in all <<(-4)+7=3>>"),
)
BUSES = trace(
    "46 people ride in buses with 6 seats each; 13 more come by 7/2 cars.",
    ("How many buses?", "They need ceil(46/6) = <<ceil(46/6)=8>>8 buses."),
    ("How many sit in the last one?", "<<46 - 6*floor( 46 / 6 )=4>> sit, 46 - 6 * floor (46/6) = <<46-6*floor (46/6)=4>>4."),
    ("How many wheels, then?", "That's $<<floor(ceil((46+13)/6)*4/3)=13>>13 and <<7/2/3=7/6>>, up to <<ceil((7/6))=2>>"),
)
PLAIN = trace("Is it?", ("What is it?", "It is what it is."), ("Why 5?", "x = <<x=3>>3 since 10//3 = <<10//3=3>>3."))
HAND_WRITTEN = [CLIPS, SHARES, BUSES, PLAIN, trace("5"), trace("  A  \n text\u00a0of 5 \t lines \u2028 "), trace("", ended=None)]


def shown(drawn: list[Trace], style: Style) -> list[Trace]:
    """The traces written here and a share of the drawn ones; the 24 styles have each of those three times."""
    return [*HAND_WRITTEN, *drawn[STYLES.index(style) % 8 :: 8]]


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces as they come back from tokens."""
    runs = groupby(pieces, key=lambda piece: isinstance(piece, Mark))
    return [piece for is_mark, run in runs for piece in (run if is_mark else ["".join(map(str, run))])]


def text(pieces: Iterable[Piece]) -> str:
    return "".join(piece.name if isinstance(piece, Mark) else piece for piece in pieces)


def turns(segments: list[Segment]) -> Iterator[tuple[Segment, list[Segment]]]:
    """The decomposer's segment and the solver's (with the calculator's) of each step."""
    for segment in segments:
        if segment.role is Role.DECOMPOSER and segment.pieces[0] is ASK:
            following = segments[segments.index(segment) + 1 :]
            end = next(i for i, s in enumerate(following) if s.role is Role.SOLVER and s.pieces[-1] is END)
            yield segment, following[: end + 1]


def read_back(given: Trace, style: Style) -> Trace:
    """The trace that students would have written, had they written exactly what `render` shows them."""
    known, steps = Known.of(given.problem.question), list[Step]()
    for asked, solved in turns(render(given, style)):
        inside, start = known, known
        turn: list[tuple[list[Piece], str]] = []
        for segment in solved[:-1:2]:
            pieces = merged(segment.pieces[:-1])
            result = calculate(read_expression(pieces, inside))
            turn.append((pieces, result))
            inside = inside.having(number_value(result))
        question = read_question(merged(asked.pieces[1:-1]), start)
        written = read_solution(turn, merged(solved[-1].pieces[:-1]), start)
        steps.append(Step(question, written, ""))
        _, known = check_solution(written, known)
    return replace(given, steps=tuple(steps))
