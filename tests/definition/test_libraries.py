"""What published libraries ask of a tensor, and how they call torch: each kind that one was found with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import trtnet
from trtnet.support import backend


class Keywords(nn.Module):
    """diffusers: sizes by torch's names of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.reshape(shape=(-1, 2, 3)).permute(dims=(1, 0, 2)).repeat(repeats=(1, 2, 1))
        return y.expand(size=(2, -1, -1)) + x.new_zeros(size=(1, 1, 3))


class Questions(nn.Module):
    """torch.nn.Transformer and einops: torch's functions that ask for the kind of a tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert torch.is_tensor(x) and torch.is_floating_point(x) and not torch.is_complex(x) and x.is_floating_point()
        assert not torch.jit.is_tracing() and x.numel() == torch.numel(x)
        return torch.cat([torch.empty(0), x], 1)


class Reversed(nn.Module):
    """ultralytics: a number divided by a tensor, which torch calls by an older name of Python's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1.0 / (x.abs() + 1) + 2 ** (x * 0.1) - 3


class Bytes(nn.Module):
    """diffusers: values that are rounded to bytes and computed with."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, 1).mul_(255).round_().byte() / 255.0


class Committed(nn.Module):
    """transformers' DAC: how far a codebook's entries are, which is a loss in training."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near = x.round()
        each = nn.functional.mse_loss(x, near, reduction="none").mean(1, keepdim=True)
        return x + each + nn.functional.mse_loss(x, near) + nn.functional.l1_loss(near, x, reduction="sum")


@torch.jit.script
def snake(x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    return x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


class Scripted(nn.Module):
    """snac: a function that torch.jit.script has compiled."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return snake(x, torch.full((1, 6), 0.5)) + snake(torch.ones(6), torch.ones(6))


@pytest.mark.parametrize(
    "module",
    [Keywords(), Questions(), Reversed(), Bytes(), Scripted(), Committed()],
    ids=lambda module: type(module).__name__,
)
def test_it_equals_torch(module: nn.Module) -> None:
    x = torch.randn(2, 6)
    network = trtnet.define(module.eval(), {"x": trtnet.Input((2, 6))})
    np.testing.assert_allclose(network.reference()(x.numpy()), module(x).numpy(), rtol=1e-6)


class Denoiser(nn.Module):
    """diffusers: the result has the input's name."""

    def forward(self, sample: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sample": sample * 2, "scale": sample + 1}


def test_a_result_that_is_named_as_an_input_has_a_name_of_its_own() -> None:
    network = trtnet.define(Denoiser().eval(), {"sample": trtnet.Input((2, 3))})
    assert list(network.outputs) == ["output.sample", "scale"]
    report = trtnet.compare(network, Denoiser().eval())
    assert report.passed and {each.output for each in report.outputs} == {"output.sample", "scale"}


class Scaled(nn.Module):
    """open_clip: one of the results is computed from a weight alone."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, self.logit_scale.exp()


def test_a_result_that_does_not_depend_on_the_input_is_an_output_too() -> None:
    network = trtnet.define(Scaled().eval(), {"x": trtnet.Input((2, 3))})
    assert network.reference()(np.ones((2, 3), np.float32))["output1"] == pytest.approx(np.exp(2.5))
    assert network.folded == {"logit_scale"}


class Value(nn.Module):
    """pytorchcv: a position as a Python number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, : int(x[0, 0])]


def test_a_value_as_a_python_number_is_an_error_that_says_so() -> None:
    with pytest.raises(
        trtnet.ModelError, match=r"int\(\) of .*, which has no value while the network is being defined"
    ):
        trtnet.define(Value().eval(), {"x": trtnet.Input((2, 3))})


class Places(nn.Module):
    """torchvision's detectors: the positions that a mask has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = torch.where(x > 0)
        return x[rows, columns] + (x > 0).nonzero(as_tuple=True)[0] + torch.where(x > 0, x, 0.0).sum()


def test_positions_of_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    x, inputs = torch.randn(3, 4), {"x": trtnet.Input((3, 4))}
    monkeypatch.setattr(backend, "NO_KERNELS", {backend.name(): ("NON_ZERO",)})
    with pytest.raises(trtnet.LayerError, match=r"nonzero: .* has no kernels .*; use a mask with ops.where"):
        trtnet.define(Places().eval(), inputs)
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    network = trtnet.define(Places().eval(), inputs)
    np.testing.assert_allclose(network.reference()(x.numpy()), Places()(x).numpy(), rtol=1e-6)
