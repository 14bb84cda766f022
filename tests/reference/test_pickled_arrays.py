"""Arrays that came from another process: their dtype was pickled, and does not say that it is numpy's own."""

from __future__ import annotations

import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from trtnet.reference.step import to_torch
from trtnet.verify.arrays.polygraphy_files import plain


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", ml_dtypes.bfloat16])
def test_the_reference_takes_them(dtype: Any) -> None:
    array = pickle.loads(pickle.dumps(np.arange(4).astype(dtype)))
    assert array.dtype.isbuiltin != 1
    found = to_torch(array)
    assert found.dtype == getattr(torch, array.dtype.name) and found.tolist() == array.tolist()


def test_files_keep_their_dtype() -> None:
    array = pickle.loads(pickle.dumps(np.array([2**40 + 1])))
    np.testing.assert_array_equal(plain(array), [2**40 + 1])
