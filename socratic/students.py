"""Decomposer and solver: an engine that speaks the transcript, with the calculator in the loop.

In: unfinished traces. Out: the next subquestion or why there is none; a solution whose equations hold the calculator's
results, `<<48/2=24>>24`. They fit the orchestrator's two protocols by shape, and so do the students of other methods: who
asks nothing, who asks without reading solutions, who writes the answer alone. Guided students are told a plan, by a
`Planner` or by whoever else fits `Guides`. Knows nothing of loops over steps, benchmarks or training.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sympy import Rational

from socratic import dialect, readback, transcript
from socratic.arithmetic import Known, calculate, known_after, number_value
from socratic.confidence import Uses
from socratic.dialect import ASK, DONE, END, EQUALS, MARKS, RESULTS, SOLVE, Guidance, Mark, Piece, Segment, Solutions, Style
from socratic.engines import Completion, Engine, Prompt
from socratic.errors import ExpressionError, UsageError
from socratic.folders import StudentFolder, find_pair
from socratic.schema import Decoding, Ended, Problem, Solution, Trace

QUESTION_TOKENS = 40  # at most, of a subquestion
PLAN_TOKENS = 96
ANSWER_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one solution may be: tokens up to the next equals mark, how many must fit, and equations."""

    tokens: int
    least: int
    equations: int


LIMITS = {Solutions.EQUATION: Limits(24, 24, 6), Solutions.SENTENCE: Limits(128, 64, 6)}  # of StrategyQA's, 2 % exceed 64
WHOLE = {Solutions.EQUATION: Limits(128, 24, 24), Solutions.SENTENCE: Limits(192, 24, 24)}  # of all steps in one


def load_pair(name: str = "default", *, engine: str = "light") -> tuple[Decomposer, Solver]:
    """Two students from a folder (see folders). Raises ModelError."""
    asks, solves = find_pair(name)
    asking = open_engine(asks, engine)
    solving = asking if solves == asks else open_engine(solves, engine)
    return Decomposer(asking, asks.style, done_within=asks.done_within), Solver(solving, solves.style)


def open_engine(folder: StudentFolder, kind: str) -> Engine:
    """The engine for a folder; "light" is whichever runs it without torch, where one does."""
    if kind == "light" and folder.ct2.is_dir():
        from socratic.engines.ct2 import Ct2Engine

        return Ct2Engine(folder.path)
    if kind == "light" and folder.architecture in ("prefix_lm", "llama"):
        from socratic.engines.numpy import NumpyEngine

        return NumpyEngine(folder.path)
    try:
        from socratic.engines.torch import TorchEngine
    except ModuleNotFoundError as error:
        raise UsageError(f"the torch engine needs {error.name}", hint="in the checkout: pip install '.[train]'") from error
    return TorchEngine(folder.path)


class Guides(Protocol):
    """Where a guided student's plans come from."""

    def guides(self, problems: Sequence[Problem], style: Style) -> list[tuple[Piece, ...]]:
        """For each problem what transcript.guide tells of its solution, in this style."""
        ...


class Planner:
    """Predicts plans, greedily, each problem's once."""

    def __init__(self, engine: Engine, style: Style) -> None:
        self.engine, self.style = engine, style
        self.plans = dict[Problem, tuple[Piece, ...]]()

    def guides(self, problems: Sequence[Problem], style: Style) -> list[tuple[Piece, ...]]:
        """The plans, as written; `style` is the planner's own but for the solutions."""
        new = [problem for problem in dict.fromkeys(problems) if problem not in self.plans]
        end = frozenset({self.engine.vocabulary.ids[END]})
        prompts = [self._prompt(problem) for problem in new]
        written = _complete(self.engine, prompts, stop=end, most=PLAN_TOKENS, least=1, decoding=Decoding())
        for problem, plan in zip(new, written, strict=True):
            pieces = self.engine.vocabulary.decode(plan.ids if plan else [])
            self.plans[problem] = readback.read_guide(piece for piece in pieces if piece is not END)
        return [self.plans[problem] for problem in problems]

    def _prompt(self, problem: Problem) -> Prompt:
        may = frozenset({END})
        if self.style.guidance is Guidance.EQUATIONS:
            may |= dialect.allowed_marks(Known.of(problem.question), self.style) | frozenset(RESULTS)
        ids = self.engine.vocabulary.encode_segments(transcript.plan_prompt(problem, self.style))
        return Prompt(tuple(ids), _banned(self.engine, may))


