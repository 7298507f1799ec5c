"""The numpy engine: runs prefix LMs and Llamas without torch.

In: a student folder with safetensors, fp16 or int8. Out: completions. At these sizes numpy's matrix products are as fast as
anything. Prompts of one call run as one batch, padded on the left, with keys and values kept; what a prompt has in common
with one of the last call's rows is taken from there, since each round of the lockstep loop goes on from the one before, and
samples of a problem share all of it.
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

from socratic.engines import Completion, Prompt
from socratic.engines.llama import LlamaNetwork
from socratic.engines.networks import UNSEEN, Cache, Flags, Floats, Ids, Network, Stored
from socratic.engines.prefix import PrefixNetwork
from socratic.errors import ModelError
from socratic.folders import weights_file
from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary

ALIKE = 8  # prompts that are read together

NETWORKS: dict[str, Callable[[Mapping[str, Any], Stored], Network]] = {  # by config.json's model_type
    "prefix_lm": PrefixNetwork,
    "llama": LlamaNetwork,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """What an earlier call has computed for one prompt: ids, the columns they stand in, and its place in every layer's cache."""

    ids: tuple[int, ...]
    columns: Ids
    caches: list[Cache]
    place: int


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
        places: Ids = np.maximum(self.real.cumsum(1) - 1, 0)
        return places

    def row(self, place: int, ids: tuple[int, ...]) -> _Row:
        """What is known of one of the prompts, which has gone on to `ids`."""
        return _Row(ids, np.flatnonzero(self.real[place])[: len(ids)], self.caches, place)

    def only(self, places: Ids) -> _Batch:
        """A batch of some of the rows."""
        return _Batch(self.ids[places], self.real[places], self.recalled, [cache.only(places) for cache in self.caches])


