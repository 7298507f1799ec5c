"""Properties of quantized.py. Run: pytest tests/test_quantized.py"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from socratic.quantized import SCALE, TOP, dequantize, quantize

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)
VALUES = st.floats(-1e3, 1e3, width=32)


@settings(deadline=None)
@given(arrays.arrays(np.float32, SHAPES, elements=VALUES))
def test_no_weight_moves_by_more_than_about_half_a_step_of_its_row(matrix: np.ndarray) -> None:
    found = dequantize(quantize({"m": matrix}))["m"]
    step = np.abs(matrix).max(1, keepdims=True) / TOP
    assert found.dtype == np.float32
    assert (np.abs(found - matrix) <= 0.56 * step + 1e-4).all()  # fp16 scales are off by 1 in 2,000, times 127


@settings(deadline=None)
@given(arrays.arrays(np.float32, SHAPES, elements=VALUES))
def test_what_came_back_is_stored_as_it_was(matrix: np.ndarray) -> None:
    stored = quantize({"m": matrix})
    again = quantize(dequantize(stored))
    assert (np.abs(again["m"].astype(int) - stored["m"]) <= 1).all()


def test_names_sizes_and_norms() -> None:
    weights = {"m": np.ones((4, 3), np.float32), "norm": np.array([1.5, -2.0], np.float16)}
    stored = quantize(weights)
    assert {name: array.dtype for name, array in stored.items()} == {"m": np.int8, "m" + SCALE: np.float16, "norm": np.float16}
    assert set(dequantize(stored)) == set(weights)
    assert (dequantize(stored)["norm"] == weights["norm"]).all()


def test_weights_that_were_never_quantized_are_only_cast() -> None:
    weights = {"m": np.array([[1.25, -3.0]], np.float16), "x.scale": np.array([2.0], np.float16)}
    assert {name: array.tolist() for name, array in dequantize(weights).items()} == {"m": [[1.25, -3.0]], "x.scale": [2.0]}


def test_a_missing_scale_is_an_error() -> None:
    stored = quantize({"m": np.ones((2, 2), np.float32)})
    del stored["m" + SCALE]
    with pytest.raises(KeyError):
        dequantize(stored)
