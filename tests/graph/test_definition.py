"""What define is given: a model, and inputs that its forward takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn
from trtnet.support.errors import ArgumentError, ModelError, WeightsError

HERE = r"\n  in tests/graph/test_definition\.py:\d+   \S"


class Difference(nn.Module):
    def forward(self, image: trtnet.Tensor, mask: trtnet.Tensor, *, scale: Any = 1.0) -> trtnet.Tensor:
        return (image - mask) * scale


def inputs(*names: str) -> dict[str, trtnet.Input]:
    return {name: trtnet.Input((2,)) for name in names}


ARRAYS = [np.full(2, value, np.float32) for value in (5, 3, 10)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("image", "mask"), 2),
        (("mask", "image"), -2),
        (("scale", "image", "mask"), -35),
        (("a", "b"), 2),
        (("m", "image_of_it"), 2),
    ],
)
def test_inputs_are_bound_by_name_or_in_order(names: tuple[str, ...], expected: int) -> None:
    reference = trtnet.define(Difference(), inputs(*names)).reference()
    assert reference(*ARRAYS[: len(names)]).tolist() == [expected, expected]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (
            ("mask", "other"),
            r"takes \(image, mask, scale\), the inputs are \(mask, other\): other is the name of no parameter\. Name",
        ),
        (("other", "image"), r"the inputs are \(other, image\): other is the name of no parameter"),
        (("image", "maks"), r"maks is the name of no parameter; did you mean mask\? Name all inputs as"),
        (("imgae", "other"), r"imgae is the name of no parameter; did you mean image\?"),
        (("image",), r"missing a required argument: 'mask'"),
        (("image", "mask", "scale", "other"), r"too many positional arguments"),
    ],
)
def test_inputs_that_forward_does_not_take(names: tuple[str, ...], pattern: str) -> None:
    with pytest.raises(ArgumentError, match=rf"^Difference\.forward .*{pattern}.*{HERE}") as caught:
        trtnet.define(Difference(), inputs(*names))
    assert isinstance(caught.value, TypeError)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a function": (lambda: trtnet.define(inputs, inputs("x")), r"found the function inputs: call it, inputs\(\)"),
    "a class": (lambda: trtnet.define(Difference, inputs("x")), r"found the class Difference: call it, Difference\(\)"),
    "torch's module": (
        lambda: trtnet.define(torch.zeros(2), inputs("x")),
        r"define takes a trtnet\.nn\.Module or a torch\.nn\.Module, found torch\.Tensor",
    ),
    "a tuple": (
        lambda: trtnet.define(Difference(), {"x": ("batch", 8)}),
        r"input x is declared as trtnet\.Input\(.*; found \('batch', 8\)",
    ),
    "a list": (lambda: trtnet.define(Difference(), [trtnet.Input((2,))]), r"inputs are a dict, .*; found \["),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_a_model_or_an_input(name: str) -> None:
    function, pattern = WRONG[name]
    with pytest.raises(ModelError, match=rf"{pattern}.*{HERE}"):
        function()


def test_a_model_with_weights_is_given_some() -> None:
    with pytest.raises(
        WeightsError, match=r"Linear has 2 weights, such as weight \[2, 2\], and was given none"
    ) as error:
        trtnet.define(nn.Linear(2, 2), inputs("x"))
    assert error.value.missing == ("weight", "bias")


def test_what_a_models_own_code_raises_stays_what_it_is() -> None:
    class Wrong(nn.Module):
        def forward(self, x: trtnet.Tensor) -> Any:
            return x.nothing_of_the_kind()

    with pytest.raises(AttributeError, match="a Tensor has no 'nothing_of_the_kind'"):
        trtnet.define(Wrong(), inputs("x"))


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "dims": ({"dims": ["n"]}, r"dims is a dict of the dynamic axes of examples, .*; found \['n'\]"),
    "axes": ({"dims": {"x": ["n"]}}, r"dims: the axes of x are a dict, \{0: 'batch'\}; found \['n'\]"),
    "forms": ({"forms": ["gelu=layer"]}, r"forms is a dict of kinds .*; found \['gelu=layer'\]"),
    "no forms": ({"forms": None}, r"forms is a dict of kinds .*; found None"),
    "ignored": ({"ignored": "^fc"}, r"ignored is a list of regular expressions, .*; found '\^fc'"),
    "ignored numbers": ({"ignored": [5]}, r"ignored is a list of regular expressions, .*; found \[5\]"),
    "quantization": ({"quantization": 8}, r"quantization is trtnet.Quantize, .*; found 8"),
    "parallel": ({"parallel": {"a": "column"}}, r"parallel is trtnet.TensorParallel; found dict"),
    "capabilities": ({"compute_capabilities": "9.0"}, r"compute_capabilities is a list .*; found '9.0'"),
    "name": ({"name": 5}, r"name is a str; found 5"),
    "arguments": ({"arguments": [1]}, r"arguments is a dict, .*; found \[1\]"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_of_another_type_is_named(name: str) -> None:
    given, pattern = ARGUMENTS[name]
    with pytest.raises(ModelError, match=rf"^{pattern}{HERE}"):
        trtnet.define(Difference(), inputs("image", "mask"), **given)


def test_a_form_that_is_no_text_is_named() -> None:
    with pytest.raises(
        ModelError, match=r"forms: gelu is a form, or a dict of module paths to forms; found \['layer'\]"
    ):
        trtnet.define(Difference(), inputs("image", "mask"), forms={"gelu": ["layer"]})  # type: ignore[dict-item]
