"""A `PrefixLM` in numpy: reads the problem in both directions and goes on from it (see prefix_lm).

In: config.json's values and the stored weights. Out: a `Network`. Knows nothing of folders or sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from socratic.engines.networks import Cache, Flags, Floats, Ids, Linear, Stored, attention, side_by_side
from socratic.quantized import restored

EMBEDDINGS = ("word", "position", "token_type")


@dataclass(frozen=True, slots=True)
class _Norm:
    """Layer norm over the last axis."""

    scale: Floats
    shift: Floats
    epsilon: np.float32

    def __call__(self, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(-1, keepdims=True) + self.epsilon)
        out: Floats = centred / deviation * self.scale + self.shift
        return out


@dataclass(frozen=True, slots=True)
class _Layer:
    """One of BERT's: attention and its norm, the two halves of the MLP and their norm."""

    attend: Linear  # query, key and value beside each other
    attended: Linear
    attended_norm: _Norm
    up: Linear
    down: Linear
    norm: _Norm


class PrefixNetwork:
    """BERT's layers, norms after them; `ask_id` ends the problem."""

    def __init__(self, config: Mapping[str, Any], weights: Stored) -> None:
        if config["hidden_act"] != "gelu_pytorch_tanh":
            raise ValueError(f"the activation is {config['hidden_act']}, gelu_pytorch_tanh was expected")
        weights = {name.removeprefix("bert."): array for name, array in weights.items()}
        epsilon = np.float32(config["layer_norm_eps"])
        self.context, self.ask_id = int(config["max_position_embeddings"]), int(config["ask_id"])
        self.words, places, types = (restored(weights, f"embeddings.{name}_embeddings.weight") for name in EMBEDDINGS)
        self.places = places + types[0]
        self.norm = _norm(weights, "embeddings.LayerNorm", epsilon)
        self.layers = side_by_side(lambda i: _layer(weights, f"encoder.layer.{i}", epsilon), int(config["num_hidden_layers"]))
        heads = int(config["num_attention_heads"])
        self.cached = (len(self.layers), heads, self.words.shape[1] // heads)

    def run(self, ids: Ids, positions: Ids, seen: Flags, caches: Sequence[Cache]) -> Floats:
        """See `Network.run`."""
        x = self.norm(self.words[ids] + self.places[positions])
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer.attended_norm(x + layer.attended(self._attention(layer.attend(x), seen, cache)))
            x = layer.norm(x + layer.down(_gelu(layer.up(x))))
        return x

    def _attention(self, projected: Floats, seen: Flags, cache: Cache) -> Floats:
        rows, length, _ = projected.shape
        queries, keys, values = projected.reshape(rows, length, 3, self.cached[1], -1).transpose(2, 0, 3, 1, 4)
        return attention(queries, *cache.add(keys, values), seen)

    def sees(self, ids: Ids, real: Flags) -> Flags:
        """See `Network.sees`: what stands before the first `ask` sees all of itself."""
        reads = ((ids == self.ask_id) & real).cumsum(1) == 0
        earlier = np.tri(ids.shape[1], dtype=bool)
        seen: Flags = (earlier | (reads[:, :, None] & reads[:, None, :])) & real[:, None, :]
        return seen

    def reusable(self, ids: Sequence[int], shared: int) -> int:
        """See `Network.reusable`: nothing, unless the whole problem is shared."""
        return shared if self.ask_id in ids[:shared] else 0


def _norm(weights: Stored, name: str, epsilon: np.float32) -> _Norm:
    return _Norm(restored(weights, f"{name}.weight"), restored(weights, f"{name}.bias"), epsilon)


def _linear(weights: Stored, *names: str) -> Linear:
    """One or several linear maps beside each other."""
    return Linear(*(restored(weights, *(f"{name}.{kind}" for name in names)) for kind in ("weight", "bias")))


def _layer(weights: Stored, at: str, epsilon: np.float32) -> _Layer:
    return _Layer(
        _linear(weights, *(f"{at}.attention.self.{name}" for name in ("query", "key", "value"))),
        _linear(weights, f"{at}.attention.output.dense"),
        _norm(weights, f"{at}.attention.output.LayerNorm", epsilon),
        _linear(weights, f"{at}.intermediate.dense"),
        _linear(weights, f"{at}.output.dense"),
        _norm(weights, f"{at}.output.LayerNorm", epsilon),
    )


def _gelu(x: Floats) -> Floats:
    """The tanh form, as the students are trained with."""
    out: Floats = np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))
    return out
