"""What a reference reads stays as long as the reference does, also where nobody keeps the network."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights

import trtnet
from trtnet.definition import DefinedNetwork
from trtnet.models import lenet

IMAGE = np.random.default_rng(0).random((2, 1, 28, 28))


def network(dtype: str) -> DefinedNetwork:
    return trtnet.define(lenet(), weights=random_weights(lenet()), dtype=dtype)


def overwritten() -> list[np.ndarray[Any, Any]]:
    """Arrays in the places that were given back: as large as the weights, in each dtype."""
    gc.collect()
    sizes = {x.size for x in random_weights(lenet()).values()}
    return [np.full(size, 7, dtype) for size in sizes for dtype in (np.float16, np.float32) for _ in range(20)]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_network_is_not_kept_by_the_caller(dtype: str) -> None:
    kept = network(dtype)
    alone = network(dtype)
    reference, gone = alone.reference(), weakref.ref(alone)
    del alone
    junk = overwritten()
    image = IMAGE.astype(dtype)
    np.testing.assert_array_equal(reference(image), kept.reference()(image))
    del reference, junk
    gc.collect()
    assert gone() is None  # and no longer
