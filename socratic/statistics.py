"""What counts of right and wrong answers can show: intervals, the paired test, and the smallest difference it could see.

In: counts. Out: shares, intervals in 0..1 and p values. The paired functions read `Paired`, two systems on the same problems.
Those that say so need scipy, of the extra [train]. Knows nothing of problems, files or models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Final

import numpy

from socratic.errors import needing_extra

Z95: Final = 1.959963984540054  # the normal quantile of a two-sided 95 % interval
LEVEL: Final = 0.05  # of the test
POWER: Final = 0.8  # with which it shall see the smallest difference
RESAMPLES: Final = 10_000


def wilson(correct: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, as scipy's `binomtest(...).proportion_ci(method="wilson")`, which the core lacks.

    >>> tuple(round(bound, 3) for bound in wilson(20, 100))
    (0.133, 0.289)
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = correct / n, Z95**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = Z95 / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Paired:
    """How many problems two systems, A and B, got right: both, one alone, neither."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @classmethod
    def of(cls, a: Sequence[bool], b: Sequence[bool]) -> Paired:
        """Of who is right, problem by problem."""
        pairs = list(zip(a, b, strict=True))
        return cls(*map(pairs.count, ((True, True), (True, False), (False, True), (False, False))))

    @property
    def n(self) -> int:
        """Problems."""
        return self.both + self.flipped + self.neither

    @property
    def flipped(self) -> int:
        """Problems that one alone got right; only these tell the two apart."""
        return self.only_a + self.only_b

    @property
    def difference(self) -> float:
        """Accuracy of B less that of A."""
        return (self.only_b - self.only_a) / self.n


def mcnemar(table: Paired) -> float:
    """p of McNemar's exact test: were both equally good, each flip would fall to either side like a fair coin.

    Two-sided, the p value of `scipy.stats.binomtest(only_a, flipped)`; `scipy.special` loads several times faster. Needs scipy.
    """
    return min(1.0, 2 * float(require_scipy().bdtr(min(table.only_a, table.only_b), table.flipped, 0.5)))


def p_text(p: float) -> str:
    """A p value for people."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def bootstrap(table: Paired, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the difference when the problems are drawn anew, each with both its answers.

    To draw n problems with replacement is to draw the counts of a multinomial distribution. With few flips such an
    interval is too narrow (flips of one kind alone never include 0): there the test decides.
    """
    few, many = sorted((table.only_a, table.only_b))  # so that swapped systems get the same draws
    shares = [few / table.n, many / table.n, (table.n - table.flipped) / table.n]
    drawn = numpy.random.default_rng(seed).multinomial(table.n, shares, size=RESAMPLES)
    low, high = (float(bound) / table.n for bound in numpy.percentile(drawn[:, 1] - drawn[:, 0], [2.5, 97.5]))
    return (low, high) if table.only_b >= table.only_a else (-high, -low)


def smallest_difference(table: Paired) -> float | None:
    """The smallest true difference that `mcnemar` at 5 % finds four times in five, with so many problems and flips.

    Of m flips, the test is significant where one side has c or fewer, c being the largest count with
    2 P(Bin(m, 1/2) <= c) <= 0.05. The weaker side's share of flips, q, at which that happens with 80 % power solves
    P(Bin(m, q) <= c) = 0.8, and the difference is (1 - 2q) m / n. None below 6 flips, where no outcome is significant.
    This is the power of the conditional test (Miettinen 1968, Biometrics 24, 339-352; "conditional McNemar test" in SAS's
    POWER procedure). Needs scipy.
    """
    special, flipped = require_scipy(), table.flipped
    c = int((2 * special.bdtr(numpy.arange(flipped // 2 + 1), flipped, 0.5) <= LEVEL).sum()) - 1
    return (1 - 2 * float(special.bdtri(c, flipped, POWER))) * flipped / table.n if c >= 0 else None


def require_scipy() -> ModuleType:
    """`scipy.special`: `bdtr` is the binomial distribution function, `bdtri` its inverse in the share. Raises UsageError."""
    with needing_extra("a paired test"):
        return import_module("scipy.special")
