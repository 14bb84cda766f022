"""PyTorch modules in every state they come in: each defines what torch computes, or one clear error says why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import trtnet

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def linear() -> nn.Linear:
    return nn.Linear(4, 4)


def hooked() -> nn.Module:
    module = nn.Sequential(linear(), nn.ReLU())
    module[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    module[0].register_forward_hook(lambda module, args, kwargs, result: result * 2, with_kwargs=True)
    module.register_forward_hook(lambda module, args, result: result - 3)
    return module


def pruned() -> nn.Module:
    module = linear()
    prune.l1_unstructured(module, "weight", 0.5)
    return module


class Calling(nn.Module):
    """A submodule called twice, by keyword; a tied weight; defaults; what is for checkpoints and compilers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = linear(), linear()
        self.b.weight = self.a.weight

    def forward(self, x: torch.Tensor, *more: Any, scale: float = 2.0, **others: Any) -> torch.Tensor:
        y = torch.utils.checkpoint.checkpoint(self.a, self.a(input=x), use_reentrant=False)
        return self.b(input=y) * scale


class Through(nn.Module):
    """Calls another module."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x)


MODULES: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {  # and the keys that are folded
    "hooks": (hooked, set()),
    "weight norm": (lambda: nn.utils.weight_norm(linear()), {"weight_g", "weight_v"}),
    "weight norm, as a parametrization": (
        lambda: parametrizations.weight_norm(linear()),
        {"parametrizations.weight.original0", "parametrizations.weight.original1"},
    ),
    "spectral norm": (lambda: nn.utils.spectral_norm(linear()), {"weight_orig", "weight_u", "weight_v"}),
    "spectral norm, as a parametrization": (
        lambda: parametrizations.spectral_norm(linear()),
        {f"parametrizations.weight.{key}" for key in ("original", "0._u", "0._v")},
    ),
    "orthogonal": (
        lambda: parametrizations.orthogonal(linear()),
        {"parametrizations.weight.original", "parametrizations.weight.0.base"},
    ),
    "pruned": (pruned, {"weight_orig", "weight_mask"}),
    "calls": (Calling, set()),
    "traced": (lambda: torch.fx.symbolic_trace(nn.Sequential(linear(), nn.ReLU())), set()),
    "parallel": (lambda: nn.DataParallel(linear()), set()),
    "half": (lambda: linear().half(), set()),
    "bfloat16": (lambda: linear().bfloat16(), set()),
    "double": (lambda: linear().double(), set()),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_it_computes_what_torch_does(name: str, dtype: str) -> None:
    torch.manual_seed(1)
    make, folded = MODULES[name]
    module = make().eval()
    network = trtnet.define(module, {"x" if name == "calls" else "input": X}, dtype=dtype)
    own = next((x.dtype for x in module.parameters()), torch.float32)
    with torch.no_grad():
        expected = module(X.to(own)).float()
    found = torch.as_tensor(network.reference()(X.numpy())).float()
    tolerance = 1e-5 if dtype == "float32" and own not in (torch.float16, torch.bfloat16) else 2e-2
    assert (found - expected).norm() <= tolerance * expected.norm()
    assert network.folded == folded
    assert network.folded | network.named == set(module.state_dict()) - {"b.weight"}  # tied to a.weight


class Asking(nn.Module):
    """Asks its weight what does not change with it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.inner.weight
        assert weight.stride() == (4, 1) and weight.is_contiguous() and weight.requires_grad and weight.data_ptr()
        return self.inner(x) * (weight.numel() / 16)


def test_a_weight_that_is_only_asked_keeps_its_name() -> None:
    network = trtnet.define(Asking().eval(), {"x": X})
    assert network.named == {"inner.weight", "inner.bias"} and network.folded == set()


def test_what_torch_compiled_runs_as_it_was() -> None:
    module = Through(torch.compile(linear())).eval()
    network = trtnet.define(module, {"x": X})
    assert network.named == {"inner._orig_mod.weight", "inner._orig_mod.bias"}
    expected = module.inner._orig_mod(X).detach().numpy()
    np.testing.assert_allclose(network.reference()(X.numpy()), expected, rtol=1e-5, atol=1e-6)


@dataclasses.dataclass
class Result:
    a: torch.Tensor
    b: Any = None
    c: tuple[torch.Tensor, ...] = ()


