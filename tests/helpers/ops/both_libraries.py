"""Programs that read the same over torch's tensors and ours, run on both: values, shapes and dtypes are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from helpers.comparing import TOLERANCES, network_of

import trtnet
from trtnet.definition import DefinedNetwork

Call = Callable[..., Any]


def defined(function: Call, inputs: Sequence[torch.Tensor], dynamic: bool = False) -> DefinedNetwork:
    """`function` of (library, inputs) as a network; if dynamic, each axis of each input has a name of its own size."""
    specs = {
        f"x{i}": trtnet.Input(
            tuple(f"s{size}" for size in x.shape) if dynamic else tuple(x.shape), str(x.dtype).removeprefix("torch.")
        )
        for i, x in enumerate(inputs)
    }
    kinds = [spec.dtype for spec in specs.values() if str(spec.dtype) in TOLERANCES]
    return network_of(lambda *x: function(trtnet.ops, *x), specs, str(kinds[0]) if kinds else "float32")


def same_as_torch(function: Call, *inputs: torch.Tensor, dynamic: bool | None = None) -> None:
    """Asserts that `function` of (library, inputs) gives what torch gives, with static sizes and with dynamic ones."""
    wanted = function(torch, *inputs)
    for unknown in (False, True) if dynamic is None else (dynamic,):
        found = defined(function, inputs, unknown).reference()(*inputs)
        if isinstance(wanted, torch.Tensor):
            same(found, wanted)
        else:
            several = list(found.values()) if isinstance(found, dict) else list(found)
            assert len(several) == len(wanted)
            for one, other in zip(several, wanted, strict=True):
                same(one, other)


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Asserts that two tensors are equal: dtype, shape and elements."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert torch.allclose(found, wanted, equal_nan=True) if found.is_floating_point() else torch.equal(found, wanted)
