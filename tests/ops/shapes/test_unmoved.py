"""Operands that are another tensor behind permutations that move axes of size 1 only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import Function, relative_l2
from helpers.ops.unmoved import EXPRESSIONS, IMAGES, Beside, Small, moved
from helpers.plan_kernels import reads_itself

import trtnet
from trtnet.support import backend


def operands(call: Any, shape: tuple[Any, ...] = (2, 4, 6, 8)) -> list[str]:
    """Of the first sum: the names of the layers that they are results of."""
    x = torch.randn([size if isinstance(size, int) else 2 for size in shape])
    network = trtnet.define(Function(lambda x: call(x.exp())), {"x": trtnet.Input(shape)}, {})
    assert relative_l2(network.reference()(x), call(x.exp())) < 1e-6
    layers = list(network.trt)
    made = {layer.get_output(0).name: layer.type.name for layer in layers}
    (total,) = (layer for layer in layers if layer.type.name == "ELEMENTWISE")
    return [made[total.get_input(i).name] for i in range(2)]


@pytest.mark.parametrize("batch", [2, "batch"])
@pytest.mark.parametrize("expression", ["y + shuffled", "shuffled + y", "y + moved", "moved batch", "moved twice"])
def test_it_is_the_tensor_itself(expression: str, batch: int | str) -> None:
    found = operands(EXPRESSIONS[expression], (batch, 4, 6, 8))
    assert found == (["UNARY"] * 2 if backend.name() == "tensorrt_rtx" else found)
    assert "UNARY" in found


@pytest.mark.parametrize(
    "call",
    [
        lambda y: y + y.flip(3),
        lambda y: y + y.transpose(2, 3).reshape(y.shape),
        lambda y: y + y.flatten(1).reshape(y.shape),
        lambda y: y + y.unsqueeze(1).transpose(1, 2).reshape(2, 4, 8, 6).transpose(2, 3),
        lambda y: y.unsqueeze(2) + y.unsqueeze(1).transpose(1, 2),
    ],
)
def test_what_is_moved_or_has_another_shape_stays(call: Any) -> None:
    assert operands(call) != ["UNARY", "UNARY"]


def test_a_write_to_the_tensor_is_not_seen() -> None:
    def call(x: Any) -> Any:
        y = x * 2
        z = moved(y).clone()
        y[:, 0] = 5
        return y + z

    x = torch.randn(2, 4, 6, 8)
    network = trtnet.define(Function(call), {"x": trtnet.Input((2, 4, 6, 8))}, {})
    assert relative_l2(network.reference()(x), call(x)) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_no_kernel_reads_its_result(dtype: str) -> None:
    models = [(Beside(groups), (4, 6, 8)) for groups in (1, 4)] + [(Small(image), image) for image in IMAGES.values()]
    for model, image in models:
        network = trtnet.define(model.eval(), {"x": trtnet.Input(("batch", *image))}, dtype=dtype)
        plan = network.build({"batch": 2}).plan.data
        assert reads_itself(bytes(plan).decode("latin-1")) == []


def test_kernels_that_do_are_found() -> None:
    part = '  sub_tensor={ base="%s" const_offset=%d dims={ 2 } name="part" }\n'
    kernel = '  runtime_fusion={ name=__myl_CorrAdd input_args={ "part" "x" } output_args={ "y" "z" } }\n'
    assert reads_itself(part % ("z", 0) + kernel) == ["CorrAdd"]
    assert reads_itself(part % ("w", 0) + kernel) == []
    assert reads_itself(part % ("z", 0) + kernel.replace('"z"', '"w"')) == []
