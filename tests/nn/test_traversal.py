"""torch.nn.Module's methods on a model: what they find is what torch's find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.nn.core.traversal import REFUSED
from trtnet.support.errors import ModelError

HERE = r".*\n  in tests/nn/test_traversal\.py:\d+   \S"


def network(library: Any) -> Any:
    return library.Sequential(
        library.Conv2d(3, 4, 3), library.BatchNorm2d(4), library.Sequential(library.ReLU(), library.Linear(5, 2))
    )


def test_what_is_found_is_what_torch_finds() -> None:
    ours, theirs = network(nn), network(torch.nn)
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers() if "num_batches" not in n]
    assert list(ours.buffers(recurse=False)) == [] and len(list(ours[1].buffers(recurse=False))) == 2
    assert list(ours.state_dict()) == [key for key in theirs.state_dict() if "num_batches" not in key]
    assert ours.get_submodule("2.1") is ours[2][1] and ours.get_submodule("") is ours
    assert ours.get_parameter("2.1.weight") is ours[2][1].weight
    assert ours.get_buffer("1.running_mean") is ours[1].running_mean
    names: list[list[str]] = [[], []]
    for seen, model in zip(names, (ours, theirs), strict=True):
        assert model.apply(lambda module, seen=seen: seen.append(type(module).__name__)) is model
    assert names[0] == names[1]
    ours.set_submodule("2.0", nn.Tanh())
    assert isinstance(ours[2][0], nn.Tanh)
    for call in (ours.cpu, ours.cuda, ours.eval, ours.requires_grad_, lambda: ours.to("cuda:0")):
        assert call() is ours
    assert ours.zero_grad() is None


def test_a_dtype_is_given_to_the_floats_below() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    assert model.half() is model and {p.dtype for p in model.parameters()} == {"float16"}
    assert {p.dtype for p in model.to(torch.float32).parameters()} == {"float32"}
    assert {p.dtype for p in model.to("cpu", dtype=torch.bfloat16).parameters()} == {"bfloat16"}

    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.wide = nn.Linear(4, 3).float()

        def forward(self, x: Any) -> Any:
            return self.wide(x.float())

    theirs = torch.nn.Linear(4, 3)
    weights = {f"wide.{key}": value for key, value in theirs.state_dict().items()}
    x = torch.randn(2, 4).half()
    found = trtnet.define(Mixed(), {"x": trtnet.Input((2, 4))}, weights, dtype="float16").reference()(x)
    assert found.dtype == torch.float32 and relative_l2(found, theirs(x.float()).detach()) <= 1e-6


def test_a_model_prints_its_tree() -> None:
    text = repr(network(nn))
    assert text.splitlines()[0] == "Sequential(" and "  (2): Sequential(" in text and "    (1): Linear()" in text


class Buffered(nn.Module):
    def __init__(self, make: Callable[[], Any]) -> None:
        self.register_buffer("table", make())


ERRORS: dict[str, tuple[Callable[[], Any], str]] = {
    "double": (lambda: network(nn).double(), "TensorRT has no float64"),
    "an integer dtype": (lambda: network(nn).to(torch.int64), "a module is of a floating dtype, found int64"),
    "no dtype": (lambda: network(nn).to(torch.complex64), "unknown dtype"),
    "train": (lambda: network(nn).train(), "a network is for inference"),
    "itself": (lambda: network(nn).set_submodule("", nn.ReLU()), "set_submodule takes the path"),
    "a tensor of no network": (lambda: Buffered(lambda: ops.zeros((3,))), "in __init__ a constant is an array"),
    "a list": (
        lambda: Buffered(lambda: [1.0]),
        r"register_buffer\('table'\) takes an array or a",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_has_no_meaning_is_an_error_at_the_users_line(name: str) -> None:
    call, text = ERRORS[name]
    with pytest.raises(ModelError, match=text + HERE):
        call()


def test_a_tensor_of_a_network_is_not_a_buffer() -> None:
    class Model(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + Buffered(lambda: ops.zeros((3,))).table

    with pytest.raises(ModelError, match="table: a tensor of the network is not a buffer; give a numpy array"):
        trtnet.define(Model(), {"x": trtnet.Input((3,))}, {})
    assert Buffered(lambda: np.zeros(3, np.float32)).table.shape == (3,)


def test_names_that_are_not_there_say_what_to_do() -> None:
    model = network(nn)
    for call, text in (
        (lambda: model.get_submodule("2.3"), r"Sequential \(its modules\) has no '2\.3'"),
        (lambda: model.get_parameter("2.1.weigth"), r"did you mean 2\.1\.weight"),
        (lambda: model.get_buffer("1.running_men"), r"did you mean 1\.running_mean"),
        (lambda: model[0].kernel, "a Conv2d has no 'kernel'; did you mean"),
    ):
        with pytest.raises(AttributeError, match=text):
            call()
    for name, reason in REFUSED.items():
        assert hasattr(torch.nn.Module, name)
        with pytest.raises(AttributeError, match=f"has no '{name}'; ") as error:
            getattr(model, name)
        assert reason in str(error.value)


def test_every_method_of_torchs_modules_is_here_or_refused() -> None:
    # transformers adds a method to torch's modules when it is imported
    own = [n for n, value in vars(torch.nn.Module).items() if "transformers" not in getattr(value, "__module__", "")]
    public = sorted(name for name in own if not name.startswith("_"))
    of_torch = {"dump_patches", "call_super_init", "T_destination", "ipu", "xpu", "mtia"}
    left = [name for name in public if not hasattr(nn.Module(), name) and name not in REFUSED and name not in of_torch]
    assert left == ["forward"]


def test_lists_and_dicts_lose_members_as_torchs_do() -> None:
    for library in (nn, torch.nn):
        modules = library.ModuleList([library.ReLU(), library.Tanh(), library.Sigmoid()])
        del modules[1]
        assert [type(m).__name__ for m in modules] == ["ReLU", "Sigmoid"]
        assert [name for name, _ in modules.named_children()] == ["0", "1"]
        assert type(modules.pop(0)).__name__ == "ReLU" and len(modules) == 1
        assert len(modules + library.ModuleList([library.ReLU()])) == 2
        named = library.ModuleDict({"a": library.ReLU(), "b": library.Tanh()})
        assert type(named.pop("a")).__name__ == "ReLU" and list(named.keys()) == ["b"]
        named.clear()
        assert len(named) == 0
        both = library.Sequential(library.ReLU()) + library.Sequential(library.Tanh())
        assert [name for name, _ in both.named_children()] == ["0", "1"]