class NumpyEngine:
    """A network over one student's folder."""

    def __init__(self, folder: Path) -> None:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self.network = NETWORKS[config["model_type"]](config, load_file(weights_file(folder)))
            self.vocabulary = Vocabulary.load(folder)
            if self.vocabulary.size != len(self.network.words):
                raise ValueError("weights and tokenizer.json do not belong together")
        except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
            raise ModelError(f"{folder} cannot be loaded ({error})", hint="train the student again, or fetch it anew") from error
        self.context = self.network.context
        self._past: list[_Row] = []

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        """See `Engine.complete`."""
        many = [prompt.ids for prompt in prompts]
        self._read_alike(many)
        batch = self._laid_out(many, max_tokens)
        self._past = []  # the batch has its own copy; the old one would stay in memory until the end
        forbidden = np.zeros((len(prompts), len(self.network.words)), dtype=bool)
        for row, prompt in enumerate(prompts):
            forbidden[row, sorted(prompt.banned)] = True
        rng = np.random.default_rng(decoding.seed)

        def choose(hidden: Floats, running: Ids) -> tuple[Ids, Floats]:
            return _choose(np.where(forbidden[running], UNSEEN, hidden @ self.network.words.T), decoding.temperature, rng)

        written, self._past = self._written(batch, many, choose, stop, max_tokens)
        return written

    def leads(self, prompts: Sequence[Prompt], one: int, other: int) -> list[float]:
        """See `Engine.leads`; what is read for it is recalled by the next call."""
        many = [prompt.ids for prompt in prompts]
        batch = self._laid_out(many, 0)
        ahead, behind = (self._read(batch)[:, -1] @ self.network.words[[one, other]].T).T
        self._past += [batch.row(place, ids) for place, ids in enumerate(many)]
        return [float(lead) for lead in ahead - behind]

    def _read_alike(self, prompts: Sequence[tuple[int, ...]]) -> None:
        """Read what prompts do not have in common with the past, where a batch of all would be padding or repetition to a third.

        Prompts of about the same length are read together, each once.
        """
        new = {prompt: len(prompt) - self._recall(prompt)[1] for prompt in prompts}
        if 1.5 * sum(new.values()) > len(prompts) * max(new.values()):
            return
        order = sorted((prompt for prompt in new if self.network.reusable(prompt, len(prompt) - 1)), key=new.__getitem__)
        rows = list[_Row]()
        for start in range(0, len(order), ALIKE):
            batch = self._laid_out(group := order[start : start + ALIKE], 0)
            self._read(batch)
            rows += [batch.row(place, prompt) for place, prompt in enumerate(group)]
        self._past += rows

    def _recall(self, prompt: tuple[int, ...]) -> tuple[_Row | None, int]:
        """The row of the past that begins most like a prompt, and how many ids it spares; a prompt's last id is always new."""
        shared = [_shared(row.ids, prompt[:-1]) for row in self._past]
        most = max(shared, default=0)
        spared = self.network.reusable(prompt, most)
        return (self._past[shared.index(most)] if spared else None), spared

    def _laid_out(self, prompts: Sequence[tuple[int, ...]], max_tokens: int) -> _Batch:
        """The prompts with what is known of them in its place."""
        found = [self._recall(prompt) for prompt in prompts]
        recalled = max(kept for _, kept in found)
        width = recalled + max(len(prompt) - kept for prompt, (_, kept) in zip(prompts, found, strict=True))
        ids, real = np.zeros((len(prompts), width), dtype=int), np.zeros((len(prompts), width), dtype=bool)
        layers, heads, size = self.network.cached
        caches = [Cache.empty(len(prompts), heads, width + max_tokens, size) for _ in range(layers)]
        for place, (prompt, (old, kept)) in enumerate(zip(prompts, found, strict=True)):
            columns = np.r_[recalled - kept : recalled, width - len(prompt) + kept : width]
            ids[place, columns], real[place, columns] = prompt, True
            if old:
                for cache, past in zip(caches, old.caches, strict=True):
                    cache.copy(place, past, old.place, old.columns[:kept], end=recalled)
        for cache in caches:
            cache.filled = recalled
        return _Batch(ids, real, recalled, caches)

    def _read(self, batch: _Batch) -> Floats:
        """Hidden states of what is new in the batch; its caches then hold all of it."""
        new = slice(batch.recalled, None)
        seen = self.network.sees(batch.ids, batch.real)[:, new]
        return self.network.run(batch.ids[:, new], batch.positions[:, new], seen, batch.caches)

    def _written(
        self,
        batch: _Batch,
        prompts: Sequence[tuple[int, ...]],
        choose: Callable[[Floats, Ids], tuple[Ids, Floats]],
        stop: frozenset[int],
        max_tokens: int,
    ) -> tuple[list[Completion], list[_Row]]:
        """Tokens after each prompt until its stop, and what the next call may recall. When half has stopped, the rest goes on."""
        hidden, positions = self._read(batch), batch.positions[:, -1:]
        written: list[list[int]] = [[] for _ in prompts]
        past, running, likely = dict[int, _Row](), np.arange(len(prompts)), np.zeros(len(prompts))
        for _ in range(max_tokens):
            chosen, gains = choose(hidden[:, -1], running)
            for place, (number, token) in enumerate(zip(running.tolist(), chosen.tolist(), strict=True)):
                if number not in past:
                    written[number].append(token)
                    likely[number] += gains[place]
                    if token in stop or len(written[number]) == max_tokens:
                        past[number] = batch.row(place, (*prompts[number], *written[number][:-1]))
            going = np.flatnonzero([number not in past for number in running.tolist()])
            if not len(going):
                break
            if 2 * len(going) <= len(running):
                batch, running, chosen, positions = batch.only(going), running[going], chosen[going], positions[going]
            batch.real = np.concatenate([batch.real, np.ones((len(running), 1), dtype=bool)], 1)
            positions = positions + 1
            hidden = self.network.run(chosen[:, None], positions, batch.real[:, None, :], batch.caches)
        completions = list(map(Completion, written, likely.tolist()))
        return completions, [past[number] for number in range(len(prompts))]


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two rows have in common at their start."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _choose(logits: Floats, temperature: float, rng: np.random.Generator) -> tuple[Ids, Floats]:
    """The likeliest token of each row, or a sampled one (Gumbel noise does what the softmax does), and its log-likelihood."""
    noisy = logits / np.float32(temperature) + rng.gumbel(size=logits.shape) if temperature else logits
    chosen: Ids = noisy.argmax(-1)
    ahead = logits - logits[np.arange(len(logits)), chosen, None]
    highest = ahead.max(-1)
    return chosen, -(highest + np.log(np.exp(ahead - highest[:, None]).sum(-1)))
