"""Risk and coverage: how often are the answers right that a vote is most sure of?

In: rated votes (see evaluate). Out: a `RiskCoverage`: accuracy with its interval among the most confident 10 % to 100 %, the
same at a confidence that is asked for, and the area under the risk-coverage curve (AURC); a plot where one is asked for.
Equally confident votes stand in an order that hangs on the problems' ids alone. Knows nothing of how confidence is made.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from socratic import pictures
from socratic.errors import DataError
from socratic.evaluate import Rated
from socratic.statistics import wilson

SHARES: Final = (0.1, 0.25, 0.5, 0.75, 1.0)
HALF: Final = 0.5
FEWEST: Final = 10  # votes that the plot's curve begins with; the risk of fewer jumps up and down


@dataclass(frozen=True, slots=True)
class Point:
    """The `n` most confident votes, as a share of all; `low` and `high` bound the accuracy, `confidence` is the least of them."""

    coverage: float
    n: int
    correct: int
    low: float
    high: float
    confidence: float

    @property
    def accuracy(self) -> float:
        """Share of these that is right; its complement is the risk."""
        return self.correct / self.n if self.n else 0.0

    def __str__(self) -> str:
        """One row for people."""
        bounds, sure = f"{100 * self.low:5.1f} to {100 * self.high:5.1f}", f"{100 * self.confidence:9.1f} %"
        return f"{100 * self.coverage:7.1f} %  {self.n:6,}  {100 * self.accuracy:7.1f} %  {bounds}  {sure}"


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Accuracy by coverage; `asked`: of votes from `min_confidence` on; `aurc`: the mean risk over all coverages, low is good."""

    points: tuple[Point, ...]
    min_confidence: float
    asked: Point
    aurc: float

    @property
    def lift(self) -> float:
        """How many times as often as the whole the most confident half is right; 0 where nothing is."""
        half = self.points[SHARES.index(HALF)]
        return half.accuracy / self.points[-1].accuracy if self.points[-1].correct else 0.0

    def __str__(self) -> str:
        """A table for people."""
        head = " coverage    votes  accuracy    95 % interval  confidence from"
        sums = f"the most confident half is right {self.lift:.2f} times as often as the whole; AURC {self.aurc:.3f}"
        rows = dict.fromkeys(map(str, self.points))  # of few votes, several shares are the same ones
        return "\n".join([head, *rows, sums, *self._asked()])

    def _asked(self) -> list[str]:
        p, least = self.asked, 100 * self.min_confidence
        right = f"{100 * p.accuracy:.1f} % of these right ({100 * p.low:.1f} to {100 * p.high:.1f}; {p.correct} of {p.n})"
        return [f"from a confidence of {least:.0f} %: {100 * p.coverage:.1f} % answered, {right}"] if least else []


def measure(votes: Sequence[Rated], min_confidence: float = 0.0) -> RiskCoverage:
    """The curve's points and area. Raises DataError where there are no votes."""
    if not votes:
        raise DataError(
            "there are no votes to draw a risk-coverage curve of", hint="evaluate with --samples 9, or a calibrated pair"
        )
    ranked = rank(votes)
    sizes = [max(1, round(share * len(ranked))) for share in SHARES]
    sure = sum(vote.confidence >= min_confidence for vote in ranked)
    points, asked = tuple(_point(ranked, n) for n in sizes), _point(ranked, sure)
    return RiskCoverage(points, min_confidence, asked, sum(risks(ranked)) / len(ranked))


def rank(votes: Sequence[Rated]) -> list[Rated]:
    """The most confident first; among equals neither the file's order nor the answer decides."""
    return sorted(votes, key=lambda vote: (-vote.confidence, zlib.crc32(vote.problem.encode()), vote.problem))


def risks(ranked: Sequence[Rated]) -> list[float]:
    """The share of wrong answers among the first, the first two, … of them."""
    return [wrong / n for n, wrong in enumerate(accumulate(not vote.correct for vote in ranked), 1)]


def _point(ranked: Sequence[Rated], n: int) -> Point:
    correct = sum(vote.correct for vote in ranked[:n])
    return Point(n / len(ranked), n, correct, *wilson(correct, n), ranked[n - 1].confidence if n else 1.0)


def plot(votes: Sequence[Rated], path: Path, title: str) -> None:
    """Draw the curve, its 95 % interval, and the risk of the whole. Needs matplotlib, of the extra [train]."""
    from matplotlib.figure import Figure  # without pyplot there is no global state and no window

    ranked = rank(votes)
    points = [_point(ranked, n) for n in range(min(FEWEST, len(ranked)), len(ranked) + 1)]
    coverages = [100 * point.coverage for point in points]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(coverages, [100 - 100 * p.high for p in points], [100 - 100 * p.low for p in points], alpha=0.2)
    axes.plot(coverages, [100 - 100 * point.accuracy for point in points], label="most confident first")
    axes.axhline(100 - 100 * points[-1].accuracy, linestyle=":", color="gray", label="in any order")
    axes.set(title=title, xlabel="answered (%)", ylabel="wrong among these (%)", xlim=(0, 100), ylim=(0, 100))
    axes.legend(frameon=False)
    pictures.save(figure, path)
