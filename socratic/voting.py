"""What the traces of one problem agree on.

In: k traces of one problem, the greedy one first, and a pair's calibrations. Out: a `Vote`: the trace that won, how many
gave its answer, and how sure that is. Self-consistency (Wang et al. 2022), but a trace counts for the more, the likelier
it is to be right by what it looks like alone. Knows nothing of students, or of how traces are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from socratic.answers import same_answer
from socratic.confidence import Calibration, Calibrations, Confidence, Features, confide, is_sound, is_verified
from socratic.errors import DataError
from socratic.schema import Ended, Trace

UNCALIBRATED = Calibrations()


@dataclass(frozen=True, slots=True)
class Vote:
    """What k traces agree on: the best trace of the winners, how many of the k gave its answer, and how sure that is."""

    trace: Trace
    agreeing: int
    samples: int
    features: Features
    confidence: Confidence

    def at_least(self, min_confidence: float) -> Vote:
        """The same, its answer withheld and its end `unsure` where the confidence is lower than that."""
        if self.confidence.probability >= min_confidence:
            return self
        return replace(self, trace=replace(self.trace, answer=None, ended=Ended.UNSURE))

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: the trace's, and beside it what the vote found."""
        found = {"confidence": self.confidence.probability, "calibrated": self.confidence.calibrated}
        counts = {"agreeing": self.agreeing, "samples": self.samples}
        return {**self.trace.to_dict(), **found, **counts, "features": asdict(self.features)}


def count(sampled: Sequence[Trace], calibrations: Calibrations = UNCALIBRATED) -> Vote:
    """Vote on the traces of one problem, the greedy one first; of equally many votes the earliest trace decides.

    The verified traces vote; where there is none, those without a wrong step; where there is none, all that have an answer.
    Where the pair is calibrated for single traces each counts as the square of the probability that it is right, so that a
    sure trace outweighs doubtful ones (chosen among sum, square and odds on training-side problems: experiments/LOG.md).
    """
    weights = _weights(sampled, calibrations.of(1))
    camps = _camps([place for place, weight in enumerate(weights) if weight] or range(len(sampled)), sampled)
    camps.sort(key=lambda camp: -sum(weights[place] for place in camp))  # stable: among equals the first stays first
    ranked = [[sampled[place] for place in sorted(camp, key=lambda place: -weights[place])] for camp in camps]
    support = sum(weights[place] for place in camps[0]) / (sum(weights) or 1.0)
    features = Features.of(sampled, ranked, support)
    return Vote(ranked[0][0], len(ranked[0]), len(sampled), features, confide(features, calibrations.of(len(sampled))))


def _weights(sampled: Sequence[Trace], model: Calibration | None) -> list[float]:
    """How much each trace counts; nothing, if it does not vote."""
    votes = next((kind for kind in (is_verified, is_sound) if any(map(kind, sampled))), _has_answer)
    return [_weight(trace, model) if votes(trace) else 0.0 for trace in sampled]


def _weight(trace: Trace, model: Calibration | None) -> float:
    return model.probability(Features.of([trace], [[trace]], 1.0)) ** 2 if model else 1.0


def _camps(places: Sequence[int], sampled: Sequence[Trace]) -> list[list[int]]:
    """The places of traces, those with the same answer together."""
    camps = list[list[int]]()
    for place in places:
        home = next((camp for camp in camps if _agree(sampled[camp[0]], sampled[place])), None)
        if home is None:
            camps.append([place])
        else:
            home.append(place)
    return camps


def _has_answer(trace: Trace) -> bool:
    return trace.answer is not None


def _agree(one: Trace, other: Trace) -> bool:
    if one.answer == other.answer or one.answer is None:
        return one.answer == other.answer
    try:
        return same_answer(other.answer, one.answer)
    except DataError:  # of no kind that can be compared: "1..2", as a student without calculator may write
        return False
