"""Traces + role → packed rows of token ids and labels.

In: traces, a `Vocabulary`, a `Style`, the role to train. Out: `Packed`: fixed-length rows with ids, labels (-100 where the
role does not write) and positions that restart with each transcript, from which transformers builds a mask that keeps
transcripts apart. One sequence per problem: the same supervised tokens as one example per step, a quarter of the compute.
Knows nothing of benchmarks, files or training loops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from socratic.arithmetic import Known, badge, check_solution, number_value
from socratic.errors import DataError, ExpressionError
from socratic.schema import Badge, Ended, Step, Trace
from socratic.transcript import Role, Solutions, Style, render
from socratic.transcript import Results as ResultsStyle
from socratic.vocabulary import Vocabulary

IGNORED = -100  # torch's label for "no loss here"
CHUNK = 2048  # traces that are tokenised in one pass


class Training(StrEnum):
    """Which role a student is trained for; unified writes both."""

    DECOMPOSER = "decomposer"
    SOLVER = "solver"
    UNIFIED = "unified"


def written_by(training: Training, style: Style) -> frozenset[Role]:
    """The segments that carry loss."""
    roles = {
        Training.DECOMPOSER: {Role.DECOMPOSER},
        Training.SOLVER: {Role.SOLVER},
        Training.UNIFIED: {Role.DECOMPOSER, Role.SOLVER},
    }[training]
    learns_results = style.results is ResultsStyle.LEARNED and training is not Training.DECOMPOSER
    return frozenset(roles | ({Role.CALCULATOR} if learns_results else set()))


@dataclass(frozen=True, slots=True)
class Example:
    """One transcript: token ids and labels of the same length."""

    ids: list[int]
    labels: list[int]


def examples(traces: Iterable[Trace], vocabulary: Vocabulary, style: Style, training: Training) -> Iterator[Example]:
    """Tokenise whole transcripts; labels are the ids where the role writes, IGNORED elsewhere."""
    roles = written_by(training, style)
    stream = iter(traces)
    while chunk := list(islice(stream, CHUNK)):
        rendered = [render(trace, style) for trace in chunk]
        encoded = iter(vocabulary.encode_all([segment.pieces for segments in rendered for segment in segments]))
        for segments in rendered:
            parts = [(next(encoded), segment.role in roles) for segment in segments]
            ids = [i for part, _ in parts for i in part]
            yield Example(ids, [i if learned else IGNORED for part, learned in parts for i in part])


class Refused(StrEnum):
    """Why a trace is not trained on."""

    UNFINISHED = "unfinished"
    NO_EQUATION = "no equation"
    WRONG_STEP = "wrong or unreadable equation"
    WRONG_ANSWER = "last result is not the answer"
    UNGROUNDED = "an operand of a curriculum equation comes from nowhere"


def trainable(trace: Trace, style: Style) -> Trace | Refused:
    """The trace as students learn it, or why not. Equation students skip the steps that compute nothing."""
    if trace.ended is not Ended.DONE:
        return Refused.UNFINISHED
    known, steps = Known.of(trace.problem.question), list[Step]()
    for step in trace.steps:
        checks, known = check_solution(step.solution, known)
        if checks and badge(checks) in (Badge.WRONG, Badge.UNCHECKABLE):
            return Refused.WRONG_STEP
        if checks or style.solutions is Solutions.SENTENCE:
            steps.append(step)
        if badge(checks) is Badge.UNGROUNDED and trace.source.kind == "curriculum":
            return Refused.UNGROUNDED  # rounding, mostly: the families can always draw a problem that can be learned
    if not known.results:
        return Refused.NO_EQUATION
    if trace.answer is not None and not _equals(known, trace.answer):
        return Refused.WRONG_ANSWER
    return Trace(trace.problem, tuple(steps), trace.answer, trace.ended, trace.source)


def _equals(known: Known, answer: str) -> bool:
    try:
        return bool(known.results[-1] == number_value(answer))
    except ExpressionError:
        return False


def select(traces: Iterable[Trace], style: Style, refused: Counter[Refused]) -> Iterator[Trace]:
    """Keep what can be learned from; count the rest by reason in `refused`."""
    for trace in traces:
        kept = trainable(trace, style)
        if isinstance(kept, Refused):
            refused[kept] += 1
        else:
            yield kept


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of one length: ids, labels and positions, each (rows, length)."""

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    positions: NDArray[np.int32]
    too_long: int = 0  # transcripts that did not fit a row

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def supervised(self) -> int:
        """Tokens that carry loss."""
        return int((self.labels != IGNORED).sum())


def pack(examples: Iterable[Example], *, length: int, pad: int) -> Packed:
    """Fill rows with whole transcripts in the given order; what is longer than a row is counted and left out."""
    rows: list[list[Example]] = [[]]
    room, too_long = length, 0
    for example in examples:
        size = len(example.ids)
        if size > length:
            too_long += 1
            continue
        if size > room:
            rows.append([])
            room = length
        rows[-1].append(example)
        room -= size
    if not rows[0]:
        raise DataError(f"no transcript fits into {length} tokens ({too_long} were longer)", hint="raise `length`")
    filled = [_row(row, length, pad) for row in rows]
    ids, labels, positions = (np.array(column, dtype=np.int32) for column in zip(*filled, strict=True))
    return Packed(ids, labels, positions, too_long)


def _row(row: Sequence[Example], length: int, pad: int) -> tuple[list[int], list[int], list[int]]:
    ids = [i for example in row for i in example.ids]
    # The first token of a transcript is the target of nothing: what stands before it belongs to another problem.
    labels = [label for example in row for label in (IGNORED, *example.labels[1:])]
    positions = [position for example in row for position in range(len(example.ids))]
    padding = length - len(ids)
    # Position 0 again and again: each padding token is a transcript of its own, seen by nobody.
    return ids + [pad] * padding, labels + [IGNORED] * padding, positions + [0] * padding


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Packed rows as transformers' Trainer wants them."""

    def __init__(self, packed: Packed) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        """`input_ids`, `labels`, `position_ids`, each (length,)."""
        columns = {"input_ids": self.packed.ids, "labels": self.packed.labels, "position_ids": self.packed.positions}
        return {name: torch.from_numpy(column[row].astype(np.int64)) for name, column in columns.items()}
