"""What the documentation says of FP4: the reference dequantizes its weights, and refuses to quantize to it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.support.backend import supports
from trtnet.support.errors import ExecutionError

pytestmark = pytest.mark.skipif(not supports("fp4"), reason="this TensorRT has no FP4")

VALUES = np.array([[0.5, 1, 1.5, 2], [3, 4, 6, -6]], dtype=ml_dtypes.float4_e2m1fn)


def test_weights_are_dequantized() -> None:
    scales = np.array([1, 2, 4, 8], np.float32)
    network = network_of(
        lambda x: x + ops.dequantize(ops.cast(VALUES, "float4_e2m1fn"), scales, axis=1),
        {"x": trtnet.Input((2, 4))},
    )
    found = network.reference()(np.zeros((2, 4), np.float32))
    np.testing.assert_array_equal(found, VALUES.astype(np.float32) * scales)


def test_quantization_to_it_is_refused() -> None:
    def program(x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.dequantize(ops.quantize(x, 1.0, dtype="float4_e2m1fn"), 1.0)

    network = network_of(program, {"x": trtnet.Input((2, 4))})
    with pytest.raises(ExecutionError, match="quantization to float4_e2m1fn"):
        network.reference()(np.zeros((2, 4), np.float32))
