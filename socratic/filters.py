"""From many samples of each problem to a training set: SCoTD's filters, and its balanced sampler.

In: traces, several of one problem, and a budget. Out: some of them, in their order; of each problem at least one, and all
where it has no more than the budget. The same seed chooses the same, and what is chosen of one problem does not hang on the
others (but open-endedness ranks problems). Knows nothing of right and wrong, or of how students read a trace; what models
say of texts is the business of `scores`, which is loaded where a filter needs it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from socratic.bars import counted
from socratic.errors import DataError, UsageError, needing_extra
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.schema import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from socratic.config import Filter

Groups = dict[str, list[int]]  # places of each problem's samples, problems in the order of their first


@dataclass(frozen=True, slots=True)
class Sample:
    """A trace, and the mean log-probability of its tokens under the teacher, where the server told it."""

    trace: Trace
    logprob: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: a trace's, with `logprob` beside it."""
        return {**self.trace.to_dict(), **({} if self.logprob is None else {"logprob": self.logprob})}


def read(path: Path) -> list[Sample]:
    """The samples of a JSONL of traces; a line may have a `logprob` beside the trace. Raises DataError."""
    samples = list[Sample]()
    for where, row in counted(read_jsonl(path), f"reading {path.name}"):
        if isinstance(row, BrokenLine):
            raise DataError(f"{row.where}: {row.reason}", hint="traces must be whole; mend or remove the line")
        logprob = row.get("logprob")
        try:
            trace = Trace.from_dict(row)
            samples.append(Sample(trace, None if logprob is None else float(logprob)))
        except (DataError, TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}") from error
    return samples


def select(samples: Sequence[Sample], budget: Filter, *, seed: int = 0) -> list[Sample]:
    """The samples within a budget. Raises UsageError, ModelError."""
    groups = grouped(sample.trace for sample in samples)
    texts = [text_of(sample.trace) for sample in samples]
    match budget.by:
        case "random":
            places = at_random(groups, budget.keep, seed)
        case "diversity":
            places = diverse(groups, _embedded(texts, budget.model), budget.keep, seed)
        case "likelihood":
            places = likeliest(groups, _logprobs(samples, texts, budget.model), budget.keep)
        case "open-endedness":
            places = open_ended(groups, texts, budget.keep, seed)
    return [samples[place] for place in places]


def grouped(traces: Iterable[Trace]) -> Groups:
    """Each problem's places."""
    groups = Groups()
    for place, trace in enumerate(traces):
        groups.setdefault(f"{trace.problem.dataset} {trace.problem.id}", []).append(place)
    return groups


def text_of(trace: Trace) -> str:
    """What the teacher wrote, as running text."""
    return " ".join(part for step in trace.steps for part in (step.question, step.plain) if part)


def _embedded(texts: Sequence[str], model: str) -> NDArray[Any]:
    from socratic.scores import embed

    return embed(texts, model or "minilm")


def _logprobs(samples: Sequence[Sample], texts: Sequence[str], model: str) -> list[float]:
    """The teacher's own, or those of a local model for all: those of two models can't be compared."""
    told = [sample.logprob for sample in samples if sample.logprob is not None]
    if len(told) == len(samples):
        return told
    if not model:
        lacking = f"{len(samples) - len(told)} of {len(samples)} samples have no `logprob`"
        raise UsageError(f"{lacking}, which teacher likelihood needs", hint="name a causal LM that scores them: --model")
    from socratic.scores import mean_logprobs

    return mean_logprobs([(sample.trace.problem.question, text) for sample, text in zip(samples, texts, strict=True)], model)


# The four filters: places in, places out


def at_random(groups: Groups, keep: int, seed: int) -> list[int]:
    """`keep` of each problem at random: the null hypothesis of the others."""
    return sorted(place for key, places in groups.items() for place in _some(places, keep, f"{seed} {key}"))


def _some(places: Sequence[int], keep: int, seed: str) -> Sequence[int]:
    return Random(seed).sample(places, keep) if len(places) > keep else places


def diverse(groups: Groups, vectors: NDArray[Any], keep: int, seed: int) -> list[int]:
    """One at random of each of `keep` clusters: Ward's hierarchical clustering of the rationales' embeddings. Needs scipy."""
    chosen = list[int]()
    for key, places in counted(groups.items(), "clustering"):
        rng = Random(f"{seed} {key}")
        chosen += [rng.choice(cluster) for cluster in _clusters(places, vectors[places], keep)]
    return sorted(chosen)


def _clusters(places: Sequence[int], vectors: NDArray[Any], keep: int) -> list[list[int]]:
    if len(places) <= keep:
        return [[place] for place in places]
    with needing_extra("clustering"):
        hierarchy = import_module("scipy.cluster.hierarchy")
    # cut_tree and not fcluster, which finds fewer clusters than it is asked for where samples are alike.
    numbers = hierarchy.cut_tree(hierarchy.linkage(vectors, method="ward"), n_clusters=keep)[:, 0]
    return [[place for place, number in zip(places, numbers, strict=True) if number == wanted] for wanted in range(keep)]


def likeliest(groups: Groups, logprobs: Sequence[float], keep: int) -> list[int]:
    """The `keep` of each problem with the highest mean log-probability; of equal ones the earlier."""
    return sorted(place for places in groups.values() for place in sorted(places, key=lambda p: -logprobs[p])[:keep])


def open_ended(groups: Groups, texts: Sequence[str], keep: int, seed: int) -> list[int]:
    """More of the problems that can be explained in many ways: random ones, as many as `quotas` gives to the problem's quintile.

    Problems are ranked by the distinct bigrams of all their samples; of equal ones the earlier comes first.
    """
    spread = {key: len(_bigrams(texts[place] for place in places)) for key, places in counted(groups.items(), "counting bigrams")}
    ranked = sorted(groups, key=spread.__getitem__)
    quota = {key: quotas(keep)[5 * rank // len(ranked)] for rank, key in enumerate(ranked)}
    return sorted(place for key, places in groups.items() for place in _some(places, quota[key], f"{seed} {key}"))


def quotas(keep: int) -> tuple[int, ...]:
    """Samples of a problem in each quintile, `keep` on average, from one up: the paper's 1, 3, 5, 7 and 9 for 5."""
    return tuple(round(1 + quintile * (keep - 1) / 2) for quintile in range(5))


def _bigrams(texts: Iterable[str]) -> set[tuple[str, str]]:
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    return {pair for one in words for pair in itertools.pairwise(one)}


def balanced(traces: Sequence[Trace], visits: int, seed: int) -> list[Trace]:
    """SCoTD's sampler: a visit is one random trace of each problem, an epoch as long as there are problems."""
    groups = grouped(traces)
    draws = {key: Random(f"{seed} {key}") for key in groups}
    return [traces[draws[key].choice(places)] for _ in range(visits) for key, places in groups.items()]
