"""The numpy engine: runs a `PrefixLM` without torch.

In: a student folder with safetensors. Out: completions. CTranslate2 reads a prompt from left to right only, and a prefix LM
reads the problem in both directions; at this size numpy's matrix products are as fast as anything. Prompts of one call run
as one batch, padded on the left, with keys and values kept. Knows nothing of training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from socratic.engines import Prompt
from socratic.errors import ModelError
from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary

Floats = NDArray[np.float32]
UNSEEN = np.float32(-1e9)


@dataclass(frozen=True, slots=True)
class _Affine:
    """A weight (in, out) and its bias, or a norm's scale and shift."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        out: Floats = x @ self.weight + self.bias
        return out

    def norm(self, x: Floats, epsilon: float) -> Floats:
        """Layer norm over the last axis."""
        centred = x - x.mean(-1, keepdims=True)
        scale: Floats = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(epsilon))
        out: Floats = centred / scale * self.weight + self.bias
        return out


@dataclass(frozen=True, slots=True)
class _Layer:
    """One of BERT's: attention and its norm, the two halves of the MLP and their norm."""

    attend: _Affine  # query, key and value beside each other
    attended: _Affine
    attended_norm: _Affine
    up: _Affine
    down: _Affine
    norm: _Affine


@dataclass(slots=True)
class _Cache:
    """Keys and values of one layer, (B, heads, room, size); `filled` columns of them are in use."""

    keys: Floats
    values: Floats
    filled: int = 0

    def add(self, keys: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Append columns and return all that are in use."""
        end = self.filled + keys.shape[2]
        self.keys[:, :, self.filled : end], self.values[:, :, self.filled : end] = keys, values
        self.filled = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class NumpyEngine:
    """A prefix LM over one student's folder."""

    def __init__(self, folder: Path) -> None:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            stored = load_file(folder / "model.safetensors")
            weights = {name.removeprefix("bert."): array.astype(np.float32) for name, array in stored.items()}
            self.heads, self.epsilon = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
            self.context, self.ask_id = int(config["max_position_embeddings"]), int(config["ask_id"])
            self.words = weights["embeddings.word_embeddings.weight"]
            self.places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
            self.norm = _affine(weights, "embeddings.LayerNorm")
            self.layers = [_layer(weights, f"encoder.layer.{i}") for i in range(int(config["num_hidden_layers"]))]
            self.vocabulary = Vocabulary.load(folder)
            if (config["hidden_act"], self.vocabulary.size) != ("gelu_pytorch_tanh", len(self.words)):
                raise ValueError("weights, tokenizer.json and config.json do not belong together")
        except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
            raise ModelError(f"{folder} cannot be loaded ({error})", hint="train the student again, or fetch it anew") from error

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[list[int]]:
        """See `Engine.complete`."""
        width = max(len(prompt.ids) for prompt in prompts)
        ids = np.array([[0] * (width - len(p.ids)) + list(p.ids) for p in prompts])  # (B, T)
        real = np.array([[False] * (width - len(p.ids)) + [True] * len(p.ids) for p in prompts])
        forbidden = np.zeros((len(prompts), len(self.words)), dtype=bool)
        for row, prompt in enumerate(prompts):
            forbidden[row, sorted(prompt.banned)] = True
        rng = np.random.default_rng(decoding.seed)
        return self._written(ids, real, forbidden, stop, max_tokens, decoding.temperature, rng)

    def _written(
        self,
        ids: NDArray[np.int_],
        real: NDArray[np.bool_],
        forbidden: NDArray[np.bool_],
        stop: frozenset[int],
        max_tokens: int,
        temperature: float,
        rng: np.random.Generator,
    ) -> list[list[int]]:
        """Tokens after each row, greedy or sampled, until every row has stopped."""
        positions = np.maximum(real.cumsum(1) - 1, 0)
        caches = [self._cache(len(ids), ids.shape[1] + max_tokens) for _ in self.layers]
        hidden = self._run(ids, positions, _visible(ids, real, self.ask_id), caches)
        rows: list[list[int]] = [[] for _ in ids]
        for _ in range(max_tokens):
            logits = np.where(forbidden, UNSEEN, hidden[:, -1] @ self.words.T)
            chosen = _choose(logits, temperature, rng)
            for row, token in zip(rows, chosen, strict=True):
                if not row or row[-1] not in stop:
                    row.append(int(token))
            if all(row[-1] in stop for row in rows):
                break
            real = np.concatenate([real, np.ones((len(real), 1), dtype=bool)], 1)
            positions = positions[:, -1:] + 1
            hidden = self._run(chosen[:, None], positions, real[:, None, :], caches)
        return rows

    def _cache(self, rows: int, room: int) -> _Cache:
        shape = (rows, self.heads, room, self.words.shape[1] // self.heads)
        return _Cache(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32))

    def _run(self, ids: NDArray[np.int_], positions: NDArray[np.int_], seen: NDArray[np.bool_], caches: list[_Cache]) -> Floats:
        """Hidden states (B, T, D) of ids (B, T); `seen` (B, T, all columns so far) says who sees whom."""
        x = self.norm.norm(self.words[ids] + self.places[positions], self.epsilon)
        bias = np.where(seen, np.float32(0), UNSEEN)[:, None]  # (B, 1, T, columns)
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer.attended_norm.norm(x + layer.attended(self._attention(layer.attend(x), bias, cache)), self.epsilon)
            x = layer.norm.norm(x + layer.down(_gelu(layer.up(x))), self.epsilon)
        return x

    def _attention(self, projected: Floats, bias: Floats, cache: _Cache) -> Floats:
        """Scaled dot-product attention of (B, T, 3 D) over all columns so far: (B, T, D)."""
        rows, length, triple = projected.shape
        parts = projected.reshape(rows, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)  # (3, B, heads, T, size)
        keys, values = cache.add(parts[1], parts[2])
        scores = parts[0] @ keys.swapaxes(2, 3) / np.float32(np.sqrt(parts.shape[-1])) + bias
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed: Floats = (scores / scores.sum(-1, keepdims=True)) @ values
        return mixed.transpose(0, 2, 1, 3).reshape(rows, length, triple // 3)


def _affine(weights: dict[str, Floats], *names: str) -> _Affine:
    """One or several of torch's linear maps beside each other, transposed; a norm as it is."""
    stacked = np.concatenate([weights[f"{name}.weight"] for name in names])
    return _Affine(np.ascontiguousarray(stacked.T), np.concatenate([weights[f"{name}.bias"] for name in names]))


def _layer(weights: dict[str, Floats], at: str) -> _Layer:
    return _Layer(
        _affine(weights, *(f"{at}.attention.self.{name}" for name in ("query", "key", "value"))),
        _affine(weights, f"{at}.attention.output.dense"),
        _affine(weights, f"{at}.attention.output.LayerNorm"),
        _affine(weights, f"{at}.intermediate.dense"),
        _affine(weights, f"{at}.output.dense"),
        _affine(weights, f"{at}.output.LayerNorm"),
    )


def _visible(ids: NDArray[np.int_], real: NDArray[np.bool_], ask_id: int) -> NDArray[np.bool_]:
    """Who sees whom, (B, T, T), as `prefix_lm.visible`; padding, whose id may be any, is seen by nobody."""
    reads = ((ids == ask_id) & real).cumsum(1) == 0
    earlier = np.tri(ids.shape[1], dtype=bool)
    seen: NDArray[np.bool_] = (earlier | (reads[:, :, None] & reads[:, None, :])) & real[:, None, :]
    return seen


def _gelu(x: Floats) -> Floats:
    """The tanh form, as the students are trained with."""
    out: Floats = np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))
    return out


def _choose(logits: Floats, temperature: float, rng: np.random.Generator) -> NDArray[np.int_]:
    """The likeliest token of each row, or a sampled one (by Gumbel noise: the same as from the softmax)."""
    noisy = logits / np.float32(temperature) + rng.gumbel(size=logits.shape) if temperature else logits
    chosen: NDArray[np.int_] = noisy.argmax(-1)
    return chosen
