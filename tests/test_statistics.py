"""Properties of statistics.py: what scipy says, what mirrors, what simulations find. Run: pytest tests/test_statistics.py"""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from socratic.statistics import Paired, bootstrap, mcnemar, smallest_difference, wilson

COUNTS = st.integers(0, 700)
TABLES = st.builds(Paired, COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda table: table.n > 0)


def swapped(table: Paired) -> Paired:
    return Paired(table.both, table.only_b, table.only_a, table.neither)


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 1319), (20, 100), (150, 1000), (1319, 1319)])
def test_wilson_is_scipys(correct: int, n: int) -> None:
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_a_table_counts_every_problem_once(right: list[tuple[bool, bool]]) -> None:
    a, b = [one for one, _ in right], [other for _, other in right]
    table = Paired.of(a, b)
    assert (table.n, table.both + table.only_a, table.both + table.only_b) == (len(right), sum(a), sum(b))
    assert table.flipped == sum(one != other for one, other in right) and Paired.of(b, a) == swapped(table)


@settings(deadline=None)
@given(TABLES)
def test_mcnemar_is_scipys_binomial_test_of_the_flips(table: Paired) -> None:
    expected = binomtest(table.only_a, table.flipped).pvalue if table.flipped else 1.0
    assert mcnemar(table) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(TABLES)
def test_only_flips_count_for_mcnemar_and_sides_do_not(table: Paired) -> None:
    assert mcnemar(table) == mcnemar(swapped(table)) == mcnemar(Paired(1, table.only_a, table.only_b, 0))


@settings(deadline=None)
@given(TABLES, st.integers(0, 3))
def test_the_interval_holds_the_difference_and_a_seed_repeats_it(table: Paired, seed: int) -> None:
    low, high = bootstrap(table, seed)
    assert -1 <= low <= table.difference <= high <= 1
    assert (low, high) == bootstrap(table, seed)


@settings(deadline=None)
@given(TABLES.filter(lambda table: table.only_a != table.only_b))
def test_swapping_the_sides_flips_the_signs_and_nothing_else(table: Paired) -> None:
    low, high = bootstrap(table, 0)
    assert bootstrap(swapped(table), 0) == (-high, -low)
    assert swapped(table).difference == -table.difference
    assert smallest_difference(swapped(table)) == smallest_difference(table)


def test_no_flips_are_no_difference() -> None:
    table = Paired(120, 0, 0, 880)
    assert (table.difference, mcnemar(table), bootstrap(table, 0), smallest_difference(table)) == (0, 1, (0, 0), None)


def test_drawing_counts_is_drawing_problems() -> None:
    table = Paired(40, 25, 45, 90)
    gains = numpy.repeat([0, -1, 1, 0], [40, 25, 45, 90])
    drawn = gains[numpy.random.default_rng(1).integers(table.n, size=(10_000, table.n), dtype=numpy.uint16)].mean(axis=1)
    assert bootstrap(table, 0) == pytest.approx(tuple(numpy.percentile(drawn, [2.5, 97.5])), abs=0.011)


def simulated(n: int, only_a: float, only_b: float, times: int) -> list[Paired]:
    """Tables of two systems whose true shares of problems that one alone gets right are these."""
    rows = numpy.random.default_rng(0).multinomial(n, [0.1, only_a, only_b, 0.9 - only_a - only_b], size=times)
    return [Paired(*(int(count) for count in row)) for row in rows]


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    bounds = [bootstrap(table, seed) for seed, table in enumerate(simulated(400, 0.10, 0.15, times=400))]
    assert sum(low <= 0.05 <= high for low, high in bounds) / 400 == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(("n", "flipped"), [(200, 0.2), (1000, 0.1), (1319, 0.3)])
def test_the_smallest_difference_is_found_about_four_times_in_five(n: int, flipped: float) -> None:
    smallest = smallest_difference(Paired(0, round(n * flipped / 2), round(n * flipped / 2), n - 2 * round(n * flipped / 2)))
    assert smallest is not None
    tables = simulated(n, (flipped - smallest) / 2, (flipped + smallest) / 2, times=1500)
    assert sum(mcnemar(table) < 0.05 for table in tables) / 1500 == pytest.approx(0.8, abs=0.05)


@settings(deadline=None)
@given(st.integers(0, 300))
def test_the_smallest_difference_exists_from_six_flips_on_and_is_at_most_their_share(flipped: int) -> None:
    smallest = smallest_difference(Paired(0, flipped, 0, 700))
    assert (smallest is None) == (flipped < 6)
    assert smallest is None or 0 < smallest <= flipped / (700 + flipped)


def test_the_smallest_difference_by_hand() -> None:
    # of 6 flips only 6 to 0 is significant: q ** 6 = 0.8, and the difference is (2q - 1) * 6 / 100
    assert smallest_difference(Paired(50, 3, 3, 44)) == pytest.approx((2 * 0.8 ** (1 / 6) - 1) * 6 / 100)
