"""What a user of torch does and a model of trtnet cannot do: an error at once, at the user's line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet import nn, ops
from trtnet.support import backend
from trtnet.support.errors import LayerError, ModelError

HERE = r".*\n  in tests/nn/test_mistakes\.py:\d+   \S"


class Mine(nn.Module):
    def __init__(self, child: Any) -> None:
        self.l = child


class Block(torch.nn.Module):
    """A user's own."""


FOREIGN: dict[str, tuple[Callable[[], Any], str]] = {
    "a module": (lambda: Mine(torch.nn.Linear(8, 2)), r"Mine\.l is a torch\.nn\.Linear; use trtnet\.nn\.Linear"),
    "a parameter": (
        lambda: Mine(torch.nn.Parameter(torch.ones(8))),
        r"Mine\.l is a torch\.nn\.Parameter; use trtnet\.nn\.Parameter",
    ),
    "a module trtnet has not": (
        lambda: Mine(torch.nn.AdaptiveLogSoftmaxWithLoss(8, 9, [3])),
        r"Mine\.l is a torch\.nn\.AdaptiveLogSoftmaxWithLoss; write it with trtnet\.nn",
    ),
    "their own": (lambda: Mine(Block()), r"Mine\.l is a \S*test_mistakes\.Block; write it with trtnet\.nn"),
    "in a list": (lambda: Mine([torch.nn.ReLU()]), r"Mine\.l is a torch\.nn\.ReLU; use trtnet\.nn\.ReLU"),
    "in a Sequential": (
        lambda: nn.Sequential(nn.ReLU(), torch.nn.ReLU()),
        r"Sequential\.1 is a torch\.nn\.ReLU; use trtnet\.nn\.ReLU",
    ),
    "in a ModuleList": (lambda: nn.ModuleList([torch.nn.ReLU()]), r"ModuleList\.0 is a torch\.nn\.ReLU"),
    "a function": (lambda: nn.Sequential(ops.relu), r"Sequential\.0 is not an nn\.Module, found function"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_torchs_modules_are_refused_where_they_are_set(name: str) -> None:
    function, pattern = FOREIGN[name]
    with pytest.raises(ModelError, match=f"^{pattern}{HERE}"):
        function()


def test_a_torch_tensor_is_a_constant() -> None:
    assert Mine(torch.ones(2)).l.shape == (2,)


def test_a_sequential_calls_what_a_subclass_sets_without_super() -> None:
    class Stack(nn.Sequential):
        def __init__(self) -> None:
            self.double = nn.Linear(2, 2, bias=False)
            self.act = nn.ReLU()

    weights = {"double.weight": np.float32([[2, 0], [0, 2]])}
    reference = trtnet.define(Stack(), {"x": trtnet.Input((1, 2))}, weights).reference()
    assert reference(np.float32([[1, -1]])).tolist() == [[2, 0]]
    assert len(Stack()) == 2 and isinstance(Stack()[-1], nn.ReLU)


ARGUMENTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an array": (lambda x: ops.relu(np.ones(2)), r"ops\.relu takes tensors of the network, found numpy\.ndarray"),
    "a number": (lambda x: ops.softmax(3.0, -1), r"ops\.softmax takes tensors of the network, found float"),
    "one of several": (lambda x: ops.topk(None, 2), r"ops\.topk takes tensors of the network, found NoneType"),
    "a method's": (lambda x: x.gather(0, "x"), r"a constant: found str where a tensor or a number is expected"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_not_a_tensor_is_rejected(name: str) -> None:
    function, pattern = ARGUMENTS[name]
    with pytest.raises((ModelError, LayerError), match=f"^{pattern}{HERE}"):
        network_of(function, {"x": trtnet.Input((2,))})


def test_an_attribute_error_of_the_users_stays_one() -> None:
    def wrong(carry: Any, x: Any) -> Any:
        return carry.nothing(), x

    with pytest.raises(AttributeError, match="has no 'nothing'"):
        network_of(lambda x: ops.scan(wrong, x[0], x), {"x": trtnet.Input((2,))})


@pytest.mark.parametrize("gives", [lambda c, x: c + x, lambda c, x: (c, x, x), lambda c, x: None])
def test_a_scan_gives_a_carry_and_a_y(gives: Callable[..., Any]) -> None:
    with pytest.raises(LayerError, match=r"^scan: the function must return a carry and a y, found " + HERE):
        network_of(lambda x: ops.scan(gives, x[0] * 0, x), {"x": trtnet.Input((2, 2))})


def test_errors_of_unknown_arguments_name_the_layer() -> None:
    text = r"^GELU\(\) got an unexpected keyword argument 'aproximate'; did you mean approximate\?"
    with pytest.raises(TypeError, match=text + HERE):
        nn.GELU(aproximate="tanh")
    with pytest.raises(TypeError, match=r"^Conv2d\(\) got an .* 'kernal_size'; did you mean kernel_size"):
        nn.Conv2d(3, 4, kernal_size=3)


def test_layers_and_modules_show_what_they_have() -> None:
    assert str(inspect.signature(nn.GELU)) == "(approximate: 'str' = 'none') -> None"
    assert list(inspect.signature(nn.MaxPool2d).parameters)[:3] == ["kernel_size", "stride", "padding"]

    class Wide(nn.GELU):
        def __init__(self, width: int) -> None:
            super().__init__("tanh")

    assert list(inspect.signature(Wide).parameters) == ["width"]
    assert set(trtnet.__all__) <= set(dir(trtnet)) and "trt" in dir(backend)
