"""Cells and their scores → a table to read, to compute with, and to look at.

In: `Row`s, each a cell with one `Score` per seed. Out: a `Table` as Markdown, as JSON, and as a plot in which published
figures are marks of their own. Knows nothing of how a cell is trained or scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from socratic import pictures
from socratic.config import Cell
from socratic.errors import DataError
from socratic.schema import Report
from socratic.statistics import wilson

COLUMNS = (
    *("cell", "method", "guidance", "traces", "trained, scored on", "n", "accuracy", "95 % interval"),
    *("seeds", "published", "training", "scoring"),
)


@dataclass(frozen=True, slots=True)
class Score:
    """A cell with one seed. `trained`: seconds of its students' optimizer steps, shared students included."""

    seed: int
    trained: float
    device: str  # that trained
    report: Report

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Score:
        """Read the JSON shape, which is `asdict`'s. Raises DataError."""
        try:
            return cls(**{**data, "report": Report.from_dict(data["report"])})
        except (KeyError, TypeError) as error:
            raise DataError(f"not a cell's score: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Row:
    """A cell by the name of its file, and its scores so far."""

    name: str
    cell: Cell
    scores: tuple[Score, ...] = ()

    @property
    def n(self) -> int:
        """Problems; the same for every seed."""
        return self.scores[0].report.n

    @property
    def accuracy(self) -> float:
        """Mean over the seeds, in 0..1."""
        return sum(score.report.accuracy for score in self.scores) / len(self.scores)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the problems, at the mean over the seeds; how far seeds lie apart, the single figures show."""
        return wilson(round(self.accuracy * self.n), self.n)

    @property
    def is_oracle(self) -> bool:
        """Whether a plan comes from the test problem's own solution."""
        return self.cell.guidance != "none" and self.cell.plan == "gold"

    @property
    def guidance(self) -> str:
        """For people."""
        if self.cell.guidance == "none":
            return "none"
        return f"{self.cell.guidance}, {'gold (oracle)' if self.is_oracle else self.cell.plan}"

    def __str__(self) -> str:
        """One line for people."""
        low, high = self.interval
        each = f", seeds {_each(self.scores)}" if len(self.scores) > 1 else ""
        figures = f"{_percent(self.accuracy):>5} %  ({_percent(low)} to {_percent(high)}, n = {self.n:,}{each})"
        oracle = "  oracle" if self.is_oracle else ""
        return f"{self.name:<28} {figures}  trained {_time(self.trained)}, scored {_time(self.scored)}{oracle}"

    @property
    def trained(self) -> float:
        """Seconds, of all seeds."""
        return sum(score.trained for score in self.scores)

    @property
    def scored(self) -> float:
        """Seconds, of all seeds."""
        return sum(score.report.seconds for score in self.scores)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; accuracy and interval in 0..1, published figures in percent."""
        scores = [asdict(score) for score in self.scores]
        figures = {"n": self.n, "accuracy": self.accuracy, "low": self.interval[0], "high": self.interval[1]} if scores else {}
        cell = self.cell.model_dump(mode="json", exclude={"train"})
        return {"cell": self.name, **cell, "oracle": self.is_oracle, **figures, "seeds": len(scores), "scores": scores}


@dataclass(frozen=True, slots=True)
class Table:
    """All cells of a table; those that are not done yet have no scores."""

    name: str
    base: str
    rows: tuple[Row, ...]

    @property
    def done(self) -> tuple[Row, ...]:
        """The cells that have a score."""
        return tuple(row for row in self.rows if row.scores)

    @property
    def majorities(self) -> dict[str, Report]:
        """By benchmark, a report that says what the commonest answer would be worth: where answers are yes and no."""
        reports = (score.report for row in self.rows for score in row.scores)
        return {report.dataset: report for report in reports if report.majority}

    def __str__(self) -> str:
        """Markdown: one row a cell, a mark where a figure comes from a paper, and what one must know to read it."""
        sources = list(dict.fromkeys(p.source for row in self.rows for p in row.cell.published))
        lines = [
            f"{self.name}, base {self.base}",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"| {' | '.join('---' for _ in COLUMNS)} |",
            *(_markdown(row, sources) for row in self.rows),
            *(_majority(report) for report in self.majorities.values()),
            "",
            *self._notes(),
            *(f"[{number}] {source}" for number, source in enumerate(sources, 1)),
        ]
        return "\n".join(lines)

    def _notes(self) -> list[str]:
        scores = [score for row in self.rows for score in row.scores]
        devices = "; ".join(dict.fromkeys(score.device for score in scores))
        commits = "; ".join(dict.fromkeys(score.report.record.commit for score in scores if score.report.record))
        return [
            f"Device: {devices or '-'}. Commit: {commits or '-'}. Times are of all seeds; a shared student counts in each cell.",
            "Intervals are of the problems (Wilson), at the mean of the seeds. With the calculator. Oracle rows read a plan made "
            "from the test problem's own solution. Published figures are of other base models.",
        ]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {"table": self.name, "base": self.base, "rows": [row.to_dict() for row in self.rows]}


def _markdown(row: Row, sources: Sequence[str]) -> str:
    cell = row.cell
    published = "; ".join(f"{p.student} {p.accuracy:.1f} [{sources.index(p.source) + 1}]" for p in cell.published)
    figures = ["-"] * 6
    if row.scores:
        low, high = row.interval
        seeds = f"{len(row.scores)}" + (f" ({_each(row.scores)})" if len(row.scores) > 1 else "")
        accuracy, times = f"{_percent(row.accuracy)} %", (_time(row.trained), _time(row.scored))
        figures = [f"{row.n:,}", accuracy, f"{_percent(low)} to {_percent(high)}", seeds, *times]
    *found, trained, scored = figures
    learned = " + ".join(_source(source) for source in cell.train.get("data", ()))
    place = f"{learned}, {cell.benchmark} {cell.split}"
    parts = [row.name, cell.method, row.guidance, str(cell.samples), place, *found, published or "-", trained, scored]
    return f"| {' | '.join(parts)} |"


def _source(source: Mapping[str, Any]) -> str:
    """What config.DataSource names, or the file of its traces."""
    return "curriculum" if "curriculum" in source else str(source.get("benchmark") or Path(source["traces"]).name)


def _majority(report: Report) -> str:
    assert report.majority is not None  # by Table.majorities
    level = report.majority
    figures = f"{report.n:,} | {_percent(level.count / report.n)} % | {_percent(level.low)} to {_percent(level.high)}"
    return f"| majority level | the commonest answer | - | - | {report.dataset} | {figures} | - | - | - | - |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _each(scores: Sequence[Score]) -> str:
    return ", ".join(_percent(score.report.accuracy) for score in scores)


def plot(table: Table, path: Path) -> None:
    """Draw accuracy with its interval, a row a cell; oracles hollow, published figures as crosses. Needs matplotlib ([train])."""
    from matplotlib.figure import Figure  # without pyplot there is no global state and no window

    rows = table.done[::-1]  # matplotlib counts from below
    figure = Figure(figsize=(8, 1.5 + 0.4 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        low, high = row.interval
        axes.plot([100 * low, 100 * high], [place, place], color="tab:blue")
        axes.plot(100 * row.accuracy, place, "o", color="tab:blue", markerfacecolor="white" if row.is_oracle else "tab:blue")
        for height, other in enumerate(row.cell.published):  # names one above another, for figures lie close together
            axes.plot(other.accuracy, place, "x", color="tab:red")
            axes.annotate(other.student, (other.accuracy, place), xytext=(0, 5 + 6 * height), **_LABEL)
    for report in table.majorities.values():
        assert report.majority is not None
        axes.axvline(100 * report.majority.count / report.n, linestyle=":", color="gray")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set(title=f"{table.name}, base {table.base}", xlabel="accuracy (%), 95 % interval; hollow: oracle; x: published")
    axes.set_xlim(left=0)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    pictures.save(figure, path)


_LABEL: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 6, "color": "tab:red"}


def plot_growth(table: Table, path: Path) -> None:
    """Draw accuracy over the rationales of a problem that students learn from, where cells differ in that. Needs matplotlib."""
    from matplotlib.figure import Figure

    grown = sorted(((kept, row) for row in table.done if (kept := rationales_of(row.cell))), key=lambda one: one[0])
    if len(grown) < 2:
        return
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    accuracies, intervals = [100 * row.accuracy for _, row in grown], [row.interval for _, row in grown]
    below = [accuracy - 100 * low for accuracy, (low, _) in zip(accuracies, intervals, strict=True)]
    above = [100 * high - accuracy for accuracy, (_, high) in zip(accuracies, intervals, strict=True)]
    axes.errorbar([kept for kept, _ in grown], accuracies, yerr=[below, above], marker="o", capsize=3)
    axes.set(
        title=f"{table.name}, base {table.base}", xlabel="rationales of a problem, at most", ylabel="accuracy (%), 95 % interval"
    )
    axes.set_ylim(bottom=0)
    pictures.save(figure, path)


def rationales_of(cell: Cell) -> int | None:
    """At most how many of each problem's stored rationales, taken at random, its student learns from; None for other cells."""
    filters = [source.get("filter", {}) for source in cell.train.get("data", ())]
    is_random = len(filters) == 1 and filters[0].get("by") == "random"
    is_one = is_random and cell.samples == 1 and cell.method != "answer-only"  # who learns answers alone reads no rationale
    return int(filters[0]["keep"]) if is_one else None
