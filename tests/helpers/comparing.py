"""What many tests share: defining small networks, running them on the reference, measuring the distance to torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

import trtnet
from trtnet import nn
from trtnet.definition import DefinedNetwork
from trtnet.support import dtypes

# relative L2 an operation may be from torch's float64 result (docs/design.md)
TOLERANCES = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


class Function(nn.Module):
    """A model that is one function of its inputs."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def network_of(
    function: Callable[..., Any], inputs: Mapping[str, trtnet.Input], dtype: str = "float32"
) -> DefinedNetwork:
    """A network without weights that computes `function`."""
    return trtnet.define(Function(function), inputs, {}, dtype=dtype)


def random_tensor(*shape: int, dtype: str = "float32", seed: int = 0) -> torch.Tensor:
    """Standard normal values of a dtype; integers from -4 to 4, never 0, for integer dtypes; random bools."""
    generator = torch.Generator().manual_seed(seed)
    if dtype == "bool":
        return torch.rand(*shape, generator=generator) > 0.5
    if not dtypes.get(dtype).is_floating:
        signs = torch.randint(0, 2, shape, generator=generator) * 2 - 1
        return (torch.randint(1, 5, shape, generator=generator) * signs).to(getattr(torch, dtype))
    return torch.randn(*shape, generator=generator).to(getattr(torch, dtype))


def relative_l2(found: Any, expected: Any) -> float:
    """||found - expected|| / ||expected||, in float64."""
    a, b = (
        torch.as_tensor(np.asarray(x, np.float64) if isinstance(x, np.ndarray) else x).double()
        for x in (found, expected)
    )
    assert a.shape == b.shape, f"shapes {tuple(a.shape)} and {tuple(b.shape)}"
    return float((a - b).norm() / b.norm().clamp_min(1e-30))


def agreeing(network: Any, model: nn.Module, x: torch.Tensor) -> bool:
    """Whether the reference gives what torch gives in float32, one tensor or several, within the dtype of `x`."""
    with torch.inference_mode():
        wanted = model(x.float())
    ours = network.reference()(x)
    pairs = [(ours, wanted)] if isinstance(wanted, torch.Tensor) else zip(ours, wanted, strict=True)
    within = {torch.float32: 1e-6, torch.float16: 4e-3}[x.dtype]
    return all(relative_l2(mine, theirs) <= within for mine, theirs in pairs)


def random_weights(model: nn.Module, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Weights that keep activations near 1 in size, variances positive; one for all keys of a tied parameter."""
    rng = np.random.default_rng(seed)

    def array(key: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if key.endswith("running_var"):
            return rng.uniform(0.5, 1.5, shape).astype(np.float32)
        scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.5
        return np.asarray(rng.standard_normal(shape) * scale, np.float32)

    arrays: dict[Any, np.ndarray[Any, Any]] = {}
    for key, parameter in model.named_parameters():
        arrays.setdefault(parameter, array(key, parameter.shape))
    return {key: arrays[parameter] for key, parameter in model.named_parameters()}


def same_plan(found: bytes, expected: bytes) -> bool:
    """Whether two builds gave the same engine: TensorRT-RTX 1.7 writes four bytes by how its threads took turns."""
    return len(found) == len(expected) and sum(a != b for a, b in zip(found, expected, strict=True)) <= 8
