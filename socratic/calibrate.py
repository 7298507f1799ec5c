"""Fit a pair's confidence on problems that no test set holds.

In: names of training-side data and a leakage guard; rated votes on it (see evaluate). Out: the problems; a `Fitted`: the
`Calibration`, and how good it is on votes that it was not fitted on; `confidence.json`. Logistic regression with L2 on
standardised features, by scipy, of the extra [train]. Test problems are refused. Knows nothing of students or terminals.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from socratic import benchmarks, curriculum
from socratic.confidence import Calibration, Features, read
from socratic.errors import DataError, needing_extra
from socratic.evaluate import Rated
from socratic.jsonl import is_jsonl
from socratic.leakage import TEST_WORDS, Guard, Likeness, name_words
from socratic.own_problems import read_whole
from socratic.schema import Problem
from socratic.whole import write_json

SPLITS: Final = {"gsm8k": "validation", "mawps": "train", "curriculum": "held-out"}  # that votes may be calibrated on
REPORTED: Final = TEST_WORDS | {"svamp"}  # words in a file's name; all of SVAMP is reported on
HELD_OUT: Final = 1000  # problems of the curriculum
SEED: Final = 1  # they are drawn with: `evaluate curriculum` reports on those of seed 0
FEWEST: Final = 50  # votes
FOLDS: Final = 5
PENALTY: Final = 1.0  # half of it times the squared weights is added to the summed loss
BINS: Final = 10  # of the calibration error, equally full
NEVER_LOWERS: Final = frozenset({"support", "agreement", "lead"})  # features of which more is never a reason to be less sure

Floats = NDArray[np.float64]


# Problems


@dataclass(frozen=True, slots=True)
class Chosen:
    """Problems to calibrate on, and how many were left out because they are like a test problem."""

    problems: list[Problem]
    left_out: Counter[Likeness]


def choose(name: str, guard: Guard, *, data: Path | None, limit: int) -> Chosen:
    """At most so many problems, picked at random, of a benchmark's training side, the held-out families, or a JSONL.

    Raises DataError for test sets, and for a file in which one test problem stands.
    """
    problems, left_out = list[Problem](), Counter[Likeness]()
    for problem in _read(name, data):
        leak = guard.leak(problem.question)
        if leak and leak.kind is Likeness.EXACT and name not in SPLITS:
            raise DataError(f"{name}: '{problem.id}' is the test problem '{leak.problem}' of {leak.test_set}", hint=HINT)
        if leak:
            left_out[leak.kind] += 1
        else:
            problems.append(problem)
    return Chosen(random.Random(SEED).sample(problems, min(limit, len(problems))), left_out)


HINT: Final = f"nothing is calibrated on test problems; known: {', '.join(SPLITS)}, or a JSONL with question and answer"


def _read(name: str, data: Path | None) -> list[Problem]:
    if name == "curriculum":
        _, held_out = curriculum.held_out(curriculum.load_families())
        return [trace.problem for trace in curriculum.draw_many(held_out, HELD_OUT, seed=SEED)]
    if name in SPLITS:
        return benchmarks.problems(name, SPLITS[name], data=data)
    if not is_jsonl(name):
        raise DataError(f"'{name}' has no split that votes may be calibrated on", hint=HINT)
    if found := REPORTED & name_words(Path(name).name):
        raise DataError(f"{name} is named like a test set ('{min(found)}')", hint=HINT)
    return read_whole(Path(name))


# The model


@dataclass(frozen=True, slots=True)
class Quality:
    """How good probabilities are: mean squared error (Brier score) and expected calibration error, the lower the better."""

    brier: float
    ece: float

    @classmethod
    def of(cls, votes: Sequence[Rated]) -> Quality:
        """The calibration error is over ten bins with equally many votes, sorted by confidence."""
        ranked = sorted(votes, key=lambda vote: (vote.confidence, vote.problem))
        sure, right = np.array([v.confidence for v in ranked]), np.array([float(v.correct) for v in ranked])
        gaps = [abs(float(part.sum())) for part in np.array_split(sure - right, BINS)]
        return cls(round(float(np.square(sure - right).mean()), 4), round(sum(gaps) / len(ranked), 4))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, and what is known of it: all but `accuracy` by cross-validation, on votes that it did not see.

    `held_out` are the votes with the confidence that a model without their fold gives them.
    """

    calibration: Calibration
    votes: int
    accuracy: float
    quality: Quality
    agreement_alone: Quality
    held_out: tuple[Rated, ...]

    def __str__(self) -> str:
        """For people."""

        def alone(figure: float) -> str:  # a single trace always agrees with itself
            return f" (agreement alone {figure:.4f})" if self.calibration.samples > 1 else ""

        return (
            f"fitted on {self.votes:,} votes, {100 * self.accuracy:.1f} % right; {FOLDS}-fold cross-validated:\n"
            f"Brier score {self.quality.brier:.4f}{alone(self.agreement_alone.brier)},"
            f" calibration error {self.quality.ece:.4f}{alone(self.agreement_alone.ece)}"
        )


