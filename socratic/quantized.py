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


def dequantize(stored: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """All arrays in fp32; what was not quantized is only cast. Raises KeyError where a scale is missing."""
    weights: dict[str, NDArray[np.float32]] = {}
    for name, array in stored.items():
        if array.dtype == np.int8:
            weights[name] = np.multiply(array, stored[name + SCALE].astype(np.float32)[:, None], dtype=np.float32)
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in stored):
            weights[name] = array.astype(np.float32)
    return weights
