"""Calibration: what it finds, and on what it refuses to look. Run: pytest tests/test_calibrate.py"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from socratic.calibrate import HELD_OUT, Quality, choose, fit, save
from socratic.confidence import FILE, Calibration, Features, load, read
from socratic.errors import DataError
from socratic.evaluate import Rated
from socratic.leakage import Guard
from socratic.schema import Problem

NAMES = [place.name for place in fields(Features)]
NONE = Features(*[0.0] * len(NAMES))
TRUTH = Calibration(-2.0, replace(NONE, agreement=3.0, sound=1.5, negative=-2.0, camps=-0.4, steps=-0.3), 9)


def simulated(n: int, truth: Calibration = TRUTH, seed: int = 0) -> list[Rated]:
    """Votes whose answers are right as often as the model says."""
    rng, votes = np.random.default_rng(seed), list[Rated]()
    for place in range(n):
        shares, counts = rng.random(len(NAMES) - 3), rng.integers(1, 6, size=3)
        features = replace(Features(*map(float, (*shares, *counts))), negative=float(rng.random() < 0.2), all_used=1.0)
        right = bool(rng.random() < truth.probability(features))
        votes.append(Rated(f"p{place}", features.agreement, right, features))
    return votes


def test_it_recovers_the_model_that_made_the_votes() -> None:
    fitted = fit(simulated(12_000), samples=9)
    off = [abs(TRUTH.probability(v.features) - fitted.calibration.probability(v.features)) for v in simulated(300, seed=1)]
    assert sum(off) / len(off) < 0.02 and max(off) < 0.12
    for name in ("agreement", "sound", "negative", "camps", "steps"):
        assert getattr(fitted.calibration.weights, name) == pytest.approx(getattr(TRUTH.weights, name), abs=0.3)
    assert fitted.quality.ece < 0.03 < fitted.agreement_alone.ece
    assert fitted.quality.brier < fitted.agreement_alone.brier


def test_more_agreement_never_gets_a_weight_against_it() -> None:
    contrary = replace(TRUTH, weights=replace(NONE, agreement=-3.0, lead=-1.0))
    weights = fit(simulated(400, contrary), samples=9).calibration.weights
    assert (weights.agreement, weights.lead) == (0.0, 0.0)


def test_a_feature_that_never_varies_has_no_weight() -> None:
    assert fit(simulated(200), samples=9).calibration.weights.all_used == 0.0


def test_the_same_votes_give_the_same_calibration_and_every_vote_is_held_out_once() -> None:
    votes = simulated(120)
    assert fit(votes, samples=9) == fit(votes, samples=9)
    held_out = fit(votes, samples=9).held_out
    assert sorted((v.problem, v.correct) for v in held_out) == sorted((v.problem, v.correct) for v in votes)
    assert all(0 < vote.confidence < 1 for vote in held_out)


def test_votes_without_an_answer_teach_nothing() -> None:
    votes = simulated(120)
    silent = [replace(v, correct=False, features=replace(v.features, agreement=0.0)) for v in simulated(50, seed=2)]
    assert fit([*votes, *silent], samples=9) == fit(votes, samples=9)


@pytest.mark.parametrize("votes", [[], simulated(40), [replace(v, correct=False) for v in simulated(80)]])
def test_too_few_votes_or_votes_of_one_kind_are_refused(votes: list[Rated]) -> None:
    with pytest.raises(DataError, match="at least 50 votes"):
        fit(votes, samples=9)


def test_perfect_probabilities_have_no_error_and_overconfident_ones_have() -> None:
    half = [replace(vote, confidence=0.5, correct=place % 2 == 0) for place, vote in enumerate(simulated(100))]
    assert Quality.of(half).brier == 0.25
    assert Quality.of([replace(vote, confidence=1.0) for vote in half]).ece == pytest.approx(0.5, abs=0.05)


def test_what_is_saved_is_what_a_pair_loads(tmp_path: Path) -> None:
    fitted = fit(simulated(120), samples=7)
    save(tmp_path / "pair" / FILE, fitted, ["gsm8k (500)"])
    loaded = load(tmp_path / "pair").of(7)
    assert loaded is not None and loaded.samples == 7
    for vote in fitted.held_out:
        assert loaded.probability(vote.features) == pytest.approx(fitted.calibration.probability(vote.features), abs=1e-4)
    [record] = json.loads((tmp_path / "pair" / FILE).read_text())["models"]
    assert record["data"] == ["gsm8k (500)"] and record["votes"] == 120 and "brier" in record["cross_validated"]


def test_saving_replaces_the_model_for_as_many_traces_and_keeps_the_others(tmp_path: Path) -> None:
    first, second = fit(simulated(120), samples=7), fit(simulated(120, seed=5), samples=7)
    path = tmp_path / "any name.json"
    save(path, first, [])
    save(path, replace(first, calibration=replace(first.calibration, samples=1)), [])
    save(path, second, [])
    models = read(path).models
    assert [model.samples for model in models] == [1, 7]
    assert models[1].intercept == pytest.approx(second.calibration.intercept, abs=1e-4) != models[0].intercept


# Problems

TEST = Problem("t-1", "Tom has 3 bags of 12 plums. How many plums does he have?", "36", "svamp", "test")
GUARD = Guard([TEST])


def file(folder: Path, name: str, *questions: str) -> str:
    rows = [json.dumps({"question": question, "answer": "4"}) for question in questions]
    (folder / name).write_text("\n".join(rows) + "\n")
    return str(folder / name)


@pytest.mark.parametrize(
    "name", ["svamp", "strategyqa", "gsm8k-socratic", "nonsense", "svamp.jsonl", "my-test.jsonl", "dev.jsonl"]
)
def test_test_sets_are_refused(name: str, tmp_path: Path) -> None:
    file(tmp_path, "svamp.jsonl", "How many legs have 2 dogs?")
    with pytest.raises(DataError, match=name.partition(".")[0]) as caught:
        choose(str(tmp_path / name) if "." in name else name, GUARD, data=tmp_path, limit=9)
    assert "test problems" in caught.value.hint


def test_a_file_in_which_a_test_problem_stands_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="svamp test"):
        choose(file(tmp_path, "mine.jsonl", "How many?", TEST.question.upper()), GUARD, data=None, limit=9)


def test_problems_that_are_like_a_test_problem_are_left_out_and_counted(tmp_path: Path) -> None:
    like = "Tom has 4 bags of 15 plums. How many plums does he have?"
    found = choose(file(tmp_path, "mine.jsonl", "How many legs have 2 dogs?", like), GUARD, data=None, limit=9)
    assert [problem.question for problem in found.problems] == ["How many legs have 2 dogs?"]
    assert found.left_out.total() == 1


def test_a_limit_picks_the_same_problems_again_and_not_the_first(tmp_path: Path) -> None:
    path = file(tmp_path, "mine.jsonl", *(f"How many legs have {n} dogs?" for n in range(100)))
    some = choose(path, GUARD, data=None, limit=10).problems
    assert some == choose(path, GUARD, data=None, limit=10).problems
    assert len(some) == 10 and max(int(problem.question.split()[4]) for problem in some) > 20


def test_held_out_families_are_training_side() -> None:
    found = choose("curriculum", GUARD, data=None, limit=5)
    assert len(found.problems) == 5 < HELD_OUT
    assert all(problem.answer for problem in found.problems)
