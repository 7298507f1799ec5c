"""The solver: writes an equation for a subquestion, with the calculator in the loop. Beside it who writes the answer alone.

In: unfinished traces, each with its next subquestion. Out: solutions whose equations hold the calculator's results,
`<<48/2=24>>24`, or why there is none. They fit the orchestrator's `Solves` by shape. Knows nothing of loops over steps,
benchmarks or training.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sympy import Rational

from socratic import dialect, readback, transcript
from socratic.arithmetic import Known, calculate, known_after, number_value
from socratic.dialect import END, EQUALS, OPEN, RESULTS, Mark, Piece, Segment, Solutions, Style
from socratic.engines import Completion, Engine, Prompt
from socratic.errors import ExpressionError
from socratic.schema import Decoding, Ended, Solution, Trace
from socratic.turns import Guides, banned, complete, contexts_of

ANSWER_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one solution may be: tokens up to the next equals mark, how many must fit, and equations."""

    tokens: int
    least: int
    equations: int


LIMITS = {Solutions.EQUATION: Limits(24, 24, 6), Solutions.SENTENCE: Limits(128, 64, 6)}  # of StrategyQA's, 2 % exceed 64
WHOLE = {Solutions.EQUATION: Limits(128, 24, 24), Solutions.SENTENCE: Limits(192, 24, 24)}  # of all steps in one


@dataclass
class _Turn:
    """A solver's turn while it is written."""

    ids: list[int]
    known: Known
    equations: list[tuple[list[Piece], str]] = field(default_factory=list)
    rest: list[Piece] = field(default_factory=list)
    log_likelihood: float = 0.0
    full: bool = False
    over: bool = False


class Solver:
    """Answers one subquestion; at each equals mark the calculator takes over."""

    def __init__(self, engine: Engine, style: Style, guides: Guides | None = None, limits: Limits | None = None) -> None:
        self.engine, self.style, self.guides = engine, style, guides
        self.limits = limits or LIMITS[style.solutions]

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """For each trace and its next subquestion a solution with calculator marks, or CONTEXT_FULL."""
        contexts = contexts_of(traces, self.style, self.guides)
        turns = [self._open(*given) for given in zip(traces, questions, contexts, strict=True)]
        for _ in range(self.limits.equations):
            live = [turn for turn in turns if not turn.over]
            if not live:
                break
            self._write(live, decoding)
        return [self._close(trace, turn) for trace, turn in zip(traces, turns, strict=True)]

    def _open(self, trace: Trace, question: str, context: list[Segment]) -> _Turn:
        known = known_after(trace)
        segments = [*context, transcript.ask(question, known, self.style)]
        return _Turn(self.engine.vocabulary.encode_segments(segments), known)

    def _write(self, turns: list[_Turn], decoding: Decoding) -> None:
        """One completion for each open turn, up to its next equals mark (or its end, without the calculator)."""
        ids = self.engine.vocabulary.ids
        stop = frozenset({ids[END], ids[EQUALS]} if decoding.calculator else {ids[END]})
        own = {END, EQUALS} if decoding.calculator else {END, EQUALS, *RESULTS}
        may = [dialect.allowed_marks(turn.known, self.style) | own for turn in turns]
        prompts = [Prompt(tuple(turn.ids), banned(self.engine, marks)) for turn, marks in zip(turns, may, strict=True)]
        most, least = self.limits.tokens, self.limits.least
        written = complete(self.engine, prompts, stop=stop, most=most, least=least, decoding=decoding)
        for turn, new in zip(turns, written, strict=True):
            self._read(turn, new, decoding)

    def _read(self, turn: _Turn, new: Completion | None, decoding: Decoding) -> None:
        if new is None:
            turn.full = turn.over = True
            return
        pieces = self.engine.vocabulary.decode(new.ids)
        turn.log_likelihood += new.log_likelihood
        if not decoding.calculator:
            turn.equations, turn.rest, turn.over = *_own_results(pieces), True
        elif pieces[-1:] == [EQUALS]:
            self._calculate(turn, new.ids, pieces[:-1])
        else:
            turn.rest, turn.over = [p for p in pieces if p is not END], True

    def _calculate(self, turn: _Turn, new: list[int], pieces: list[Piece]) -> None:
        """Put the exact result after the equals mark; an expression that cannot be read ends the turn."""
        try:
            result = calculate(readback.read_expression(pieces, turn.known))
            if turned := _turned(pieces, number_value(result), turn.known):
                pieces, result = turned
                new = self.engine.vocabulary.encode([*pieces, EQUALS])
        except ExpressionError:
            turn.rest, turn.over = pieces, True
            return
        inserted = transcript.result_pieces(len(turn.known.results), result, self.style)
        turn.ids += [*new, *self.engine.vocabulary.encode(inserted)]
        turn.equations.append((pieces, result))
        turn.known = turn.known.having(number_value(result))

    def _close(self, trace: Trace, turn: _Turn) -> Solution | Ended:
        if turn.full and not turn.equations:
            return Ended.CONTEXT_FULL
        text = readback.read_solution(turn.equations, turn.rest, known_after(trace))
        return Solution(text, math.exp(turn.log_likelihood))


