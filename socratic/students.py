"""Decomposer and solver: an engine that speaks the transcript, with the calculator in the loop.

In: unfinished traces. Out: the next subquestion or why there is none; a solution whose equations hold the calculator's
results, `<<48/2=24>>24`. They fit the orchestrator's two protocols by shape. Knows nothing of loops over steps,
benchmarks or training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from socratic import transcript
from socratic.arithmetic import Known, calculate, check_solution, number_value
from socratic.engines import Engine, Prompt
from socratic.errors import ExpressionError, UsageError
from socratic.folders import StudentFolder, find_pair
from socratic.schema import Decoding, Ended, Trace
from socratic.transcript import ASK, DONE, END, EQUALS, MARKS, RESULTS, SOLVE, Mark, Piece, Solutions, Style

QUESTION_TOKENS = 40  # at most, of a subquestion
SOLUTION_TOKENS = {Solutions.EQUATION: 24, Solutions.SENTENCE: 64}  # at most, up to the next equals mark
EQUATIONS = 6  # at most, of one solution


def load_pair(name: str = "default", *, engine: str = "light") -> tuple[Decomposer, Solver]:
    """Two students from a folder (see folders). Raises ModelError."""
    asks, solves = find_pair(name)
    asking = _engine(asks, engine)
    solving = asking if solves == asks else _engine(solves, engine)
    return Decomposer(asking, asks.style), Solver(solving, solves.style)


def _engine(folder: StudentFolder, kind: str) -> Engine:
    """The engine for a folder; "light" is whichever runs it without torch, where one does."""
    if kind == "light" and folder.ct2.is_dir():
        from socratic.engines.ct2 import Ct2Engine

        return Ct2Engine(folder.path)
    if kind == "light" and folder.architecture == "prefix_lm":
        from socratic.engines.numpy import NumpyEngine

        return NumpyEngine(folder.path)
    try:
        from socratic.engines.torch import TorchEngine
    except ModuleNotFoundError as error:
        raise UsageError(f"the torch engine needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    return TorchEngine(folder.path)


class Decomposer:
    """Asks the next subquestion."""

    def __init__(self, engine: Engine, style: Style) -> None:
        self.engine, self.style = engine, style

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """For each unfinished trace a subquestion, or DONE, CONTEXT_FULL, or NO_ANSWER where none can be read."""
        ids = self.engine.vocabulary.ids
        knowns = [_known(trace) for trace in traces]
        prompts = [self._prompt(trace, known) for trace, known in zip(traces, knowns, strict=True)]
        stop = frozenset({ids[SOLVE], ids[DONE]})
        written = _complete(self.engine, prompts, stop=stop, max_tokens=QUESTION_TOKENS, decoding=decoding)
        return [self._read(turn, known) for turn, known in zip(written, knowns, strict=True)]

    def _prompt(self, trace: Trace, known: Known) -> Prompt:
        own = {ASK, SOLVE, DONE} if trace.steps else {ASK, SOLVE}  # a trace without steps cannot be done
        may = transcript.allowed_marks(known, self.style) | own
        ids = self.engine.vocabulary.encode_segments(transcript.render(trace, self.style))
        return Prompt(tuple(ids), _banned(self.engine, may))

    def _read(self, turn: list[int] | None, known: Known) -> str | Ended:
        if turn is None:
            return Ended.CONTEXT_FULL
        pieces = self.engine.vocabulary.decode(turn)
        if pieces[:1] == [DONE]:
            return Ended.DONE
        if pieces[:1] != [ASK] or pieces[-1:] != [SOLVE]:
            return Ended.NO_ANSWER
        inner = [p for p in pieces[1:-1] if p not in (ASK, DONE)]
        return transcript.read_question(inner, known) or Ended.NO_ANSWER


@dataclass
class _Turn:
    """A solver's turn while it is written."""

    ids: list[int]
    known: Known
    equations: list[tuple[list[Piece], str]] = field(default_factory=list)
    rest: list[Piece] = field(default_factory=list)
    full: bool = False
    over: bool = False


