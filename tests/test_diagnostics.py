"""What of TensorRT's words reaches the log."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.support.backend import trt
from trtnet.support.diagnostics import clean, logger


def test_reading_layers_with_dynamic_sizes_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    inputs = {
        "x": trtnet.Input((1, 3, "height", "width")),
        "size": trtnet.Input((2,), "int64", values=("new_height", "new_width")),
    }
    with caplog.at_level(logging.WARNING, logger="trtnet.tensorrt"):
        network = network_of(lambda x, size: ops.interpolate(x, size.tolist(), mode="bilinear"), inputs)
        found = network.reference()(np.ones((1, 3, 4, 5), np.float32), np.array([8, 10]))
    assert found.shape == (1, 3, 8, 10)
    assert caplog.text == ""


def test_reading_a_resize_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="trtnet.tensorrt"):
        network = network_of(lambda x: ops.interpolate(x, scale_factor=2), {"x": trtnet.Input((1, 3, 4, 5))})
        assert network.reference()(np.ones((1, 3, 4, 5), np.float32)).shape == (1, 3, 8, 10)
    assert caplog.text == ""


def test_reading_a_range_of_a_named_size_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="trtnet.tensorrt"):
        network = network_of(lambda x: x[ops.arange(x.shape[0]), ops.argmax(x, 1)], {"x": trtnet.Input(("n", 3))})
    assert network.reference()(np.array([[1, 5, 2]], np.float32)).tolist() == [5]
    assert caplog.text == ""


def test_other_warnings_do_and_a_missing_driver_does_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="trtnet.tensorrt"):
        logger.log(trt.ILogger.Severity.WARNING, "a tensor is not used")
        logger.log(trt.ILogger.Severity.ERROR, "createInferRuntime: cudaError 35")
    assert [record.message for record in caplog.records] == ["a tensor is not used"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Error Code 4: API Usage Error (a: (3,3) of b. In check at /_src/x/y.cpp:12)", "a: (3,3) of b."),
        ("Error Code 2: (a) and (b)", "(a) and (b)"),
        ("ITensor::getDimensions: Error Code 4: Shape Error (no (In f at /_src/x.cpp:3))", "Shape Error (no)"),
        ("(", "("),
    ],
)
def test_words_end_where_tensorrts_do(said: str, shown: str) -> None:
    assert clean(said) == shown
