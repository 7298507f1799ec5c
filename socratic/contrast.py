"""Method or memory? Problems solved again with their numbers drawn anew, beside the originals.

In: gold traces of a set, a reasoner. Out: `Copies`, the problems whose numbers can be exchanged without doubt, and the same
words with other numbers, several times; a `Contrast`: accuracy on the originals and on each draw of the same problems, with
intervals, the paired test, and how many are right every time. Every prediction is kept, and a stopped run goes on where there
is a record of it. A student that works problems out is as good on the copies; one that remembers answers is not. Knows nothing
of models, files of benchmarks or terminals.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from socratic.errors import DataError
from socratic.evaluate import Reasoner, Resumable, predict, read_graded
from socratic.redraw import Plan
from socratic.resample import align
from socratic.schema import Decoding, Problem, RunRecord, Share, Trace
from socratic.statistics import LEVEL, Paired, bootstrap, mcnemar, p_text, require_scipy, wilson

ATTEMPTS: Final = 4  # for each copy: some problems have few numbers that suit
FEW: Final = "too few different numbers that suit"


@dataclass(frozen=True, slots=True)
class Copies:
    """Problems, their copies (a row for each draw, in the problems' order), and why other problems have none."""

    originals: tuple[Problem, ...]
    draws: tuple[tuple[Problem, ...], ...]
    refused: dict[str, int]

    @property
    def together(self) -> list[Problem]:
        """The originals, then draw after draw."""
        return [*self.originals, *(problem for draw in self.draws for problem in draw)]


def copy(traces: Sequence[Trace], *, draws: int, seed: int, limit: int | None = None) -> Copies:
    """Draw the numbers of each problem anew, so many times, until `limit` problems are found. Raises DataError without any."""
    found, refused = list[tuple[Problem, ...]](), Counter[str]()
    for trace in traces:
        if len(found) == limit:
            break
        plan = align(trace)
        copies = tuple(_drawn(plan, draws, seed)) if isinstance(plan, Plan) else ()
        if len(copies) == draws:
            found.append((trace.problem, *copies))
        else:
            refused[FEW if isinstance(plan, Plan) else plan.value] += 1
    if not found:
        raise DataError(f"of {len(traces):,} problems none can have other numbers without doubt", hint="give more, or other ones")
    originals, *rest = zip(*found, strict=True)
    return Copies(originals, tuple(rest), dict(refused))


def _drawn(plan: Plan, draws: int, seed: int) -> Iterator[Problem]:
    """At most so many copies with ids of their own; none asks what another asks, or has the original's answer."""
    old, count = plan.trace.problem, 0
    seen = {old.question}
    for attempt in range(ATTEMPTS * draws):
        new = plan.draw(random.Random(f"{seed} {old.id} {attempt}"))
        if count < draws and new and new.problem.question not in seen and new.problem.answer != old.answer:
            count += 1
            seen.add(new.problem.question)
            yield replace(new.problem, id=f"{old.id}-r{count}")


@dataclass(frozen=True, slots=True)
class Draw:
    """The originals (A) beside one draw of their copies (B): `difference` is B less A in 0..1 with its bounds, `p` McNemar's."""

    accuracy: Share
    table: Paired
    difference: float
    low: float
    high: float
    p: float

    @classmethod
    def of(cls, originals: Sequence[bool], copies: Sequence[bool], seed: int) -> Draw:
        """Of who is right, problem by problem."""
        table = Paired.of(originals, copies)
        return cls(_share(copies), table, table.difference, *bootstrap(table, seed), mcnemar(table))


@dataclass(frozen=True, slots=True)
class Contrast:
    """What other numbers do to a student. `always`: right on the original and on every copy."""

    dataset: str
    model: str
    calculator: bool
    n: int
    originals: Share
    draws: tuple[Draw, ...]
    always: Share
    refused: dict[str, int]
    seed: int
    record: RunRecord | None = None

    @property
    def kept(self) -> float:
        """Of the problems whose original is right, the share that is right on every copy too; 0 where none is."""
        return self.always.count / self.originals.count if self.originals.count else 0.0

    @property
    def verdict(self) -> str:
        """One plain sentence, by the first draw: more draws would be more tries at the same test."""
        first = self.draws[0]
        p = p_text(first.p)
        if first.p >= LEVEL:
            return f"no difference between originals and copies that n = {self.n:,} could show, {p}"
        harder = "harder" if first.difference < 0 else "easier"
        return f"other numbers make the problems {harder}: {100 * first.difference:+.1f} points, {p}"

    def __str__(self) -> str:
        """The figures for people, and the verdict as the last line."""
        calculator = "with" if self.calculator else "without"
        lines = [f"{self.dataset}, {calculator} calculator: {self.n:,} problems that can have other numbers without doubt"]
        lines += [f"originals  {_figures(self.originals, self.n)}"]
        for number, draw in enumerate(self.draws, 1):
            only = f"only original {draw.table.only_a:,}, only copy {draw.table.only_b:,}, {p_text(draw.p)}"
            lines += [f"draw {number:<6}{_figures(draw.accuracy, self.n)}  {100 * draw.difference:+5.1f} points; {only}"]
        lines += [f"every time {_figures(self.always, self.n)}  {100 * self.kept:.1f} % of those whose original is right"]
        return "\n".join([*lines, f"left out: {self._left_out}", self.verdict])

    @property
    def _left_out(self) -> str:
        reasons = sorted(self.refused.items(), key=lambda item: -item[1])
        return "; ".join(f"{count:,}: {reason}" for reason, count in reasons) or "none"


def contrast(
    reason: Reasoner,
    copies: Copies,
    *,
    dataset: str,
    model: str,
    decoding: Decoding,
    predictions: Path,
    record: RunRecord | None = None,
    progress: Callable[[bool], None] = lambda is_right: None,
) -> Contrast:
    """Solve originals and copies alike, and compare. `decoding` says how the reasoner writes; its seed is the bootstrap's too.

    Needs scipy.
    """
    require_scipy()  # before everything is solved
    resumable = Resumable.of(record, samples=1, decoding=decoding) if record else None
    predict(reason, copies.together, predictions, resumable=resumable, progress=progress)
    right = {graded.trace.problem.id: graded.correct for graded in read_graded(predictions)}
    originals, *rows = ([right[problem.id] for problem in row] for row in (copies.originals, *copies.draws))
    return Contrast(
        dataset=dataset,
        model=model,
        calculator=decoding.calculator,
        n=len(originals),
        originals=_share(originals),
        draws=tuple(Draw.of(originals, row, decoding.seed) for row in rows),
        always=_share([all(each) for each in zip(originals, *rows, strict=True)]),
        refused=copies.refused,
        seed=decoding.seed,
        record=record,
    )


def _share(right: Sequence[bool]) -> Share:
    return Share(sum(right), *wilson(sum(right), len(right)))


def _figures(share: Share, n: int) -> str:
    return f"{100 * share.count / n:5.1f} %  ({100 * share.low:.1f} to {100 * share.high:.1f})"
