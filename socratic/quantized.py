"""Weights in eight bits: a quarter of fp32's size on disk, the same answers.

In: named arrays. Out: named arrays in which each matrix is int8 with one fp16 scale per row, named `<matrix>.scale`; and
back, in fp32. Rounding to the nearest, symmetric, by rows, as in LLM.int8() (Dettmers et al. 2022, section 2) without its
outlier columns, which models of this size hardly have. Knows nothing of models, tokens or folders.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SCALE = ".scale"
TOP = 127  # the largest int8 in use; -128 stays out, so that signs are symmetric

Arrays = dict[str, NDArray[np.generic]]


def quantize(weights: Mapping[str, NDArray[np.generic]]) -> Arrays:
    """Matrices (2 axes) as int8 with scales; what has one axis, such as a norm, as fp16."""
    stored: Arrays = {}
    for name, array in weights.items():
        if array.ndim != 2:
            stored[name] = array.astype(np.float16)
            continue
        scale = np.maximum(np.abs(array.astype(np.float32)).max(1) / TOP, np.finfo(np.float16).tiny).astype(np.float16)
        whole = np.rint(array.astype(np.float32) / scale.astype(np.float32)[:, None])
        stored[name], stored[name + SCALE] = np.clip(whole, -TOP, TOP).astype(np.int8), scale
    return stored


def restored(stored: Mapping[str, NDArray[np.generic]], *names: str) -> NDArray[np.float32]:
    """Arrays of the same width in fp32, one above the other; what was not quantized is only cast. Raises KeyError for a name.

    Each is written once, into its place: where arrays are large, a copy takes as long as the arithmetic.
    """
    parts = [stored[name] for name in names]
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), dtype=np.float32)
    start = 0
    for name, part in zip(names, parts, strict=True):
        place = whole[start : start + len(part)]
        place[...] = part
        if part.dtype == np.int8:
            place *= stored[name + SCALE].astype(np.float32)[:, None]
        start += len(part)
    return whole


def dequantize(stored: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """All arrays in fp32. Raises KeyError where a scale is missing."""
    scales = {name + SCALE for name, array in stored.items() if array.dtype == np.int8}
    return {name: restored(stored, name) for name in stored if name not in scales}
