"""The shipped pair itself: plain problems that none of the families knows, and that batches and engines agree.

The 20 problems were written for this test, before the pair was trained; nothing was chosen on them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from socratic.benchmarks import read_problems
from socratic.evaluate import grade
from socratic.orchestrator import Orchestrator
from socratic.schema import Badge, Decoding

PLAIN, BROKEN = read_problems(Path(__file__).parent / "plain_problems.jsonl")


@pytest.fixture(scope="module")
def pair() -> Orchestrator:
    return Orchestrator.from_pretrained("default")


def test_half_of_twenty_plain_problems_are_right(pair: Orchestrator) -> None:
    assert len(PLAIN) == 20 and not BROKEN
    right = [trace.problem.id for trace in pair.solve_many(PLAIN) if grade(trace)]
    assert len(right) >= 10, f"right: {right}"


def test_the_calculator_never_states_a_wrong_result(pair: Orchestrator) -> None:
    steps = [step for trace in pair.solve_many(PLAIN) for step in trace.steps]
    assert steps
    assert all(step.badge is not Badge.WRONG for step in steps)


def test_batch_1_equals_batch_16(pair: Orchestrator) -> None:
    one_by_one = Orchestrator(pair.decomposer, pair.solver, name="default", batch_size=1)
    sixteen = Orchestrator(pair.decomposer, pair.solver, name="default", batch_size=16)
    assert one_by_one.solve_many(PLAIN) == sixteen.solve_many(PLAIN)


def test_same_seed_same_samples_another_seed_others(pair: Orchestrator) -> None:
    sampled = [pair.solve_many(PLAIN, Decoding(temperature=1.0, seed=seed)) for seed in (0, 0, 1)]
    assert sampled[0] == sampled[1]
    assert sampled[0] != sampled[2]


def test_torch_and_ct2_give_the_same_traces(pair: Orchestrator) -> None:
    pytest.importorskip("torch", reason="the extra [train] is not installed")
    other = Orchestrator.from_pretrained("default", engine="torch")
    assert other.solve_many(PLAIN[:8]) == pair.solve_many(PLAIN[:8])
