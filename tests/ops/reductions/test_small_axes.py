"""Reductions of axes of a few elements are gathered, for engines of TensorRT-RTX of fixed shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import Function, relative_l2
from helpers.ops.small_axes import FIRST, THEN, Chain
from helpers.plan_kernels import forgets_first

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support import backend


@pytest.mark.parametrize("first", FIRST)
def test_a_reduction_behind_one_of_a_few_channels(first: str) -> None:
    for then in THEN:
        model = Chain(first, then).eval()
        network = trtnet.define(model, {"x": trtnet.Input((2, 3, 8, 12))})
        x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
        assert relative_l2(network.reference()(x), model(x)) < 1e-5
        assert network.build().plan.data


@pytest.mark.parametrize("call", [lambda t: t - t.mean(-1, keepdim=True), lambda t: t * t.softmax(-1)])
@pytest.mark.parametrize("shape", [(2, 8, 5, 3), (1, 9, 3), (4, 2)])
def test_a_small_last_axis_before_a_reduction_of_another_one(call: Any, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network = trtnet.define(Function(lambda x: call(x).amax(0)), {"x": trtnet.Input(shape)}, {})
    assert relative_l2(network.reference()(x), call(x).amax(0)) < 1e-6
    assert network.build().plan.data


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("batch", [2, "batch"])
@pytest.mark.parametrize("first", FIRST)
def test_kernels_read_the_first_of_a_few_channels(first: str, batch: int | str, dtype: str) -> None:
    """Also where a named batch has one size: TensorRT then takes the shapes to be fixed."""
    for channels, size, then in ((2, (12, 12), "group_norm"), (3, (4, 8), "centred"), (2, (17, 17), "softmax")):
        model, shape = Chain(first, then).eval(), (batch, channels, *size)
        network = trtnet.define(model, {"x": trtnet.Input(shape)}, dtype=dtype)
        plan = network.build({"batch": 2} if batch == "batch" else None).plan.data
        assert not forgets_first(bytes(plan).decode("latin-1"))


def test_kernels_that_do_not_are_found() -> None:
    kernel = "\ntemplate<> half read(int index){\n  __v20 = %d + 0 * 1;\n  x = y[(__v20 * 144)];%s\n}\n"
    assert forgets_first(kernel % (1, ""))
    assert not forgets_first(kernel % (1, "\n  z = y[((0) * 144)];"))
    assert not forgets_first(kernel % (1, "\n  __v3 = 0;"))
    assert not forgets_first(kernel % (0, ""))


@pytest.mark.parametrize("call", [lambda x: x.amax(1), lambda x: x.softmax(1), lambda x: x.mean(1, keepdim=True)])
@pytest.mark.parametrize(
    ("shape", "is_few"),
    [((2, 3, 8, 12), True), (("n", 7, 8, 12), True), ((2, 3, 1, 1), True), ((2, 8, 3), False), ((2, "n"), False)],
)
def test_a_few_elements_are_gathered(call: Any, shape: tuple[int | str, ...], is_few: bool) -> None:
    network = trtnet.define(Function(call), {"x": trtnet.Input(shape)}, {})
    kinds = {node.kind for node in read(network.trt)}
    assert ("GATHER" in kinds) == (backend.name() == "tensorrt_rtx" and is_few)
    assert ("GATHER" in kinds) != bool(kinds & {"REDUCE", "SOFTMAX"})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("call", [lambda x: x.softmax(1), lambda x: x.mean(1), lambda x: x.sum(1), lambda x: x.std(1)])
def test_sixteen_bits_round_no_more_than_torch(call: Any, dtype: torch.dtype) -> None:
    x = (torch.randn(4, 7, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 + 3).to(dtype)
    network = trtnet.define(Function(call), {"x": trtnet.Input((4, 7, 16, 16))}, {}, dtype=str(dtype).split(".")[1])
    expected = call(x.double())
    assert relative_l2(network.reference()(x), expected) <= 1.2 * relative_l2(call(x), expected)