class Undivided:
    """A decomposer that divides nothing: the only subquestion is empty."""

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """An empty subquestion, then DONE."""
        return [Ended.DONE if trace.steps else "" for trace in traces]


class Decomposer:
    """Asks the next subquestion.

    Where a trace has used every number of its problem and every earlier result it is done already if that is at most
    `done_within` nats less likely than another subquestion: students ask one too many (experiments/LOG.md, 2026-11-29).
    """

    def __init__(self, engine: Engine, style: Style, guides: Guides | None = None, done_within: float = 0.0) -> None:
        self.engine, self.style, self.guides, self.done_within = engine, style, guides, done_within

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """For each unfinished trace a subquestion, or DONE, CONTEXT_FULL, or NO_ANSWER where none can be read."""
        ids = self.engine.vocabulary.ids
        knowns = list(map(known_after, traces))
        contexts = _contexts(traces, self.style, self.guides)
        openings = [() if trace.steps else (ids[ASK],) for trace in traces]  # else a problem without a full stop might go on
        prompts = [self._prompt(*given) for given in zip(traces, knowns, contexts, openings, strict=True)]
        stop, most = frozenset({ids[SOLVE], ids[DONE]}), QUESTION_TOKENS
        over = self._over(traces, prompts) if self.done_within and not decoding.temperature else frozenset[int]()
        going = [place for place in range(len(traces)) if place not in over]
        written = _complete(self.engine, [prompts[place] for place in going], stop=stop, most=most, least=most, decoding=decoding)
        asked: list[str | Ended] = [Ended.DONE] * len(traces)
        for place, turn in zip(going, written, strict=True):
            asked[place] = self._read(openings[place], turn, knowns[place])
        return asked

    def _over(self, traces: Sequence[Trace], prompts: Sequence[Prompt]) -> frozenset[int]:
        """The places of traces with nothing left to use, to which being done is likely enough."""
        ids, room = self.engine.vocabulary.ids, self.engine.context - QUESTION_TOKENS
        places = [i for i, trace in enumerate(traces) if trace.steps and len(prompts[i].ids) <= room and Uses.of(trace).all]
        if not places:
            return frozenset()
        leads = self.engine.leads([prompts[place] for place in places], ids[DONE], ids[ASK])
        return frozenset(place for place, lead in zip(places, leads, strict=True) if lead > -self.done_within)

    def _prompt(self, trace: Trace, known: Known, context: list[Segment], opening: tuple[int, ...]) -> Prompt:
        own = {ASK, SOLVE, DONE} if trace.steps else {ASK, SOLVE}  # a trace without steps cannot be done
        may = dialect.allowed_marks(known, self.style) | own
        return Prompt((*self.engine.vocabulary.encode_segments(context), *opening), _banned(self.engine, may))

    def _read(self, opening: tuple[int, ...], turn: Completion | None, known: Known) -> str | Ended:
        if turn is None:
            return Ended.CONTEXT_FULL
        pieces = self.engine.vocabulary.decode([*opening, *turn.ids])
        if pieces[:1] == [DONE]:
            return Ended.DONE
        if pieces[:1] != [ASK] or pieces[-1:] != [SOLVE]:
            return Ended.NO_ANSWER
        inner = [p for p in pieces[1:-1] if p not in (ASK, DONE)]
        return readback.read_question(inner, known) or Ended.NO_ANSWER


class Ahead:
    """Asks subquestions without reading solutions.

    That is the same as writing all of them at once: each follows from the problem and the earlier ones alone.
    """

    def __init__(self, decomposer: Decomposer) -> None:
        self.decomposer = decomposer

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """What the decomposer asks of the traces without their solutions."""
        return self.decomposer.ask([transcript.unsolved(trace) for trace in traces], decoding)


