"""How sure a vote, or a single trace, is: from what the traces are like to a probability that its answer is right.

In: the k traces of one problem, the camps that they fall into, and a pair's `confidence.json`. Out: `Features`, and a
`Confidence`: by a logistic model with that file's weights, or by agreement alone where there is no such file. Only what a
trace itself says is read, never a gold answer. Knows nothing of students, of how votes are counted or weights are fitted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Final

from sympy import Rational

from socratic.arithmetic import Known, number_value
from socratic.errors import DataError, ExpressionError, ModelError
from socratic.schema import Badge, Check, Ended, Origin, Trace

FILE: Final = "confidence.json"  # in a pair's folder, beside decomposer/ and solver/
STEEPEST: Final = 30.0  # of the log odds, so that no probability is rounded to 0 or 1


@dataclass(frozen=True, slots=True)
class Features:
    """What a vote is like. Shares are in 0..1, yes is 1 and no is 0, the last three are counts.

    "Winner" is the camp whose votes count for most, and its first trace.
    """

    support: float  # share of what the votes count for that is the winner's
    agreement: float  # share of the k traces that are the winner's
    lead: float  # agreement less the same of the second camp
    greedy: float  # is the first of the k, the greedy one, in the winner's camp?
    sound: float  # share of the k that finished without a wrong step
    verified: float  # share of the k whose steps are all verified
    grounded: float  # share of the winner's steps, over its whole camp, that are verified
    likelihood: float  # of all the winner's solutions together, as its solver found them; 0 where nobody tells
    numbers_used: float  # share of the problem's numbers that the winner computes with
    all_used: float  # are these all?
    results_used: float  # share of the winner's results, but for the last, that it goes on computing with
    negative: float  # is the answer less than nothing?
    fraction: float  # is it a fraction where the problem has whole numbers only?
    copied: float  # is it one of the problem's numbers?
    steps: float  # of the winner
    numbers: float  # of the problem
    camps: float  # different answers that got a vote

    @classmethod
    def of(cls, sampled: Sequence[Trace], camps: Sequence[Sequence[Trace]], support: float) -> Features:
        """Read them from all k traces, the greedy one first, and the camps of those that vote, the winner first."""
        camp, k = camps[0], len(sampled)
        winner, steps = camp[0], [step for trace in camp for step in trace.steps]
        agreement = len(camp) / k if winner.answer is not None else 0.0
        second = len(camps[1]) / k if len(camps) > 1 else 0.0
        uses, answer = Uses.of(winner), _Answer.of(winner)
        return cls(
            support=support if winner.answer is not None else 0.0,
            agreement=agreement,
            lead=max(0.0, agreement - second),
            greedy=float(sampled[0] in camp),
            sound=sum(map(is_sound, sampled)) / k,
            verified=sum(map(is_verified, sampled)) / k,
            grounded=sum(step.badge is Badge.VERIFIED for step in steps) / max(1, len(steps)),
            likelihood=math.prod(step.likelihood or 0.0 for step in winner.steps),
            numbers_used=uses.numbers,
            all_used=float(uses.numbers == 1.0),
            results_used=uses.results,
            negative=float(answer.is_negative),
            fraction=float(answer.is_odd_fraction),
            copied=float(answer.is_copied),
            steps=float(len(winner.steps)),
            numbers=float(uses.given),
            camps=float(len(camps)),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Features:
        """Read the JSON shape. Raises DataError where the names are others, or a value is no finite number."""
        names = [place.name for place in fields(cls)]
        if not isinstance(data, dict) or data.keys() != set(names):
            odd = sorted(set(data) ^ set(names)) if isinstance(data, dict) else [str(data)]
            raise DataError(f"expected the features {', '.join(names)}; missing or unknown: {', '.join(odd):.80}")
        values = [data[name] for name in names]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise DataError(f"expected finite numbers as features, found {values}")
        return cls(*map(float, values))


def is_sound(trace: Trace) -> bool:
    """Whether a trace finished and has no wrong step."""
    return trace.ended is Ended.DONE and all(step.badge is not Badge.WRONG for step in trace.steps)


def is_verified(trace: Trace) -> bool:
    """Whether a trace is sound, and every step could be checked and is grounded."""
    return is_sound(trace) and all(step.badge is Badge.VERIFIED for step in trace.steps)


@dataclass(frozen=True, slots=True)
class Uses:
    """How many numbers a problem gives, and the shares of these and of the trace's own results that are computed with.

    Who finds no numbers in a problem cannot have used it, so that of none none is used; one who has no results before the last
    has left none unused.
    """

    given: int
    numbers: float
    results: float  # but for the last

    @property
    def all(self) -> bool:
        """Whether nothing that is known is left over."""
        return self.numbers == self.results == 1.0

    @classmethod
    def of(cls, trace: Trace) -> Uses:
        checks = [check for step in trace.steps for check in step.checks if check.computed]
        given = len(Known.of(trace.problem.question).numbers)
        earlier = len(checks) - 1
        return cls(
            given,
            min(1.0, _used(checks, Origin.PROBLEM) / given) if given else 0.0,
            min(1.0, _used(checks, Origin.STEP) / earlier) if earlier > 0 else 1.0,
        )


def _used(checks: Sequence[Check], origin: Origin) -> int:
    return len({operand.index for check in checks for operand in check.operands if operand.origin is origin})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What can look odd about an answer; nothing does about one that is no number."""

    is_negative: bool
    is_odd_fraction: bool
    is_copied: bool

    @classmethod
    def of(cls, trace: Trace) -> _Answer:
        given = {number.value for number in Known.of(trace.problem.question).numbers}
        value = _number(trace.answer)
        if value is None:
            return cls(False, False, False)
        return cls(bool(value < 0), value.q != 1 and all(number.q == 1 for number in given), value in given)