def fit(votes: Sequence[Rated], *, samples: int, seed: int = 0) -> Fitted:
    """Fit on all votes with an answer, and on four fifths after four fifths to see how good that is."""
    known = [vote for vote in votes if vote.features.agreement]  # no answer is never right: no model is asked about it
    right = sum(vote.correct for vote in known)
    if len(known) < FEWEST or right in (0, len(known)):
        found = f"found {len(known)} votes with an answer, {right} of them right"
        raise DataError(
            f"expected at least {FEWEST} votes, right and wrong ones, {found}", hint="give more problems, or other ones"
        )
    held_out, order = list[Rated](), random.Random(seed).sample(range(len(known)), len(known))
    for fold in range(FOLDS):
        away = set(order[fold::FOLDS])
        model = _calibration([vote for place, vote in enumerate(known) if place not in away], samples)
        held_out += [replace(known[place], confidence=model.probability(known[place].features)) for place in sorted(away)]
    alone = [replace(vote, confidence=vote.features.agreement) for vote in known]
    share = right / len(known)
    return Fitted(_calibration(known, samples), len(known), share, Quality.of(held_out), Quality.of(alone), tuple(held_out))


def _calibration(votes: Sequence[Rated], samples: int) -> Calibration:
    """The weights of standardised features, told as weights of the plain ones. A feature that never varies has none."""
    plain = np.array([astuple(vote.features) for vote in votes])  # (votes, features)
    mean, spread = plain.mean(0), plain.std(0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    found = _logistic((plain - mean) / scale, np.array([float(vote.correct) for vote in votes]))
    weights = np.where(spread > 1e-9, found[1:] / scale, 0.0)
    intercept = float(found[0] - weights @ mean)
    return Calibration(intercept, Features(*map(float, weights)), samples)


def _logistic(features: Floats, right: Floats) -> Floats:
    """Intercept and weights of the least penalised log loss; the intercept has no penalty."""
    signs = 1 - 2 * right

    def loss(values: Floats) -> tuple[float, Floats]:
        odds = values[0] + features @ values[1:]
        slope = 1 / (1 + np.exp(-np.clip(odds, -500, 500))) - right
        total = np.logaddexp(0, signs * odds).sum() + PENALTY / 2 * np.square(values[1:]).sum()
        return float(total), np.concatenate([[slope.sum()], features.T @ slope + PENALTY * values[1:]])

    bounds = [(None, None), *((0, None) if place.name in NEVER_LOWERS else (None, None) for place in fields(Features))]
    done = require_scipy().minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Floats = done.x
    return weights


def require_scipy() -> Any:
    """`scipy.optimize`; UsageError where it is not installed: better before the votes than after."""
    with needing_extra("calibration"):
        return import_module("scipy.optimize")


def save(path: Path, fitted: Fitted, data: Sequence[str]) -> None:
    """Write a model into `confidence.json`, with a record of how it was made; those for other numbers of traces stay.

    Raises ModelError where a file that is there already cannot be used.
    """
    model = fitted.calibration
    weights = {name: round(weight, 6) for name, weight in asdict(model.weights).items()}
    made = {"data": list(data), "votes": fitted.votes, "accuracy": round(fitted.accuracy, 4)}
    quality = {"cross_validated": asdict(fitted.quality), "agreement_alone": asdict(fitted.agreement_alone)}
    row = {"samples": model.samples, "intercept": round(model.intercept, 6), "weights": weights, **made, **quality}
    rows = [*_others(path, model.samples), row]
    write_json(path, {"models": sorted(rows, key=lambda row: row["samples"])})


def _others(path: Path, samples: int) -> list[dict[str, Any]]:
    if not read(path).models:
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))["models"]
    return [row for row in rows if row["samples"] != samples]
