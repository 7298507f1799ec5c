"""Traces + role → packed rows of token ids and labels.

In: traces, a `Vocabulary`, a `Style`, the role to train. Out: `Packed`: fixed-length rows with ids, labels (-100 where the
role does not write) and positions that restart with each transcript, from which transformers builds a mask that keeps
transcripts apart. One sequence per problem: the same supervised tokens as one example per step, a quarter of the compute.
Knows nothing of where traces come from, of run folders or of training loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from socratic.bars import counted
from socratic.dialect import Results, Role, Style
from socratic.errors import DataError
from socratic.schema import Trace, Training
from socratic.transcript import lesson, taught
from socratic.vocabulary import Vocabulary
from socratic.whole import whole

IGNORED = -100  # torch's label for "no loss here"
CHUNK = 2048  # traces that are tokenised in one pass
OPEN_ROWS = 16  # that are being filled: under 6 % padding (next-fit: 20 %), and transcripts stay near their place in the order


def written_by(training: Training, style: Style) -> frozenset[Role]:
    """The segments that carry loss; for a role that writes every trace in the same way (transcript.taught)."""
    roles = {
        Training.DECOMPOSER: {Role.DECOMPOSER},
        Training.SOLVER: {Role.SOLVER},
        Training.UNIFIED: {Role.DECOMPOSER, Role.SOLVER},
        Training.QUESTIONS: {Role.DECOMPOSER},
        Training.COT: {Role.SOLVER},
        Training.ANSWER: {Role.SOLVER},
        Training.PLANNER: {Role.GUIDE},
    }[training]
    learns_results = style.results is Results.LEARNED and Role.SOLVER in roles
    return frozenset(roles | ({Role.CALCULATOR} if learns_results else set()))


@dataclass(frozen=True, slots=True)
class Example:
    """One transcript: token ids and labels of the same length."""

    ids: list[int]
    labels: list[int]


def examples(
    traces: Iterable[Trace], vocabulary: Vocabulary, style: Style, training: Training, *, problems: bool = False
) -> Iterator[Example]:
    """Tokenise whole transcripts; labels are the ids where the role writes (and where the problem stands), IGNORED elsewhere."""
    with closing(counted(traces, "tokenising")) as stream:
        while chunk := list(islice(stream, CHUNK)):
            rendered = [lesson(trace, style, training) for trace in chunk]
            encoded = iter(vocabulary.encode_all([segment.pieces for segments in rendered for segment in segments]))
            for trace, segments in zip(chunk, rendered, strict=True):
                roles = written_by(taught(trace, training), style) | ({Role.PROBLEM} if problems else set())
                parts = [(next(encoded), segment.role in roles) for segment in segments]
                ids = [i for part, _ in parts for i in part]
                yield Example(ids, [i if learned else IGNORED for part, learned in parts for i in part])


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

    def save(self, path: Path) -> None:
        """Write an .npz; it appears whole or not at all."""
        with whole(path) as partial, partial.open("wb") as out:
            np.savez(out, ids=self.ids, labels=self.labels, positions=self.positions, too_long=self.too_long)

    @classmethod
    def load(cls, path: Path) -> Packed:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as rows:
            return cls(rows["ids"], rows["labels"], rows["positions"], int(rows["too_long"]))


@dataclass(slots=True, eq=False)
class _Row:
    """A row that is being filled; `room` is in tokens."""

    examples: list[Example]
    room: int


def pack(examples: Iterable[Example], *, length: int, pad: int) -> Packed:
    """Fill rows with whole transcripts, each into the fullest open row that has room for it.

    What is longer than a row is counted and left out. Raises DataError where nothing fits.
    """
    opened, filled, too_long = list[_Row](), list[NDArray[np.int32]](), 0
    for example in examples:
        size = len(example.ids)
        if size > length:
            too_long += 1
            continue
        row = min((row for row in opened if row.room >= size), key=lambda row: row.room, default=None)
        if row is None:
            if len(opened) == OPEN_ROWS:
                fullest = min(opened, key=lambda row: row.room)
                opened.remove(fullest)
                filled.append(_columns(fullest, pad))
            row = _Row([], length)
            opened.append(row)
        row.examples.append(example)
        row.room -= size
    filled.extend(_columns(row, pad) for row in opened)
    if not filled:
        raise DataError(f"no transcript fits into {length} tokens ({too_long} were longer)", hint="raise `length`")
    ids, labels, positions = np.stack(filled, axis=1)
    return Packed(ids, labels, positions, too_long)


def _columns(row: _Row, pad: int) -> NDArray[np.int32]:
    """Ids, labels and positions of a row, padded: (3, length)."""
    ids = [i for example in row.examples for i in example.ids]
    # The first token of a transcript is the target of nothing: what stands before it belongs to another problem.
    labels = [label for example in row.examples for label in (IGNORED, *example.labels[1:])]
    positions = [position for example in row.examples for position in range(len(example.ids))]
    # Position 0 again and again: each padding token is a transcript of its own, seen by nobody.
    padding = row.room
    return np.array([ids + [pad] * padding, labels + [IGNORED] * padding, positions + [0] * padding], dtype=np.int32)


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The first `count` packed rows as transformers' Trainer wants them."""

    def __init__(self, packed: Packed, count: int) -> None:
        self.packed, self.count = packed, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        """`input_ids`, `labels`, `position_ids`, each (length,)."""
        columns = {"input_ids": self.packed.ids, "labels": self.packed.labels, "position_ids": self.packed.positions}
        return {name: torch.from_numpy(column[row].astype(np.int64)) for name, column in columns.items()}
