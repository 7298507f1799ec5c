"""The numpy engine: runs prefix LMs and Llamas without torch.

In: a student folder with safetensors, fp16 or int8. Out: completions. At these sizes numpy's matrix products are as fast as
anything. Prompts of one call run as one batch, padded on the left, with keys and values kept; what a prompt has in common
with one of the last call's rows is taken from there, since each round of the lockstep loop goes on from the one before.
Knows nothing of training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from socratic.engines import Prompt
from socratic.engines.llama import LlamaNetwork
from socratic.engines.networks import UNSEEN, Cache, Flags, Floats, Ids, Network
from socratic.engines.prefix import PrefixNetwork
from socratic.errors import ModelError
from socratic.folders import weights_file
from socratic.quantized import dequantize
from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary

NETWORKS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Floats]], Network]] = {  # by config.json's model_type
    "prefix_lm": PrefixNetwork,
    "llama": LlamaNetwork,
}


@dataclass(frozen=True, slots=True)
class _Past:
    """What a call has computed: each row's ids, the columns they stand in, and every layer's keys and values."""

    rows: list[tuple[int, ...]]
    columns: list[Ids]
    caches: list[Cache]

    def best(self, prompt: Sequence[int]) -> tuple[int, int]:
        """The row that begins most like a prompt, and how many ids they share; the last id of a prompt is always new."""
        shared = [_shared(row, prompt[:-1]) for row in self.rows]
        row = max(range(len(shared)), key=shared.__getitem__, default=0)
        return row, shared[row] if shared else 0


@dataclass(slots=True)
class _Batch:
    """Prompts laid out as (B, T): what is recalled, ending at column `recalled`, and what is new, ending at the last."""

    ids: Ids
    real: Flags
    recalled: int
    caches: list[Cache]

    @property
    def positions(self) -> Ids:
        """Of each id among the real ones of its row."""
        return np.maximum(self.real.cumsum(1) - 1, 0)


class NumpyEngine:
    """A network over one student's folder."""

    def __init__(self, folder: Path) -> None:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self.network = NETWORKS[config["model_type"]](config, dequantize(load_file(weights_file(folder))))
            self.vocabulary = Vocabulary.load(folder)
            if self.vocabulary.size != len(self.network.words):
                raise ValueError("weights and tokenizer.json do not belong together")
        except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
            raise ModelError(f"{folder} cannot be loaded ({error})", hint="train the student again, or fetch it anew") from error
        self.context = self.network.context
        self._past = _Past([], [], [])

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[list[int]]:
        """See `Engine.complete`."""
        distinct = list(dict.fromkeys(prompt.ids for prompt in prompts))
        if len(distinct) < len(prompts):  # samples of the same problems
            self._remember(distinct)
        batch = self._laid_out([prompt.ids for prompt in prompts], max_tokens)
        forbidden = np.zeros((len(prompts), len(self.network.words)), dtype=bool)
        for row, prompt in enumerate(prompts):
            forbidden[row, sorted(prompt.banned)] = True
        rng = np.random.default_rng(decoding.seed)

        def choose(hidden: Floats) -> Ids:
            return _choose(np.where(forbidden, UNSEEN, hidden @ self.network.words.T), decoding.temperature, rng)

        written = self._written(batch, choose, stop, max_tokens)
        self._past = _past(batch, [prompt.ids for prompt in prompts], written)
        return written

    def _remember(self, prompts: list[tuple[int, ...]]) -> None:
        """Read prompts once, for many rows to take over."""
        batch = self._laid_out(prompts, 0)
        self._read(batch)
        self._past = _past(batch, prompts, [()] * len(prompts))

    def _laid_out(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> _Batch:
        """The prompts with what is known of them in its place."""
        found = [self._past.best(prompt) for prompt in prompts]
        known = [self.network.reusable(prompt, shared) for prompt, (_, shared) in zip(prompts, found, strict=True)]
        recalled = max(known)
        width = recalled + max(len(prompt) - kept for prompt, kept in zip(prompts, known, strict=True))
        ids, real = np.zeros((len(prompts), width), dtype=int), np.zeros((len(prompts), width), dtype=bool)
        layers, heads, size = self.network.cached
        caches = [Cache.empty(len(prompts), heads, width + max_tokens, size) for _ in range(layers)]
        for row, (prompt, kept, (old, _)) in enumerate(zip(prompts, known, found, strict=True)):
            columns = np.r_[recalled - kept : recalled, width - len(prompt) + kept : width]
            ids[row, columns], real[row, columns] = prompt, True
            for cache, past in zip(caches, self._past.caches, strict=False) if kept else ():
                cache.copy(row, past, old, self._past.columns[old][:kept], end=recalled)
        for cache in caches:
            cache.filled = recalled
        return _Batch(ids, real, recalled, caches)

    def _read(self, batch: _Batch) -> Floats:
        """Hidden states of what is new in the batch; its caches then hold all of it."""
        new = slice(batch.recalled, None)
        seen = self.network.sees(batch.ids, batch.real)[:, new]
        return self.network.run(batch.ids[:, new], batch.positions[:, new], seen, batch.caches)

    def _written(self, batch: _Batch, choose: Callable[[Floats], Ids], stop: frozenset[int], max_tokens: int) -> list[list[int]]:
        """Tokens after each row, until every row has stopped."""
        hidden, real, positions = self._read(batch), batch.real, batch.positions[:, -1:]
        rows: list[list[int]] = [[] for _ in batch.ids]
        for _ in range(max_tokens):
            chosen = choose(hidden[:, -1])
            for row, token in zip(rows, chosen, strict=True):
                if not row or row[-1] not in stop:
                    row.append(int(token))
            if all(row[-1] in stop for row in rows):
                break
            real = np.concatenate([real, np.ones((len(real), 1), dtype=bool)], 1)
            positions = positions + 1
            hidden = self.network.run(chosen[:, None], positions, real[:, None, :], batch.caches)
        return rows


def _past(batch: _Batch, prompts: Sequence[tuple[int, ...]], written: Sequence[Sequence[int]]) -> _Past:
    """What the next call may take over: all but the last token written, which was not run."""
    width, rows, columns = batch.ids.shape[1], list[tuple[int, ...]](), list[Ids]()
    for real, prompt, new in zip(batch.real, prompts, written, strict=True):
        rows.append((*prompt, *new[:-1]))
        columns.append(np.r_[np.flatnonzero(real), width : width + len(new) - 1])
    return _Past(rows, columns, batch.caches)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two rows have in common at their start."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _choose(logits: Floats, temperature: float, rng: np.random.Generator) -> Ids:
    """The likeliest token of each row, or a sampled one (by Gumbel noise: the same as from the softmax)."""
    noisy = logits / np.float32(temperature) + rng.gumbel(size=logits.shape) if temperature else logits
    chosen: Ids = noisy.argmax(-1)
    return chosen