class Solver:
    """Answers one subquestion; at each equals mark the calculator takes over."""

    def __init__(self, engine: Engine, style: Style) -> None:
        self.engine, self.style = engine, style

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[str | Ended]:
        """For each trace and its next subquestion a solution with calculator marks, or CONTEXT_FULL."""
        turns = [self._open(trace, question) for trace, question in zip(traces, questions, strict=True)]
        for _ in range(EQUATIONS):
            live = [turn for turn in turns if not turn.over]
            if not live:
                break
            self._write(live, decoding)
        return [self._close(trace, turn) for trace, turn in zip(traces, turns, strict=True)]

    def _open(self, trace: Trace, question: str) -> _Turn:
        known = _known(trace)
        segments = [*transcript.render(trace, self.style), transcript.ask(question, known, self.style)]
        return _Turn(self.engine.vocabulary.encode_segments(segments), known)

    def _write(self, turns: list[_Turn], decoding: Decoding) -> None:
        """One completion for each open turn, up to its next equals mark (or its end, without the calculator)."""
        ids = self.engine.vocabulary.ids
        stop = frozenset({ids[END], ids[EQUALS]} if decoding.calculator else {ids[END]})
        own = {END, EQUALS} if decoding.calculator else {END, EQUALS, *RESULTS}
        may = [transcript.allowed_marks(turn.known, self.style) | own for turn in turns]
        prompts = [Prompt(tuple(turn.ids), _banned(self.engine, marks)) for turn, marks in zip(turns, may, strict=True)]
        written = _complete(self.engine, prompts, stop=stop, max_tokens=SOLUTION_TOKENS[self.style.solutions], decoding=decoding)
        for turn, new in zip(turns, written, strict=True):
            self._read(turn, new, decoding)

    def _read(self, turn: _Turn, new: list[int] | None, decoding: Decoding) -> None:
        pieces = self.engine.vocabulary.decode(new or [])
        if new is None:
            turn.full = turn.over = True
        elif not decoding.calculator:
            turn.equations, turn.rest, turn.over = *_own_results(pieces), True
        elif pieces[-1:] == [EQUALS]:
            self._calculate(turn, new, pieces[:-1])
        else:
            turn.rest, turn.over = [p for p in pieces if p is not END], True

    def _calculate(self, turn: _Turn, new: list[int], pieces: list[Piece]) -> None:
        """Put the exact result after the equals mark; an expression that cannot be read ends the turn."""
        try:
            result = calculate(transcript.read_expression(pieces, turn.known))
        except ExpressionError:
            turn.rest, turn.over = pieces, True
            return
        inserted = transcript.result_pieces(len(turn.known.results), result, self.style)
        turn.ids += [*new, *self.engine.vocabulary.encode(inserted)]
        turn.equations.append((pieces, result))
        turn.known = turn.known.having(number_value(result))

    def _close(self, trace: Trace, turn: _Turn) -> str | Ended:
        if turn.full and not turn.equations:
            return Ended.CONTEXT_FULL
        return transcript.read_solution(turn.equations, turn.rest, _known(trace))


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


def _known(trace: Trace) -> Known:
    known = Known.of(trace.problem.question)
    for step in trace.steps:
        _, known = check_solution(step.solution, known)
    return known


def _banned(engine: Engine, may: frozenset[Mark]) -> frozenset[int]:
    """The marks that this role never writes, and the references to numbers that nobody gave."""
    return frozenset(engine.vocabulary.ids[mark] for mark in MARKS if mark not in may)


def _complete(
    engine: Engine, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
) -> list[list[int] | None]:
    """Completions; None where prompt and completion would not fit the context."""
    fits = [place for place, prompt in enumerate(prompts) if len(prompt.ids) + max_tokens <= engine.context]
    completions: list[list[int] | None] = [None] * len(prompts)
    if fits:
        written = engine.complete([prompts[p] for p in fits], stop=stop, max_tokens=max_tokens, decoding=decoding)
        for place, ids in zip(fits, written, strict=True):
            completions[place] = ids
    return completions