RESULTS: dict[str, tuple[Callable[[torch.Tensor], Any], list[str]]] = {
    "a tensor": (lambda x: x + 1, ["output"]),
    "the input": (lambda x: x, ["output"]),
    "a tuple": (lambda x: (x, None, x + 1), ["output0", "output2"]),
    "a dict": (lambda x: {"a": x, "b": [x, {"c": x * 2}]}, ["a", "b.0", "b.1.c"]),
    "a dataclass": (lambda x: Result(x, None, (x + 1,)), ["a", "c.0"]),
    "beside a number": (lambda x: (x, 3), ["output0"]),
    "a constant": (lambda x: (x, torch.ones(3)), ["output0", "output1"]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_outputs(name: str) -> None:
    function, expected = RESULTS[name]
    network = trtnet.define(Through(function).eval(), {"x": X})
    assert list(network.outputs) == expected
    assert trtnet.compare(network, inputs={"x": X.numpy()}).passed


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        drop = torch.rand([])  # is not used in eval mode
        noise = torch.randn(4).clamp(-1, 1)
        return x + noise if not (self.training and drop < 0.1) else x


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(4)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)


def sparse() -> nn.Module:
    module = linear()
    module.weight = nn.Parameter(module.weight.detach().to_sparse(), requires_grad=False)
    return module


def meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


def partly_training() -> nn.Module:
    module = nn.Sequential(linear(), nn.Dropout()).eval()
    module[1].train()
    return module


ERRORS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "training": (
        lambda: linear().train(),
        "Linear is in training mode, and a network is for inference: call its eval\\(\\) first",
    ),
    "partly training": (partly_training, "1 is in training mode: call Sequential.eval()"),
    "scripted": (
        lambda: torch.jit.script(nn.Sequential(linear())).eval(),
        "RecursiveScriptModule is a TorchScript module, which has no Python code",
    ),
    "scripted inside": (
        lambda: Through(torch.jit.trace(linear().eval(), X)).eval(),
        r"inner \(TopLevelTracedModule\) is a TorchScript module",
    ),
    "quantized": (
        lambda: nn.Sequential(torch.ao.nn.quantized.Linear(4, 4)).eval(),
        r"0 \(Linear\) is a quantized module of torch's, which has weights in integers: give the float module",
    ),
    "a container": (lambda: nn.ModuleList([linear()]).eval(), r"ModuleList has no forward\(\)"),
    "lazy": (lambda: Lazy().eval(), "layer.weight has no shape yet: call the module once"),
    "sparse": (lambda: sparse().eval(), r"weight is a sparse tensor \(sparse_coo\): make it dense"),
    "meta": (lambda: meta(linear).eval(), "weight is on torch's meta device and has no data"),
    "random": (lambda: Random().eval(), r"what torch.randn makes is random at every call(.|\n)*return x \+ noise"),
    "random like": (
        lambda: Through(lambda x: x + torch.randn_like(x)).eval(),
        "torch's randn_like of a symbolic tensor: it is random at every call",
    ),
    "no result": (lambda: Through(lambda x: None).eval(), "Through.forward returned None, in which is no tensor"),
    "a value": (
        lambda: Through(lambda x: x * float(np.asarray(x).sum())).eval(),
        "has no values for numpy while the network is being defined",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_no_network_can_be_of_is_one_clear_error(name: str) -> None:
    make, text = ERRORS[name]
    module = make()
    with pytest.raises(trtnet.TrtnetError, match=text):
        trtnet.define(module, {"x": X})


def test_random_numbers_of_a_named_size_are_an_error_too() -> None:
    module = Through(lambda x: x + torch.rand(x.shape[0], 4)).eval()
    text = r"torch\.rand and torch\.randn are random at every call(.|\n)*in tests/definition/test_torch_semantics"
    with pytest.raises(trtnet.ModelError, match=text):
        trtnet.define(module, {"x": trtnet.Input(("batch", 4))})


def test_a_module_without_data_takes_the_weights_of_a_checkpoint() -> None:
    module, real = meta(linear).eval(), linear().eval()
    network = trtnet.define(module, {"input": X}, real.state_dict())
    np.testing.assert_allclose(network.reference()(X.numpy()), real(X).detach().numpy(), rtol=1e-5, atol=1e-6)
    normed, given = meta(lambda: parametrizations.weight_norm(linear())).eval(), parametrizations.weight_norm(linear())
    with pytest.raises(trtnet.ModelError, match="meta device, and the module computes with its values"):
        trtnet.define(normed, {"input": X}, given.state_dict())


def test_a_list_that_a_module_fills_is_lost_between_dtypes() -> None:
    class Filling(nn.Module):
        def forward(self, x: torch.Tensor, kept: list[torch.Tensor]) -> torch.Tensor:
            kept.append(x * 2)
            return x

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Filling()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = [x]
            self.inner(x, kept)
            return kept[-1]

    network = trtnet.define(Outer().eval(), {"x": X})
    np.testing.assert_array_equal(network.reference()(X.numpy()), (X * 2).numpy())
    with pytest.raises(trtnet.ModelError, match="inner changes a list or dict that it was given"):
        trtnet.define(Outer().eval(), {"x": X}, dtype={"": "float32", "inner": "float16"})


def test_a_module_is_defined_in_inference_mode() -> None:
    """There torch does not count what is written to a tensor: a token that is expanded is a constant, and right."""

    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.arange(6.0).reshape(1, 2, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1)

    module, x = Token().eval(), torch.randn(4, 5, 3)
    with torch.inference_mode():
        network = trtnet.define(module, {"x": x})
    torch.testing.assert_close(network.reference()(x), module(x).detach())