class Answerer:
    """Writes the answer without a solution; it never computes."""

    def __init__(self, engine: Engine, style: Style) -> None:
        self.engine, self.style = engine, style

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """For each trace the answer to its problem as text, or CONTEXT_FULL."""
        vocabulary, may = self.engine.vocabulary, frozenset({END})
        ids = [vocabulary.encode_segments(transcript.answer_prompt(trace.problem, self.style)) for trace in traces]
        prompts = [Prompt(tuple(prompt), banned(self.engine, may)) for prompt in ids]
        stop = frozenset({vocabulary.ids[END]})
        written = complete(self.engine, prompts, stop=stop, most=ANSWER_TOKENS, least=ANSWER_TOKENS, decoding=decoding)
        return [Ended.CONTEXT_FULL if turn is None else self._read(turn) for turn in written]

    def _read(self, turn: Completion) -> Solution:
        pieces = self.engine.vocabulary.decode(turn.ids)
        return Solution("".join(piece for piece in pieces if isinstance(piece, str)).strip(), math.exp(turn.log_likelihood))


_BELOW_ZERO = re.compile(
    r"(?<![^\s($])[-\u2212]\$?\d|\u00b0|\b(?:below|debt|deficit|degrees?|minus|negative|overdrawn|owes?|temperature)\b", re.I
)


def _turned(pieces: Sequence[Piece], result: Rational, known: Known) -> tuple[list[Piece], str] | None:
    """A difference below zero the other way round, and its result; None where it is none, or might be meant.

    The default student goes below zero in one of twelve problems, and is then always wrong; of 7,473 solutions of GSM8K train
    four do (experiments/LOG.md, 2026-11-29).
    """
    if result >= 0 or _BELOW_ZERO.search(known.question) or any(earlier < 0 for earlier in known.results):
        return None
    words, equation = _parted(pieces)
    if equation.count("-") != 1:
        return None
    middle = equation.index("-")
    turned = [*words, *equation[middle + 1 :], "-", *equation[:middle]]
    try:
        positive = calculate(readback.read_expression(turned, known))
    except ExpressionError:  # the minus was a sign
        return None
    return (turned, positive) if number_value(positive) == -result else None


def _parted(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """The words of a sentence up to the mark that parts the equation from them, and the equation, each minus by itself."""
    cut = ([piece] if isinstance(piece, Mark) else re.split(f"(-|{OPEN})", piece) for piece in pieces)
    parts = [part for some in cut for part in some if part]
    opened = max((place + 1 for place, part in enumerate(parts) if part == OPEN), default=0)
    return parts[:opened], parts[opened:]


def _own_results(pieces: Sequence[Piece]) -> tuple[list[tuple[list[Piece], str]], list[Piece]]:
    """Equations and rest of a turn whose results the solver wrote itself."""
    equations: list[tuple[list[Piece], str]] = []
    current: list[Piece] = []
    remaining = [p for p in pieces if p is not END]
    while remaining:
        piece = remaining.pop(0)
        if piece is not EQUALS:
            current.append(piece)
            continue
        if remaining and remaining[0] in RESULTS:
            remaining.pop(0)
        match = re.match(r"\s*(-?[\d.,/]*\d)", str(remaining[0])) if remaining and isinstance(remaining[0], str) else None
        equations.append((current, match[1] if match else ""))
        if match:
            remaining[0] = str(remaining[0])[match.end() :]
        current = []
    return equations, [p for p in current if p]
