"""The shipped pair itself: plain problems that none of the families' authors knew, and that batches and engines agree.

The 200 problems were written for this test by somebody who saw neither families nor data sets. Nothing was fitted on them; two
ideas came from their failures (experiments/LOG.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from socratic.evaluate import grade
from socratic.orchestrator import Orchestrator
from socratic.own_problems import read_problems
from socratic.schema import Badge, Decoding, Trace

PLAIN, BROKEN = read_problems(Path(__file__).parent / "plain_problems.jsonl")
SOME, FEW = PLAIN[:40], PLAIN[:6]  # `socratic evaluate tests/plain_problems.jsonl` solves all of them


@pytest.fixture(scope="module")
def pair() -> Orchestrator:
    return Orchestrator.from_pretrained("default")


@pytest.fixture(scope="module")
def solved(pair: Orchestrator) -> list[Trace]:
    """The first 40, greedy."""
    return pair.solve_many(SOME)


def test_a_third_of_the_plain_problems_are_right(solved: list[Trace]) -> None:
    assert len(PLAIN) == 200 and not BROKEN
    right = [trace.problem.id for trace in solved if grade(trace)]
    assert len(right) >= 14, f"right: {right}"


def test_the_calculator_never_states_a_wrong_result(solved: list[Trace]) -> None:
    steps = [step for trace in solved for step in trace.steps]
    assert steps
    assert all(step.badge is not Badge.WRONG for step in steps)


def test_a_problem_alone_is_solved_as_among_others(pair: Orchestrator, solved: list[Trace]) -> None:
    assert [pair.solve(problem) for problem in FEW] == solved[: len(FEW)]


def test_same_seed_same_samples_another_seed_others(pair: Orchestrator) -> None:
    sampled = [pair.solve_many(FEW, Decoding(temperature=1.0, seed=seed)) for seed in (0, 0, 1)]
    assert sampled[0] == sampled[1]
    assert sampled[0] != sampled[2]


def test_torch_gives_the_same_traces(pair: Orchestrator) -> None:
    pytest.importorskip("torch", reason="the extra [train] is not installed")
    other = Orchestrator.from_pretrained("default", engine="torch")
    assert other.solve_many(FEW) == pair.solve_many(FEW)
