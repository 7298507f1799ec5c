"""One turn of a student: what it reads, what it may write, and how much there is room for.

In: unfinished traces, an engine. Out: prompts' parts, and completions. Guided students are told a plan, by whoever fits
`Guides`. Knows nothing of what a turn says, or of whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from socratic import transcript
from socratic.dialect import MARKS, Guidance, Mark, Piece, Segment, Style
from socratic.engines import Completion, Engine, Prompt
from socratic.errors import UsageError
from socratic.schema import Decoding, Problem, Trace


class Guides(Protocol):
    """Where a guided student's plans come from."""

    def guides(self, problems: Sequence[Problem], style: Style) -> list[tuple[Piece, ...]]:
        """For each problem what transcript.guide tells of its solution, in this style."""
        ...


def contexts_of(traces: Sequence[Trace], style: Style, guides: Guides | None) -> list[list[Segment]]:
    """What a student reads of each trace, a guided one its plan too. Raises UsageError where nobody has plans."""
    if style.guidance is Guidance.NONE:
        return [transcript.render(trace, style) for trace in traces]
    if guides is None:
        hint = "run it with its planner, by `socratic.methods.reasoner`"
        raise UsageError(f"this student was trained to be told the {style.guidance.value} of a solution", hint=hint)
    plans = guides.guides([trace.problem for trace in traces], style)
    return [transcript.render(trace, style, plan) for trace, plan in zip(traces, plans, strict=True)]


def banned(engine: Engine, may: frozenset[Mark]) -> frozenset[int]:
    """The marks that this role never writes, and the references to numbers that nobody gave."""
    return frozenset(engine.vocabulary.ids[mark] for mark in MARKS if mark not in may)


def complete(
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
