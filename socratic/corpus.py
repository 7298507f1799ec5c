"""The data engine: many traces of the curriculum in one file, and a picture of what is in it.

In: families, how many problems, a seed, a leakage guard. Out: a JSONL of traces (`.gz` too) in which no question stands
twice and none is like a test problem, and a `Summary` with its `Coverage`; a plot where one is asked for. Traces are
drawn and written one by one: memory holds a hash for each question, and no text. The same families, seed and guard give
the same file. Knows nothing of students.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from socratic import pictures
from socratic.curriculum import Family, draw_many, dressed, load_continuations
from socratic.jsonl import write_jsonl
from socratic.leakage import Guard, LeakReport
from socratic.schema import Problem, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS: Final = 4  # for each problem that is asked for; few families have few different problems, and drawing must end
OPERATORS: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
TOPICS: Final = 20  # that are shown


@dataclass(frozen=True, slots=True)
class Coverage:
    """What problems are like: how many have so many steps, words, or a topic; and how many equations use an operator."""

    steps: Counter[int] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    words: Counter[int] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)

    def add(self, trace: Trace, topic: str) -> None:
        """Count one problem."""
        self.steps[len(trace.steps)] += 1
        self.words[len(trace.problem.question.split())] += 1
        self.topics[topic] += 1
        for step in trace.steps:
            for check in step.checks:
                self.operators.update(OPERATORS[sign] for sign in set(check.expression) & OPERATORS.keys())

    def __str__(self) -> str:
        """A table for people, each row with its shares."""
        words = sorted(self.words.elements())
        spread = " to ".join(str(words[round(share * (len(words) - 1))]) for share in (0.05, 0.95)) if words else "none"
        rows = {
            "steps": _shares(sorted(self.steps.items())),
            "equations with": _shares(self.operators.most_common()),
            "words": f"{spread} in nine of ten, {words[len(words) // 2]} in the middle one" if words else "none",
            f"topics ({len(self.topics):,})": _shares(self.topics.most_common(TOPICS)),
        }
        return "\n".join(f"{name:16} {text}" for name, text in rows.items())


def _shares(counts: Sequence[tuple[object, int]]) -> str:
    return "; ".join(f"{name}: {count:,}" for name, count in counts)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written and what was left out; `seconds` is wall time."""

    asked: int
    written: int
    duplicates: int
    leaks: LeakReport
    coverage: Coverage
    seconds: float

    def __str__(self) -> str:
        """For people: the counts, the leaks, the table of coverage."""
        few = "" if self.written == self.asked else f" of {self.asked:,} (the families have no more that differ)"
        rate = self.written / max(self.seconds, 1e-9)
        counts = f"{self.written:,} traces{few}, {rate:,.0f} a second; left out: {self.duplicates:,} duplicates"
        return f"{counts}, {self.leaks.refused.total():,} leaks\n{self.leaks}\n\n{self.coverage}"


@dataclass(slots=True)
class _Sieve:
    """Lets each question through once, and none that is like a test problem; counts what it holds back."""

    guard: Guard
    leaks: LeakReport
    duplicates: int = 0
    seen: set[int] = field(default_factory=set)

    def passes(self, problem: Problem) -> bool:
        # 8 bytes: among a million questions one of thirty million corpora loses a problem to an equal hash
        mark = int.from_bytes(blake2b(problem.question.encode(), digest_size=8).digest())
        if mark in self.seen:
            self.duplicates += 1
            return False
        self.seen.add(mark)
        leak = self.guard.leak(problem.question)
        if leak:
            self.leaks.add(problem, leak, refused=True)
        return leak is None


def write(
    out: Path,
    families: Sequence[Family],
    n: int,
    *,
    seed: int,
    guard: Guard,
    parts: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Summary:
    """Write `n` different problems that are like no test problem; the file appears whole or not at all.

    `parts`: of how many families a story may be made.
    """
    started, coverage, sieve = monotonic(), Coverage(), _Sieve(guard, LeakReport.of(guard))
    looks = Random(seed)
    drawn = draw_many(families, DRAWS * n, seed, (1, parts), load_continuations())
    fresh = (dressed(trace, looks) for trace in drawn if sieve.passes(trace.problem))
    topics = {family.id: family.topic for family in families}
    written = write_jsonl(out, _rows(islice(fresh, n), coverage, topics, progress))
    return Summary(n, written, sieve.duplicates, sieve.leaks, coverage, monotonic() - started)


def _rows(
    traces: Iterable[Trace], coverage: Coverage, topics: dict[str, str], progress: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    for trace in traces:
        coverage.add(trace, topics[trace.source.name.partition("+")[0]])
        progress()
        yield trace.to_dict()


def plot(coverage: Coverage, path: Path) -> None:
    """Draw a coverage as four panels. Needs matplotlib, of the extra [train]."""
    from matplotlib.figure import Figure  # without pyplot there is no global state and no window

    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = figure.subplots(2, 2, width_ratios=(1, 1.2))
    figure.suptitle(f"{coverage.steps.total():,} problems of {len(coverage.topics):,} topics")
    _bars(panels[0, 0], "steps per problem", sorted(coverage.steps.items()))
    _bars(panels[1, 0], "equations with an operator", coverage.operators.most_common())
    _histogram(panels[0, 1], "words per question", coverage.words)
    _rows_of_bars(panels[1, 1], f"most frequent topics (of {len(coverage.topics):,})", coverage.topics.most_common(TOPICS))
    pictures.save(figure, path)


def _bars(axes: Axes, title: str, counts: Sequence[tuple[object, int]]) -> None:
    bars = axes.bar([str(name) for name, _ in counts], [count for _, count in counts])
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_title(title, fontsize=10)


def _rows_of_bars(axes: Axes, title: str, counts: Sequence[tuple[str, int]]) -> None:
    axes.barh([name for name, _ in counts], [count for _, count in counts])
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(title, fontsize=10)


def _histogram(axes: Axes, title: str, counts: Counter[int]) -> None:
    axes.hist(list(counts), bins=range(0, max(counts, default=0) + 6, 5), weights=list(counts.values()))
    axes.set_title(title, fontsize=10)
