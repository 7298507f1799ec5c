"""What votes are like, and how sure that makes. Run: pytest tests/test_confidence.py"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedDecomposer, VaryingSolver

from socratic.confidence import FILE, Calibration, Calibrations, Features, confide, load
from socratic.errors import ModelError
from socratic.orchestrator import Orchestrator
from socratic.schema import Ended

CALM = settings(deadline=None, derandomize=True, database=None)
NAMES = [place.name for place in fields(Features)]
NONE = Features(*[0.0] * len(NAMES))
ONES = Features(*[1.0] * len(NAMES))
FARM = "A farm has 3 barns with 12 cows each. It sells 6 cows. How many cows are left?"
BARNS, LEFT = "How many cows are there?", "How many are left?"


def features(*samples: tuple[str | Ended, str], calibration: Calibration | None = None, problem: str = FARM) -> Features:
    """Of a vote on the farm; each sample has two solutions, the first sample is greedy."""
    return vote(samples, calibration, problem).features


def vote(samples: Sequence[tuple[str | Ended, str]], calibration: Calibration | None = None, problem: str = FARM) -> Any:
    barns, left = zip(*samples, strict=True)
    students = ScriptedDecomposer({problem: [BARNS, LEFT]}), VaryingSolver({BARNS: barns, LEFT: left})
    calibrations = Calibrations((calibration,) if calibration else ())
    return Orchestrator(*students, calibrations=calibrations).vote(problem, samples=len(samples))


GOOD = ("<<3*12=36>>36", "<<36-6=30>>30")
BACKWARDS = ("<<3*12=36>>36", "<<6-36=-30>>-30")
WRONG = ("<<3*12=37>>37", "<<37-6=31>>31")


# Features


def test_a_clean_unanimous_vote_has_every_good_sign() -> None:
    found = features(GOOD, GOOD, GOOD)
    good = ("agreement", "lead", "greedy", "sound", "verified", "grounded", "numbers_used", "all_used", "results_used")
    assert [getattr(found, name) for name in good] == [1.0] * len(good)
    assert (found.negative, found.fraction, found.copied) == (0.0, 0.0, 0.0)
    assert (found.steps, found.numbers, found.camps) == (2.0, 3.0, 1.0)


def test_shares_count_all_samples_and_camps_those_that_vote() -> None:
    found = features(WRONG, GOOD, GOOD, BACKWARDS)
    assert (found.agreement, found.lead, found.greedy) == (0.5, 0.25, 0.0)
    assert (found.sound, found.verified, found.camps) == (0.75, 0.75, 2.0)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (BACKWARDS, {"negative": 1.0, "fraction": 0.0}),
        (("<<3*12=36>>36", "<<36/24=1.5>>1.5"), {"fraction": 1.0, "negative": 0.0, "all_used": 0.0}),
        (("<<3*12=36>>36", "<<6/1=6>>6"), {"copied": 1.0, "results_used": 0.0, "numbers_used": 1.0}),
        (("<<12-6=6>>6", "<<12+6=18>>18"), {"numbers_used": 2 / 3, "results_used": 1.0}),
        (("<<3*12=36>>36", "<<36-17=19>>19"), {"grounded": 0.5, "verified": 0.0, "sound": 1.0}),
    ],
)
def test_odd_answers_and_unused_numbers_are_seen(sample: tuple[str, str], expected: dict[str, float]) -> None:
    found = features(sample, sample)
    assert {name: getattr(found, name) for name in expected} == expected


def test_who_finds_no_numbers_in_a_problem_has_not_used_them() -> None:
    found = features(("<<60-1=59>>59", "<<59-12=47>>47"), problem="Are there more cows than barns?")
    assert (found.numbers, found.numbers_used, found.all_used) == (0.0, 0.0, 0.0)


def test_a_trace_is_as_likely_as_its_solutions_together_and_one_that_nobody_weighed_is_not() -> None:
    trace = vote([GOOD]).trace
    first, second = trace.steps
    weighed = replace(trace, steps=(replace(first, likelihood=0.5), replace(second, likelihood=0.8)))
    assert Features.of([weighed], [[weighed]], 1.0).likelihood == pytest.approx(0.4)
    assert Features.of([trace], [[trace]], 1.0).likelihood == 0.0


def test_features_read_back_and_others_are_refused() -> None:
    found = features(GOOD, BACKWARDS)
    assert Features.from_dict(json.loads(json.dumps(asdict(found)))) == found


# The probability

finite = st.floats(-1e9, 1e9)
some = st.builds(lambda values: Features(*values), st.lists(finite, min_size=len(NAMES), max_size=len(NAMES)))


@CALM
@given(some, some, finite)
def test_calibrated_probabilities_lie_between_0_and_1(weights: Features, of: Features, intercept: float) -> None:
    assert 0 < Calibration(intercept, weights, 9).probability(of) < 1


@CALM
@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=9, unique=True), st.floats(0.1, 5))
def test_more_agreement_is_never_less_sure(agreements: list[float], weight: float) -> None:
    calibration = Calibration(-2.0, replace(ONES, agreement=weight), 9)
    for model in (calibration, None):
        sure = [confide(replace(ONES, agreement=share), model).probability for share in sorted(agreements)]
        assert sure == sorted(sure)


def test_no_answer_is_never_right() -> None:
    none = (Ended.CONTEXT_FULL, "")
    for calibration in (None, Calibration(9.0, ONES, 3)):
        found = vote([none, none, none], calibration)
        assert found.trace.answer is None and found.confidence.probability == 0.0


def test_words_follow_the_number_and_an_uncalibrated_one_has_none() -> None:
    model = Calibration(0.0, replace(NONE, steps=1.0), 9)
    words = [confide(replace(ONES, steps=odds), model).words for odds in (-4.0, -0.5, 0.5, 1.5, 4.0)]
    assert words == ["unlikely", "doubtful", "rather likely", "likely", "almost sure"]
    assert str(confide(ONES, model)) == "likely (73 %)"
    assert str(confide(ONES, None)) == "not calibrated, agreement alone (100 %)"


# The file


def write(folder: Path, *rows: dict[str, object]) -> None:
    plain = {"intercept": -1.0, "weights": asdict(ONES), "samples": 9, "votes": 500}
    (folder / FILE).write_text(json.dumps({"models": [{**plain, **row} for row in rows]}))


def test_a_pair_without_the_file_has_no_calibration(tmp_path: Path) -> None:
    assert load(tmp_path) == Calibrations()
    write(tmp_path, {})
    assert load(tmp_path) == Calibrations((Calibration(-1.0, ONES, 9),))


def test_votes_get_the_nearest_model_and_single_traces_their_own_or_none(tmp_path: Path) -> None:
    write(tmp_path, {"samples": 5}, {"samples": 20})
    votes = load(tmp_path)
    assert [getattr(votes.of(k), "samples", None) for k in (1, 2, 5, 9, 40)] == [None, 5, 5, 5, 20]
    write(tmp_path, {"samples": 1})
    assert load(tmp_path).of(1) is not None and load(tmp_path).of(5) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": {**asdict(ONES), "mood": 1.0}},
        {"weights": {"agreement": 1.0}},
        {"weights": {**asdict(ONES), "lead": None}},
        {"weights": {**asdict(ONES), "lead": float("nan")}},
        {"weights": [1, 2]},
        {"intercept": float("inf")},
        {"intercept": None},
        {"samples": "many"},
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_way_on(changes: dict[str, object], tmp_path: Path) -> None:
    write(tmp_path, {}, changes)
    with pytest.raises(ModelError, match=FILE) as caught:
        load(tmp_path)
    assert "calibrate" in caught.value.hint
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ModelError, match=FILE):
        load(tmp_path)