class Answerer:
    """Writes the answer without a solution; it never computes."""

    def __init__(self, engine: Engine, style: Style) -> None:
        self.engine, self.style = engine, style

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        """For each trace the answer to its problem as text, or CONTEXT_FULL."""
        vocabulary, may = self.engine.vocabulary, frozenset({END})
        ids = [vocabulary.encode_segments(transcript.answer_prompt(trace.problem, self.style)) for trace in traces]
        prompts = [Prompt(tuple(prompt), _banned(self.engine, may)) for prompt in ids]
        stop = frozenset({vocabulary.ids[END]})
        written = _complete(self.engine, prompts, stop=stop, most=ANSWER_TOKENS, least=ANSWER_TOKENS, decoding=decoding)
        return [Ended.CONTEXT_FULL if turn is None else self._read(turn) for turn in written]

    def _read(self, turn: Completion) -> Solution:
        pieces = self.engine.vocabulary.decode(turn.ids)
        return Solution("".join(piece for piece in pieces if isinstance(piece, str)).strip(), math.exp(turn.log_likelihood))


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
        contexts = _contexts(traces, self.style, self.guides)
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
        prompts = [Prompt(tuple(turn.ids), _banned(self.engine, marks)) for turn, marks in zip(turns, may, strict=True)]
        most, least = self.limits.tokens, self.limits.least
        written = _complete(self.engine, prompts, stop=stop, most=most, least=least, decoding=decoding)
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


_BELOW_ZERO = re.compile(r"(?<!\S)[-\u2212]\d|\b(?:below|debt|degrees?|minus|negative|overdrawn|owes?|temperature)\b", re.I)


def _turned(pieces: Sequence[Piece], result: Rational, known: Known) -> tuple[list[Piece], str] | None:
    """A difference below zero the other way round, and its result; None where it is none, or might be meant.

    The default student goes below zero in one of twelve problems, and is then always wrong; of 7,473 solutions of GSM8K train
    four do (experiments/LOG.md, 2026-11-29).
    """
    if result >= 0 or _BELOW_ZERO.search(known.question) or any(earlier < 0 for earlier in known.results):
        return None
    parts = [part for piece in pieces for part in ([piece] if isinstance(piece, Mark) else re.split("(-)", piece)) if part]
    if parts.count("-") != 1:
        return None
    middle = parts.index("-")
    turned = [*parts[middle + 1 :], "-", *parts[:middle]]
    try:
        positive = calculate(readback.read_expression(turned, known))
    except ExpressionError:  # the minus was a sign
        return None
    return (turned, positive) if number_value(positive) == -result else None


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


def _contexts(traces: Sequence[Trace], style: Style, guides: Guides | None) -> list[list[Segment]]:
    """What a student reads of each trace, a guided one its plan too. Raises UsageError where nobody has plans."""
    if style.guidance is Guidance.NONE:
        return [transcript.render(trace, style) for trace in traces]
    if guides is None:
        hint = "run it with its planner, by `socratic.methods.reasoner`"
        raise UsageError(f"this student was trained to be told the {style.guidance.value} of a solution", hint=hint)
    plans = guides.guides([trace.problem for trace in traces], style)
    return [transcript.render(trace, style, plan) for trace, plan in zip(traces, plans, strict=True)]


def _banned(engine: Engine, may: frozenset[Mark]) -> frozenset[int]:
    """The marks that this role never writes, and the references to numbers that nobody gave."""
    return frozenset(engine.vocabulary.ids[mark] for mark in MARKS if mark not in may)


def _complete(
    engine: Engine, prompts: Sequence[Prompt], *, stop: frozenset[int], most: int, least: int, decoding: Decoding
) -> list[Completion | None]:
    """Completions of at most so many tokens, fewer where the context has no room for them; None where not even `least` fit."""
    room = [min(most, engine.context - len(prompt.ids)) for prompt in prompts]
    completions: list[Completion | None] = [None] * len(prompts)
    for tokens in sorted({tokens for tokens in room if tokens >= least}):
        fits = [place for place, fit in enumerate(room) if fit == tokens]  # by its own room: batches change nothing
        written = engine.complete([prompts[p] for p in fits], stop=stop, max_tokens=tokens, decoding=decoding)
        for place, completion in zip(fits, written, strict=True):
            completions[place] = completion
    return completions
