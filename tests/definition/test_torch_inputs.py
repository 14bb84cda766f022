"""What a PyTorch module takes: declared, or by example tensors; bound by name; in lists and dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import trtnet
from trtnet.builder import describe


class Named(nn.Module):
    """Of three inputs one has a default, one is for keywords only."""

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None, *, scale: torch.Tensor) -> torch.Tensor:
        return x * scale if bias is None else x * scale + bias


class Batch(nn.Module):
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        first, second = batch["images"]
        return first - second * batch["mask"].to(first.dtype)


class AnyNames(nn.Module):
    def forward(self, **given: torch.Tensor) -> torch.Tensor:
        return given["a"] - given["b"]


class Many(nn.Module):
    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return given[0] - given[1]


def run(network: trtnet.DefinedNetwork, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.as_tensor(network.reference()(**{name: x.numpy() for name, x in inputs.items()}))


def test_a_wrapper_takes_inputs_by_the_names_of_what_it_wraps_or_in_order() -> None:
    module, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval(), torch.randn(2, 4)
    for wrapped in (torch.compile(module), nn.DataParallel(module), AveragedModel(module)):
        for name in ("x", "input"):
            found = trtnet.define(wrapped.eval(), {name: x}).reference()(x)
            torch.testing.assert_close(torch.as_tensor(found), module(x).detach())


def test_an_example_has_the_shape_and_dtype_of_the_input() -> None:
    example = {"x": torch.zeros(4, 3, dtype=torch.float16), "scale": torch.ones(3), "bias": np.zeros((4, 1), np.int32)}
    network = trtnet.define(Named().eval(), example, dims={"x": {0: "batch"}, "bias": {-2: "batch"}})
    assert [str(x) for x in describe(network).inputs] == [
        "x [batch, 3] float16",
        "scale [3] float32",
        "bias [batch, 1] int32",
    ]


@pytest.mark.parametrize("names", [("x", "scale"), ("scale", "x"), ("scale", "bias", "x")])
def test_inputs_are_bound_by_name_also_those_for_keywords_only(names: tuple[str, ...]) -> None:
    inputs = {name: torch.randn(2, 3) for name in names}
    network = trtnet.define(Named().eval(), inputs)
    assert torch.equal(run(network, inputs), Named()(**inputs))


def test_a_list_or_dict_of_tensors_is_one_argument() -> None:
    example = {"batch": {"images": [torch.randn(2, 3), torch.randn(2, 3)], "mask": torch.tensor([True, False, True])}}
    names = ["batch.images.0", "batch.images.1", "batch.mask"]
    network = trtnet.define(Batch().eval(), example, dims={"batch.images.0": {0: "n"}, "batch.images.1": {0: "n"}})
    assert list(network.inputs) == names
    flat = dict(zip(names, [*example["batch"]["images"], example["batch"]["mask"]], strict=True))
    assert torch.equal(run(network, flat), Batch()(example["batch"]))
    assert trtnet.compare(network, inputs={name: x.numpy() for name, x in flat.items()}).passed
    again = {name: trtnet.Input(tuple(x.shape), str(x.dtype)[6:]) for name, x in flat.items()}
    assert list(trtnet.define(Batch().eval(), again).inputs) == names


@pytest.mark.parametrize("kind", [AnyNames, Many])
def test_a_forward_that_takes_any(kind: type[nn.Module]) -> None:
    inputs = {"a": torch.randn(2), "b": torch.randn(2)}
    assert torch.equal(run(trtnet.define(kind().eval(), inputs), inputs), inputs["a"] - inputs["b"])


@pytest.mark.parametrize(
    ("inputs", "dims", "text"),
    [
        ({"x": torch.zeros(2, dtype=torch.float64)}, {}, "input x: its example is float64, which TensorRT does not"),
        ({"x": torch.zeros(2, dtype=torch.complex64)}, {}, "input x: its example is torch.complex64: unknown dtype"),
        ({"x": 3}, {}, "input x is declared as trtnet.Input.*or by an example tensor; found int"),
        ({}, {}, "Named does not declare its inputs, and forward takes x, scale; .*'scale': trtnet.Input"),
        ({}, {}, "--declare x=batch,3 --declare scale=batch,3, with the sizes"),
        ({"x": torch.zeros(2)}, {"y": {0: "n"}}, "dims names 'y', which is not an input of Named; it has x"),
        ({"x": torch.zeros(2)}, {"x": {1: "n"}}, r"x has the shape \[2\], which has no axis 1"),
        ({"x": torch.zeros(2)}, {"x": {0: 3}}, "axis 0 of x is given by a name, 'batch'; found 3"),
        ({"x": trtnet.Input((2,))}, {"x": {0: "n"}}, "write the names into the Input's own shape"),
        (
            {"x": torch.zeros(2), "scale": torch.zeros(3)},
            {"x": {0: "n"}, "scale": {0: "n"}},
            "n is 2 in the example of x, and 3 in that of scale",
        ),
        ({"x": torch.zeros(2)}, {}, "missing a required argument: 'scale'"),
    ],
)
def test_what_declares_no_input_is_an_error(inputs: Any, dims: Any, text: str) -> None:
    with pytest.raises(trtnet.TrtnetError, match=text):
        trtnet.define(Named().eval(), inputs, dims=dims)


def test_build_takes_the_names_of_axes_and_their_ranges() -> None:
    example = {"input": torch.zeros(4, 3)}
    engine = trtnet.build(nn.Linear(3, 2).eval(), example, dims={"input": {0: "batch"}, "batch": (1, 4, 8)})
    assert [x.shape for x in engine.inputs] == [("batch", 3)]
    several = [{"input": {0: "batch"}, "batch": (1, 1, 2)}, {"batch": 8}]
    assert len(trtnet.build(nn.Linear(3, 2).eval(), example, dims=several).info.profiles) == 2


def test_a_network_is_compared_with_the_module_it_was_defined_from() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).eval()
    network = trtnet.define(module, {"input": torch.zeros(4, 3)})
    assert network.original is module
    result = trtnet.compare(network, seed=1)
    assert result.passed
    assert trtnet.bisect(network, inputs=torch.randn(4, 3)).passed
    other = trtnet.define(module, {"input": torch.zeros(4, 3)}, nn.Sequential(*map(copied, module)))
    assert other.original is None
    for of in (lambda: trtnet.compare(other), lambda: trtnet.bisect(other, inputs=torch.randn(4, 3))):
        with pytest.raises(trtnet.InputError, match="give the original: the network Sequential was defined with other"):
            of()


def copied(module: nn.Module) -> nn.Module:
    return type(module)(module.in_features, module.out_features) if isinstance(module, nn.Linear) else module


def test_a_module_is_searched_for_what_must_be_wide() -> None:
    class Wide(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * 300) ** 2 / 90000

    module = nn.Sequential(nn.Linear(3, 3), Wide(), nn.ModuleList([nn.Linear(3, 3)])[0]).eval()
    inputs = {"input": torch.rand(4, 3) * 4 + 1}
    found = trtnet.search_precision(module, None, inputs, specs=inputs)
    assert found.mapping == {"": "float16", "1": "float32"}
    with pytest.raises(trtnet.InputError, match="give the reference"):
        trtnet.search_precision(module, module.state_dict(), inputs, specs=inputs)


class Scaled(nn.Module):
    """A weight that torch computes with before the network reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3))
        self.scale = nn.Parameter(torch.rand(2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, (self.weight.T * self.scale.T).T)


def test_weights_of_a_checkpoint_are_also_those_that_torch_computes_with() -> None:
    module, other, x = Scaled().eval(), Scaled().eval(), torch.randn(4, 3)
    own = {key: value.clone() for key, value in module.state_dict().items()}
    where = [value.data_ptr() for value in module.state_dict().values()]
    network = trtnet.define(module, {"x": x}, other.state_dict())
    np.testing.assert_allclose(network.reference()(x.numpy()), other(x).detach().numpy(), rtol=1e-5)
    assert all(torch.equal(value, own[key]) for key, value in module.state_dict().items())
    assert [value.data_ptr() for value in module.state_dict().values()] == where
    assert network.folded == {"weight", "scale"}
