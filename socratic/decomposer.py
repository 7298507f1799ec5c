"""The decomposer: asks the next subquestion, or is done. Beside it who plans for it, and who divides nothing.

In: unfinished traces. Out: for each the next subquestion, or why there is none. They fit the orchestrator's `Asks` by shape.
Knows nothing of solutions but as text, of loops over steps, or of training.
"""

from __future__ import annotations

from collections.abc import Sequence

from socratic import dialect, readback, transcript
from socratic.arithmetic import Known, known_after
from socratic.confidence import Uses
from socratic.dialect import ASK, DONE, END, RESULTS, SOLVE, Guidance, Piece, Segment, Style
from socratic.engines import Completion, Engine, Prompt
from socratic.schema import Decoding, Ended, Problem, Trace
from socratic.turns import Guides, banned, complete, contexts_of

QUESTION_TOKENS = 40  # at most, of a subquestion
PLAN_TOKENS = 96


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
        contexts = contexts_of(traces, self.style, self.guides)
        openings = [() if trace.steps else (ids[ASK],) for trace in traces]  # else a problem without a full stop might go on
        prompts = [self._prompt(*given) for given in zip(traces, knowns, contexts, openings, strict=True)]
        stop, most = frozenset({ids[SOLVE], ids[DONE]}), QUESTION_TOKENS
        over = self._over(traces, prompts) if self.done_within and not decoding.temperature else frozenset[int]()
        going = [place for place in range(len(traces)) if place not in over]
        written = complete(self.engine, [prompts[place] for place in going], stop=stop, most=most, least=most, decoding=decoding)
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
        return Prompt((*self.engine.vocabulary.encode_segments(context), *opening), banned(self.engine, may))

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


class Undivided:
    """A decomposer that divides nothing: the only subquestion is empty."""

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        """An empty subquestion, then DONE."""
        return [Ended.DONE if trace.steps else "" for trace in traces]


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
        written = complete(self.engine, prompts, stop=end, most=PLAN_TOKENS, least=1, decoding=Decoding())
        for problem, plan in zip(new, written, strict=True):
            pieces = self.engine.vocabulary.decode(plan.ids if plan else [])
            self.plans[problem] = readback.read_guide(piece for piece in pieces if piece is not END)
        return [self.plans[problem] for problem in problems]

    def _prompt(self, problem: Problem) -> Prompt:
        may = frozenset({END})
        if self.style.guidance is Guidance.EQUATIONS:
            may |= dialect.allowed_marks(Known.of(problem.question), self.style) | frozenset(RESULTS)
        ids = self.engine.vocabulary.encode_segments(transcript.plan_prompt(problem, self.style))
        return Prompt(tuple(ids), banned(self.engine, may))
