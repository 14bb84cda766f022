"""A case by torch, which is the oracle, and by trtnet."""

from __future__ import annotations

import functools
import linecache
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.searching.case import FLOATING, Case
from ops.searching.meanings import OWN

import trtnet
from trtnet import nn, ops
from trtnet.definition import DefinedNetwork

FILE = "case.py"
"""What the program's file is called in errors."""

GENERATOR_FAULTS = (NameError, SyntaxError)


class TorchOps:
    """torch under the names of trtnet.ops: what `meanings` has first, torch.nn.functional's, torch's, then methods."""

    def __getattr__(self, name: str) -> Any:
        if name in OWN:
            return OWN[name]
        for place in (F, torch, torch.special, torch.linalg, torch.Tensor):
            if hasattr(place, name):
                return getattr(place, name)
        raise NameError(f"torch has no {name}")


TORCH = {"ops": TorchOps(), "nn": torch.nn, "torch": torch, "np": np, "math": math}
OURS = {"ops": ops, "nn": nn, "torch": torch, "np": np, "math": math}


@functools.lru_cache(maxsize=64)
def _compiled(program: str) -> Any:
    return compile(program, FILE, "exec")


def _model(program: str, namespace: Mapping[str, Any]) -> Any:
    scope = dict(namespace)
    exec(_compiled(program), scope)
    return scope["Model"]()


def own_model(case: Case) -> nn.Module:
    """The program as a module of trtnet."""
    model: nn.Module = _model(case.program, OURS)
    return model


def torch_model(case: Case) -> torch.nn.Module:
    """The program as a torch module, its weights drawn by the case's seed. Raises what torch raises."""
    return weighted(_model(case.program, TORCH), case.seed)


def wide_model(case: Case) -> torch.nn.Module:
    """The same with the program's constants of the case's dtype in float64."""
    constants = rf"(torch\.(?:tensor|zeros)\([^a-z]*?, dtype=torch\.){case.dtype}\)"
    return weighted(_model(re.sub(constants, r"\1float64)", case.program), TORCH), case.seed)


def weighted(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The model for inference, its floating weights drawn by a seed."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed keeps a stack for each GPU that might come
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if value.is_floating_point():
            value.data = torch.rand(value.shape) + 0.5 if name.endswith("_var") else torch.randn(value.shape) * 0.5
    return model.eval().requires_grad_(False)


def by_torch(case: Case, model: torch.nn.Module, inputs: Sequence[torch.Tensor], dtype: str) -> list[torch.Tensor]:
    """The results, computed in a dtype that stands for the case's own. Raises what torch raises."""
    target = getattr(torch, dtype)
    converted = [
        x.to(target) if x.is_floating_point() else x.clone(memory_format=torch.preserve_format) for x in inputs
    ]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return flat(model.to(target)(*converted))


def oracle(
    case: Case, model: torch.nn.Module, inputs: Sequence[torch.Tensor]
) -> tuple[list[torch.Tensor], list[torch.Tensor] | None]:
    """(torch's results, those computed in float64 as far as torch can). Raises what torch raises.

    Where torch's CPU has no kernel for a 16-bit float it is float32's result, rounded.
    """
    try:
        native = by_torch(case, model, inputs, case.dtype)
    except RuntimeError as error:
        if "not implemented for 'Half'" not in str(error) and "not implemented for 'BFloat16'" not in str(error):
            raise
        native = by_torch(case, model, inputs, "float32")
        native = [x.to(getattr(torch, case.dtype)) if x.dtype == torch.float32 else x for x in native]
    try:
        wide = by_torch(case, wide_model(case), inputs, "float64")
    except (RuntimeError, TypeError, ValueError):
        wide = None
    return native, wide


def moved(case: Case, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
    """The results in float64 for floating inputs whose elements are moved by some eps of their dtype, up or down."""
    step, generator = 4 * torch.finfo(getattr(torch, case.dtype)).eps, torch.Generator().manual_seed(1)
    signs = [torch.rand(x.shape, generator=generator, dtype=torch.float64).round() * 2 - 1 for x in inputs]
    given = [x.double() * (1 + step * s) if x.is_floating_point() else x for x, s in zip(inputs, signs, strict=True)]
    try:
        return by_torch(case, wide_model(case).to(getattr(torch, case.dtype)), given, "float64")
    except (RuntimeError, TypeError, ValueError):
        return None


def flat(result: Any) -> list[torch.Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, torch.Tensor):
        return [result]
    items = result.values() if isinstance(result, dict) else result
    return [tensor for item in items for tensor in flat(item)]


def define(case: Case, weights: torch.nn.Module, *, dynamic: bool) -> DefinedNetwork:
    """The program as a network. Raises what trtnet raises."""
    linecache.cache[FILE] = (len(case.program), None, case.program.splitlines(keepends=True), FILE)
    inputs = {
        f"x{i}": trtnet.Input(operand.dynamic_shape if dynamic else operand.shape, entering(case, operand.dtype))
        for i, operand in enumerate(case.operands)
    }
    arrays = weights.state_dict() if case.layer else {}
    return trtnet.define(own_model(case), inputs, arrays, dtype=case.dtype)


def entering(case: Case, dtype: str) -> str:
    """What an input is declared as: floats come in the network's own dtype."""
    return case.dtype if dtype in FLOATING else dtype


def by_reference(case: Case, network: DefinedNetwork, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The network's results on the CPU."""
    own = getattr(torch, case.dtype)
    return flat(network.reference()(*(x.to(own) if x.is_floating_point() else x for x in inputs)))
