"""Normalizations: what TensorRT means by one group, empty inputs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError


def define(function: Callable[..., Any], *shapes: tuple[int, ...], dtype: str = "float32") -> Any:
    return network_of(function, {f"x{i}": trtnet.Input(shape, dtype) for i, shape in enumerate(shapes)}, dtype)


def test_one_group_is_one_group() -> None:
    x = torch.arange(8.0).reshape(1, 4, 2)
    found = define(lambda x: ops.group_norm(x, 1), (1, 4, 2)).reference()(x)
    torch.testing.assert_close(found, F.group_norm(x, 1))
    assert found.flatten()[:2].tolist() == pytest.approx([-1.5275, -1.0911], abs=1e-4)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_an_empty_batch_has_an_empty_result(groups: int) -> None:
    found = define(lambda x: ops.group_norm(x[:0], groups), (2, 4, 3)).reference()(torch.ones(2, 4, 3))
    assert found.shape == (0, 4, 3)


def test_statistics_in_float16_are_float32() -> None:
    x = random_tensor(1, 2, 300, dtype="float16") + 400  # squares beyond float16's largest
    mean, var = torch.tensor([400.0, 399.0]).half(), torch.tensor([2.0, 3.0]).half()
    found = define(ops.batch_norm, (1, 2, 300), (2,), (2,), dtype="float16").reference()(x, mean, var)
    torch.testing.assert_close(found.float(), F.batch_norm(x.float(), mean.float(), var.float()), atol=2e-2, rtol=2e-3)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: ops.group_norm(x, 3), r"group_norm of 4 channels in 3 groups"),
        (lambda x: ops.group_norm(x, 0), r"group_norm of 4 channels in 0 groups"),
        (lambda x: ops.group_norm(x, 2, np.ones(3, np.float32)), r"group_norm of 4 channels got a weight or bias of"),
        (
            lambda x: ops.layer_norm(x, 5, np.ones(6, np.float32)),
            r"layer_norm over \[5\] got a weight or bias of \[6\]",
        ),
        (lambda x: ops.layer_norm(x, []), r"layer_norm over \[\]"),
        (lambda x: ops.layer_norm(x, (2, 3, 4, 5)), r"its input ends in"),
        (lambda x: ops.instance_norm(x[..., :1]), r"more than one position"),
        (lambda x: ops.instance_norm(x[0]), r"more than one position"),
        (lambda x: ops.batch_norm(x, None, None), r"needs running_mean and running_var"),
        (lambda x: ops.batch_norm(x, x[0, :, 0], x[0, :, 0], training=True), r"training=True would change"),
        (lambda x: ops.batch_norm(x, x[0, :3, 0], x[0, :3, 0]), r"running_mean has 3 channels, its input 4"),
        (lambda x: ops.batch_norm(x[0, 0], x[0, 0], x[0, 0]), r"found 1 dimension"),
    ],
)
def test_refused(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        define(function, (2, 4, 5))
