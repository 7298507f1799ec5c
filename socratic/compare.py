"""Two systems on the same problems: is one better, by how much, and on which problems do they differ?

In: two predictions files that `evaluate` wrote. Out: a `Comparison`: accuracies, the paired difference with its interval,
McNemar's test, the smallest difference that could have been seen, a verdict, and every flipped problem with both traces.
Files of different problems are refused. Knows nothing of models or terminals, and grades nothing anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

from socratic.errors import DataError
from socratic.evaluate import Graded
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.schema import Trace
from socratic.statistics import LEVEL, Paired, bootstrap, mcnemar, p_text, smallest_difference, wilson


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its file, its accuracy and the 95 % interval of that, in 0..1."""

    file: str
    accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        """For people."""
        return f"{100 * self.accuracy:5.1f} %  (95 % interval {100 * self.low:.1f} to {100 * self.high:.1f})  {self.file}"


@dataclass(frozen=True, slots=True)
class Flip:
    """A problem that one alone got right, with both traces."""

    right: str  # "A" or "B"
    a: Trace
    b: Trace

    def __str__(self) -> str:
        """For people: question, gold answer, the trace of A, then that of B."""
        problem, lines = self.a.problem, list[str]()
        for name, trace in (("A", self.a), ("B", self.b)):
            lines += [f"{name}, {'right' if name == self.right else 'wrong'}:", indent(str(trace), "  ")]
        return "\n".join([f"{problem.id}: {problem.question}", f"Gold: {problem.answer}", *lines])


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two predictions files show. `difference`, `low` and `high` are B less A in 0..1; `p` is McNemar's."""

    a: Side
    b: Side
    table: Paired
    difference: float
    low: float
    high: float
    p: float
    smallest: float | None  # the smallest difference that could have been seen; None: none, with so few flips
    seed: int
    flips: tuple[Flip, ...]

    @property
    def verdict(self) -> str:
        """One plain sentence; the test decides, as the interval is too narrow where flips are few."""
        if self.p >= LEVEL:
            return f"no difference that n = {self.table.n:,} could show, {p_text(self.p)}"
        bounds = (self.low, self.high) if self.difference > 0 else (-self.high, -self.low)
        better, low, high = "B" if self.difference > 0 else "A", *(100 * bound for bound in bounds)
        return f"{better} is better: {100 * abs(self.difference):+.1f} points ({low:.1f} to {high:.1f}), {p_text(self.p)}"

    @property
    def _smallest(self) -> str:
        if self.smallest is None:
            return f"none with {self.table.flipped} flipped problems: the test needs 6"
        return f"{100 * self.smallest:.1f} points (test at 5 %, 80 % power, {self.table.flipped:,} flips in {self.table.n:,})"

    def __str__(self) -> str:
        """The figures for people, and the verdict as the last line."""
        t, low, high = self.table, 100 * self.low, 100 * self.high
        narrow = ", too narrow: few flips" if self.p >= LEVEL and not low <= 0 <= high else ""
        lines = [
            f"A {self.a}",
            f"B {self.b}",
            f"{t.n:,} problems: both right {t.both:,}, only A {t.only_a:,}, only B {t.only_b:,}, neither {t.neither:,}",
            f"B - A: {100 * self.difference:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}, paired bootstrap{narrow})",
            f"McNemar, exact: {p_text(self.p)}",
            f"smallest difference that could have been seen: {self._smallest}",
            self.verdict,
        ]
        return "\n".join(lines)

    def flipped(self, most: int | None = None) -> str:
        """The flipped problems for people, at most so many of each kind (None: all)."""
        parts = list[str]()
        for name in ("A", "B"):
            flips = [flip for flip in self.flips if flip.right == name]
            shown = flips[:most]
            few = "" if len(shown) == len(flips) else f", {len(shown):,} shown"
            parts += [f"Only {name} is right: {len(flips):,}{few}", *(str(flip) for flip in shown)]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: every figure, the verdict, every flip."""
        return {"verdict": self.verdict, "n": self.table.n, **asdict(self)}


def compare(a: Path, b: Path, *, seed: int = 0) -> Comparison:
    """Compare two predictions files of the same problems; the seed is of the bootstrap."""
    pairs = _pairs(a, b)
    table = Paired.of([one.correct for one, _ in pairs], [other.correct for _, other in pairs])
    low, high = bootstrap(table, seed)
    return Comparison(
        a=_side(a, table.both + table.only_a, table.n),
        b=_side(b, table.both + table.only_b, table.n),
        table=table,
        difference=table.difference,
        low=low,
        high=high,
        p=mcnemar(table),
        smallest=smallest_difference(table),
        seed=seed,
        flips=tuple(
            Flip("A" if one.correct else "B", one.trace, other.trace) for one, other in pairs if one.correct != other.correct
        ),
    )


def _side(path: Path, correct: int, n: int) -> Side:
    return Side(str(path), correct / n, *wilson(correct, n))


Pair = tuple[Graded, Graded]
SAME = "evaluate both on the same file or benchmark, with the same --split and --limit"


def _pairs(a: Path, b: Path) -> list[Pair]:
    """The predictions problem by problem, in A's order. Raises DataError where the files are of different problems."""
    first, second = _by_id(a), _by_id(b)
    missing = [
        f"{len(names):,} missing in {path} ({_some(names)})"
        for path, names in ((b, [name for name in first if name not in second]), (a, [n for n in second if n not in first]))
        if names
    ]
    if missing:
        raise DataError(f"expected two files of the same problems, found {' and '.join(missing)}", hint=SAME)
    pairs = [(graded, second[name]) for name, graded in first.items()]
    _check_texts(pairs)
    return pairs


def _check_texts(pairs: Sequence[Pair]) -> None:
    """Same ids are not the same problems: where a file gives no ids, its lines are numbered."""
    problems = [(one.trace.problem, other.trace.problem) for one, other in pairs]
    for what, changed in (
        ("questions", [one.id for one, other in problems if one.question != other.question]),
        ("gold answers", [one.id for one, other in problems if one.answer != other.answer]),
    ):
        if changed:
            raise DataError(
                f"expected the same {what} in both files, found {len(changed):,} others ({_some(changed)})", hint=SAME
            )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


WRITTEN = "give a .jsonl that `socratic evaluate` wrote, whole and unchanged"


def _by_id(path: Path) -> dict[str, Graded]:
    found = dict[str, Graded]()
    for where, row in read_jsonl(path):
        try:
            graded = _graded(row)
        except DataError as error:
            file = "" if found else "this is no predictions file: "
            raise DataError(f"{where}: {file}{error}", hint=WRITTEN) from error
        if graded.trace.problem.id in found:
            raise DataError(f"{where}: expected each problem once, found '{graded.trace.problem.id}' again", hint=WRITTEN)
        found[graded.trace.problem.id] = graded
    if not found:
        raise DataError(f"{path} is no predictions file: it is empty", hint=WRITTEN)
    return found


def _graded(row: dict[str, Any] | BrokenLine) -> Graded:
    if isinstance(row, BrokenLine):
        raise DataError(row.reason)
    if not isinstance(row.get("correct"), bool):
        raise DataError(f"expected true or false under 'correct', found {row.get('correct')!r:.40}")
    return Graded(Trace.from_dict(row), row["correct"])
