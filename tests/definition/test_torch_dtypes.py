"""The dtypes of what a PyTorch module computes with, in a network of 16 bits: those of half(), or the module's own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import trtnet


def defined(module: nn.Module, dtype: str = "float16") -> Any:
    return trtnet.define(module.eval(), {"x": trtnet.Input(("batch", 6))}, dtype=dtype)


def compared(module: nn.Module, dtype: str = "float16", tolerance: float = 2e-3) -> Any:
    network = defined(module, dtype)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).to(getattr(torch, dtype))
    found = torch.as_tensor(network.reference()(x))
    with torch.no_grad():
        expected = module(x.float())
    assert (found.float() - expected).norm() <= tolerance * expected.norm()
    return network, found


class Caching(nn.Module):
    """What it computes of weights stays in a dict, as in timm's levit."""

    def __init__(self) -> None:
        super().__init__()
        self.biases = nn.Parameter(torch.randn(9))
        self.cache: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if str(x.device) not in self.cache:
            self.cache[str(x.device)] = self.biases[torch.arange(6)]
        return x + self.cache[str(x.device)]


def test_what_a_module_kept_of_an_earlier_call_has_the_dtype_it_is_used_with() -> None:
    module = Caching().eval()
    defined(module)
    assert not module.cache, "what the definition put there is taken out again"
    with torch.inference_mode():
        module(torch.zeros(1, 6))
    assert compared(module)[1].dtype == torch.float16
    assert compared(module, "float32", 1e-6)[1].dtype == torch.float32


class Angles(nn.Module):
    """A table of frequencies, of which products with positions do not fit into 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.frequencies = 1.0 / 10 ** torch.arange(6.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = torch.round(x * 1000).to(torch.int64)
        return (positions * self.frequencies).sin().to(x.dtype)


def test_a_table_that_is_not_a_buffer_keeps_its_precision_beside_integers() -> None:
    module = Angles()
    assert compared(module)[1].dtype == torch.float16


class Wide(nn.Module):
    """It computes in float32 by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(6) + 0.5), nn.Parameter(torch.randn(6))
        self.register_buffer("scale", torch.tensor([3e-5] * 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.layer_norm(x.float(), (6,), self.weight.float(), self.bias.float(), 1e-5)
        return (y * (self.scale.float() / 3e5) * 1e10).to(x.dtype)


def test_what_a_module_converts_itself_is_of_that_dtype() -> None:
    network, found = compared(Wide())
    assert found.dtype == torch.float16 and network.folded >= {"weight", "scale"}
    assert defined(Wide(), "float32").named >= {"weight", "bias"}


class Same(nn.Module):
    """Conversions that change nothing in the network's dtype, and views of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(6, 6)), nn.Parameter(torch.randn(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.linear(x, self.weight.to(x.dtype), self.bias.detach().data.type(x.dtype))
        return y @ self.weight.T + x @ self.weight.mT


def test_what_has_the_dtype_of_the_network_keeps_its_name() -> None:
    for dtype in ("float16", "float32"):
        network, found = compared(Same(), dtype, 2e-3)
        assert found.dtype == getattr(torch, dtype) and "bias" in network.named
        assert found.numpy().dtype == np.dtype(dtype)


class Positions(nn.Module):
    """Constants that are converted to the dtype of its weights, and computed with them before any input."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Conv1d(2, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = torch.stack([torch.arange(4.0), torch.arange(4.0).cos()])[None]
        return x + self.projection(positions.to(self.projection.weight.dtype)).mean(-1)


def test_constants_in_the_dtype_of_the_weights_are_computed_with_them() -> None:
    assert compared(Positions())[1].dtype == torch.float16


class Coordinates(nn.Module):
    """Floats that a module makes itself are float32, and go into layers with weights, as in torchvision's raft."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.conv = nn.Linear(6, 6), nn.Conv1d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + torch.arange(6.0)
        return self.linear(y) + self.conv(y[..., None])[..., 0]


def test_layers_take_floats_of_another_dtype_in_that_of_their_weights() -> None:
    assert compared(Coordinates())[1].dtype == torch.float16


class Tables(nn.Module):
    """Products of what it makes itself, in float32, with what is computed in the dtype of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.gru, self.cell = nn.GRU(6, 6, batch_first=True), nn.LSTMCell(6, 6)
        self.weight = nn.Parameter(torch.randn(6, 6) / 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = torch.arange(36.0).view(6, 6).cos()
        y = torch.einsum("bi,ij->bj", x @ table, table) + torch.bmm(x[:, None], table.expand(x.shape[0], 6, 6))[:, 0]
        z = (y + torch.arange(6.0) / 6)[:, None]
        seen = F.scaled_dot_product_attention(x[:, None], z, z) + self.attention(z, z, z)[0] + self.gru(z)[0]
        return seen[:, 0] + self.cell(z[:, 0])[0] + torch.mm(z[:, 0], self.weight) + torch.addmm(x, z[:, 0], table)


def test_products_of_two_dtypes_are_of_16_bits_as_under_autocast() -> None:
    assert compared(Tables(), "float16", 4e-3)[1].dtype == torch.float16
    assert compared(Tables(), "float32", 1e-6)[1].dtype == torch.float32


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x.double())
        return y.to(torch.float64).sum(1, keepdim=True).float() + torch.zeros(len(x), 6, dtype=torch.float64).float()


def test_float64_is_float32_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    module = Double().eval()
    with caplog.at_level(logging.WARNING, "trtnet.definition"):
        network = trtnet.define(module, {"x": trtnet.Input(("batch", 6))})
    assert caplog.text.count("float64 is float32 in the network") == 2, "once for each line"
    assert "y = self.linear(x.double())" in caplog.text
    x = torch.randn(3, 6)
    found = torch.as_tensor(network.reference()(x))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, module(x).detach())


class Places(nn.Module):
    """Puts what it computes into tables that are float32, and ones into what has 16 bits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        best, where = x.topk(2)
        table = torch.zeros(3, 6).scatter(1, where[:3], best[:3]).index_copy(0, torch.tensor([1]), x[:1])
        y = x.index_add(1, torch.tensor([0, 0]), torch.ones(3, 2)).masked_scatter(x > 1, torch.arange(18.0))
        return y + table


def test_what_is_put_into_a_tensor_has_its_dtype() -> None:
    module, x = Places().eval(), torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    network = trtnet.define(module, {"x": x}, dtype="float16")
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)).float(), module(x), atol=5e-3, rtol=5e-3)