def _number(answer: str | None) -> Rational | None:
    try:
        return None if answer is None else number_value(answer)
    except ExpressionError:
        return None


@dataclass(frozen=True, slots=True)
class Confidence:
    """How likely an answer is right, in 0..1; without calibration it is the share of traces that agree, and no more."""

    probability: float
    calibrated: bool

    @property
    def words(self) -> str:
        """The probability in words; where nothing is calibrated, that."""
        if not self.calibrated:
            return "not calibrated, agreement alone"
        return next(words for least, words in WORDS if self.probability >= least)

    def __str__(self) -> str:
        """For people: `likely (81 %)`. Rounded down, so that nothing shows 40 % that `--min-confidence 0.4` withholds."""
        return f"{self.words} ({math.floor(100 * self.probability + 1e-9)} %)"


WORDS: Final = ((0.9, "almost sure"), (0.7, "likely"), (0.5, "rather likely"), (0.25, "doubtful"), (0.0, "unlikely"))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model: a weight for each feature. `samples` is the k of the votes that it was fitted on, 1 of single traces."""

    intercept: float
    weights: Features
    samples: int

    def probability(self, features: Features) -> float:
        """That the answer is right; never quite 0 or 1."""
        pairs = zip(astuple(self.weights), astuple(features), strict=True)
        odds = self.intercept + sum(weight * value for weight, value in pairs)
        return 1 / (1 + math.exp(-max(-STEEPEST, min(STEEPEST, odds))))


def confide(features: Features, calibration: Calibration | None) -> Confidence:
    """The confidence in a vote's answer. No answer is never right."""
    if calibration is None or not features.agreement:
        return Confidence(features.agreement, calibrated=calibration is not None)
    return Confidence(calibration.probability(features), calibrated=True)


@dataclass(frozen=True, slots=True)
class Calibrations:
    """A pair's models, one for each number of traces that it was calibrated with."""

    models: tuple[Calibration, ...] = ()

    def of(self, samples: int) -> Calibration | None:
        """For a vote of so many traces the nearest; for a single trace, which nothing agrees with, only one of its own kind."""
        alike = [model for model in self.models if (model.samples == 1) == (samples == 1)]
        return min(alike, key=lambda model: abs(model.samples - samples), default=None)


def load(folder: Path) -> Calibrations:
    """A pair's calibrations, none where its folder has no such file. Raises ModelError where the file cannot be used."""
    return read(folder / FILE)


def read(path: Path) -> Calibrations:
    """The calibrations in a file, none where there is none. Raises ModelError where it cannot be used."""
    if not path.is_file():
        return Calibrations()
    try:
        return Calibrations(tuple(map(_model, json.loads(path.read_text(encoding="utf-8"))["models"])))
    except (DataError, ValueError, KeyError, TypeError, OSError) as error:
        hint = "remove it, and write it anew with `socratic calibrate`"
        raise ModelError(f"{path} cannot be used ({error})", hint=hint) from error


def _model(row: dict[str, Any]) -> Calibration:
    intercept = float(row["intercept"])
    if not math.isfinite(intercept):
        raise DataError(f"expected a finite intercept, found {intercept}")
    return Calibration(intercept, Features.from_dict(row["weights"]), int(row["samples"]))
