"""A Llama in numpy (Touvron et al. 2023; SmolLM2 is one): norms before the layers, rotary positions, grouped keys, SwiGLU.

In: config.json's values and the stored weights. Out: a `Network`. Knows nothing of folders or sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from socratic.engines.networks import Cache, Flags, Floats, Ids, Linear, Stored, attention, side_by_side
from socratic.quantized import restored

EXPECTED = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True}


@dataclass(frozen=True, slots=True)
class _Layer:
    """Attention and MLP, each with the scale of the norm before it."""

    attend_norm: Floats
    attend: Linear  # query, key and value beside each other
    attended: Linear
    mlp_norm: Floats
    gate_up: Linear  # beside each other
    down: Linear


class LlamaNetwork:
    """Reads from left to right."""

    def __init__(self, config: Mapping[str, Any], weights: Stored) -> None:
        odd = [key for key, value in EXPECTED.items() if config[key] != value]
        rope = config["rope_parameters"]
        if odd or rope["rope_type"] != "default":
            raise ValueError(f"{', '.join(odd) or 'rope_type'} is not as in SmolLM2, which is what this engine runs")
        weights = {name.removeprefix("model."): array for name, array in weights.items()}
        self.context, self.epsilon = int(config["max_position_embeddings"]), np.float32(config["rms_norm_eps"])
        self.words, self.norm = (restored(weights, f"{name}.weight") for name in ("embed_tokens", "norm"))
        self.layers = side_by_side(lambda i: _layer(weights, f"layers.{i}"), int(config["num_hidden_layers"]))
        self.heads, size = int(config["num_attention_heads"]), int(config["head_dim"])
        self.cached = (len(self.layers), int(config["num_key_value_heads"]), size)
        self.frequencies = np.float32(rope["rope_theta"]) ** (-np.arange(0, size, 2, dtype=np.float32) / np.float32(size))

    def run(self, ids: Ids, positions: Ids, seen: Flags, caches: Sequence[Cache]) -> Floats:
        """See `Network.run`."""
        x = self.words[ids]
        angles = positions[:, None, :, None].astype(np.float32) * self.frequencies  # (B, 1, T, size / 2)
        turn = (np.cos(angles), np.sin(angles))
        for layer, cache in zip(self.layers, caches, strict=True):
            x = x + layer.attended(self._attention(layer.attend(self._normed(x, layer.attend_norm)), turn, seen, cache))
            gate, up = np.split(layer.gate_up(self._normed(x, layer.mlp_norm)), 2, axis=-1)
            x = x + layer.down(gate / (1 + np.exp(-gate)) * up)
        return self._normed(x, self.norm)

    def _attention(self, projected: Floats, turn: tuple[Floats, Floats], seen: Flags, cache: Cache) -> Floats:
        rows, length, _ = projected.shape
        _, groups, size = self.cached
        by_head = projected.reshape(rows, length, self.heads + 2 * groups, size).transpose(0, 2, 1, 3)
        queries, keys, values = np.split(by_head, [self.heads, self.heads + groups], axis=1)
        return attention(_turned(queries, turn), *cache.add(_turned(keys, turn), values), seen)

    def _normed(self, x: Floats, scale: Floats) -> Floats:
        """Divided by its root mean square."""
        out: Floats = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + self.epsilon) * scale
        return out

    def sees(self, ids: Ids, real: Flags) -> Flags:
        """See `Network.sees`: all that stands before."""
        seen: Flags = np.tri(ids.shape[1], dtype=bool) & real[:, None, :]
        return seen

    def reusable(self, ids: Sequence[int], shared: int) -> int:
        """See `Network.reusable`: all of them."""
        return shared


def _turned(x: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Rotary positions (Su et al. 2021) as transformers lays them out: the halves of a head are turned against each other."""
    (cosine, sine), (first, second) = turn, np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _layer(weights: Stored, at: str) -> _Layer:
    def beside(*names: str) -> Floats:
        return restored(weights, *(f"{at}.{name}.weight" for name in names))

    return _Layer(
        beside("input_layernorm"),
        Linear(beside("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
        Linear(beside("self_attn.o_proj")),
        beside("post_attention_layernorm"),
        Linear(beside("mlp.gate_proj", "mlp.up_proj")),
        Linear(beside("mlp.down_proj")),
    )
