"""What the numpy engine needs of a network, and the parts that its networks share.

In: arrays. Out: `Network`, the protocol; `Linear`, a matrix with or without a bias; `Cache`, one layer's keys and values;
`attention`; `side_by_side`, which makes layers. Knows nothing of folders, prompts or sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int_]
Flags = NDArray[np.bool_]
Stored = Mapping[str, NDArray[np.generic]]  # weights by torch's names, fp16 or in eight bits (see quantized)
UNSEEN = np.float32(-1e9)
Layer = TypeVar("Layer")


class Network(Protocol):
    """A transformer whose word embeddings are its head."""

    words: Floats  # (V, D)
    context: int  # tokens it can read
    cached: tuple[int, int, int]  # layers, heads with keys of their own, the size of one

    def run(self, ids: Ids, positions: Ids, seen: Flags, caches: Sequence[Cache]) -> Floats:
        """Hidden states (B, T, D) of ids (B, T); `seen` (B, T, all columns so far) says who sees whom."""
        ...

    def sees(self, ids: Ids, real: Flags) -> Flags:
        """Who sees whom, (B, T, T): row i sees column j. What is not `real` is padding, seen by nobody."""
        ...

    def reusable(self, ids: Sequence[int], shared: int) -> int:
        """How many of the first `shared` ids have the same keys and values whatever follows them."""
        ...


def side_by_side(make: Callable[[int], Layer], count: int) -> list[Layer]:
    """Layers 0 to count - 1: to restore their weights is most of the time that loading takes, and cores share it."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(make, range(count)))


@dataclass(frozen=True, slots=True)
class Linear:
    """Weight (out, in), as torch keeps it, and bias (out,)."""

    weight: Floats
    bias: Floats | None = None

    def __call__(self, x: Floats) -> Floats:
        """Of x (…, in), as one product: numpy would make one of each row of a batch, and read the weight anew for it.

        With the weight first OpenBLAS takes a sixth less time for a few rows, as a round of the loop has them.
        """
        out: Floats = (self.weight @ x.reshape(-1, x.shape[-1]).T).T.reshape(*x.shape[:-1], -1)
        return out if self.bias is None else out + self.bias


@dataclass(slots=True)
class Cache:
    """Keys and values of one layer, (B, heads, room, size); `filled` columns of them are in use."""

    keys: Floats
    values: Floats
    filled: int = 0

    @classmethod
    def empty(cls, rows: int, heads: int, room: int, size: int) -> Cache:
        """Room for so many columns."""
        shape = (rows, heads, room, size)
        return cls(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32))

    def add(self, keys: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Append columns and return all that are in use."""
        end = self.filled + keys.shape[2]
        self.keys[:, :, self.filled : end], self.values[:, :, self.filled : end] = keys, values
        self.filled = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def only(self, rows: Ids) -> Cache:
        """A cache of some of the rows."""
        return Cache(self.keys[rows], self.values[rows], self.filled)

    def copy(self, row: int, other: Cache, other_row: int, columns: Ids, *, end: int) -> None:
        """Take over another cache's columns of one row, so that they end before column `end`."""
        start = end - len(columns)
        self.keys[row, :, start:end] = other.keys[other_row][:, columns]
        self.values[row, :, start:end] = other.values[other_row][:, columns]


def attention(queries: Floats, keys: Floats, values: Floats, seen: Flags) -> Floats:
    """Scaled dot-product attention: queries (B, heads, T, size) over keys and values (B, fewer heads, columns, size).

    Heads share keys in groups of equal size (Ainslie et al. 2023), which may be one. Out: (B, T, heads * size).
    """
    rows, heads, length, size = queries.shape
    groups = keys.shape[1]
    grouped = queries.reshape(rows, groups, -1, size)  # (B, groups, heads of a group * T, size)
    scores = (grouped @ keys.swapaxes(2, 3)).reshape(rows, groups, heads // groups, length, -1) / np.float32(np.sqrt(size))
    scores += np.where(seen, np.float32(0), UNSEEN)[:, None, None]
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed: Floats = scores.reshape(rows, groups, -1, scores.shape[-1]) @ values
    return mixed.reshape(rows, heads, length, size).transpose(0, 2, 1, 3).reshape(rows, length, heads * size)
