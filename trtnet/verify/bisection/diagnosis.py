"""Why a module may differ: its settings and its weights against those of the original's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from trtnet.definition import DefinedNetwork
from trtnet.definition.torch_module import TorchPart
from trtnet.graph import Parameter
from trtnet.nn import Module
from trtnet.reference.step import to_numpy
from trtnet.support import dtypes
from trtnet.verify.bisection.torch_recording import Original
from trtnet.verify.metrics.array_metrics import Array
from trtnet.verify.metrics.layouts import distance

ALIASES = {
    "eps": ("variance_epsilon", "epsilon"),
    "num_heads": ("num_attention_heads", "n_head", "n_heads"),
}
"""Names that originals have for a setting of ours, beside ours."""
IGNORED = {"inputs", "training", "inplace", "p", "dropout", "momentum", "bias"}
SAME_WEIGHTS = 1e-6


def settings_that_differ(ours: Module, theirs: torch.nn.Module) -> list[str]:
    """``eps is 1e-12 here, 1e-05 in torch``, for each setting that both modules have."""
    found = []
    for name, value in settings(ours).items():
        other = next((getattr(theirs, n) for n in (name, *ALIASES.get(name, ())) if hasattr(theirs, n)), None)
        value, other = _or_false(value, other), _or_false(other, value)
        if _is_plain(value) and _is_plain(other) and _plain(value) != _plain(other):
            found.append(f"{name} is {_plain(value)!r} here, {_plain(other)!r} in torch")
    return found


def settings(module: Module) -> dict[str, Any]:
    """The numbers, texts and tuples of them that a module was made with; None for those left out."""
    attributes = vars(module.torch_module if isinstance(module, TorchPart) else module)
    return {n: value for n, value in attributes.items() if n not in IGNORED and (value is None or _is_plain(value))}


def _or_false(value: Any, other: Any) -> Any:
    """A setting that is left out, beside one that is True or False, is False: as torch takes align_corners=None."""
    return False if value is None and isinstance(other, bool) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, int | float | str)


def _plain(value: Any) -> Any:
    """A tuple of equal numbers is one of them: a stride of 2 and one of (2, 2) are the same."""
    if isinstance(value, list | tuple):
        items = tuple(_plain(item) for item in value)
        return items[0] if len(set(items)) == 1 else items
    return value


def weights_that_differ(network: DefinedNetwork, path: str, module: Module, original: Original) -> Iterator[str]:
    """What is different about the module's own weights, as the network was given them."""
    theirs = original.module(path)
    (prefix, *_) = original.paths(path)
    own = {name: child for name, child in module.members() if isinstance(child, Parameter)}
    for name, parameter in own.items():
        expected = original.state.get(f"{prefix}.{name}" if prefix else name)
        if expected is not None:
            values = network.checkpoint[network.key(parameter)]
            yield from _weight(name, values, to_numpy(expected.detach().cpu()), original.state)
    for name, weight in theirs.named_parameters(recurse=False) if theirs is not None else ():
        if getattr(module, name, None) is None:
            yield f"torch has a {name} {list(weight.shape)}, this module has none"


def _weight(name: str, found: Array, expected: Array, state: Mapping[str, torch.Tensor]) -> Iterator[str]:
    if found.shape == expected.shape and distance(found, expected.astype(found.dtype)) <= SAME_WEIGHTS:
        return
    if found.ndim == 2 and found.T.shape == expected.shape and distance(found.T, expected) <= SAME_WEIGHTS:
        yield f"{name} is torch's, transposed"
    elif found.shape != expected.shape:
        yield f"{name} is {list(found.shape)} here, {list(expected.shape)} in torch"
    elif (found == found.flat[0]).all():
        yield f"{name} is {f'{float(found.flat[0]):.4g} everywhere' if found.any() else 'all zeros'} here"
    elif twin := next((key for key, other in state.items() if _equal(found, other)), ""):
        yield f"{name} has the values of torch's {twin}"
    elif factor := scale(found, expected):
        yield f"{name} is {factor:.4g} times torch's"
    else:
        yield f"{name} differs from torch's by {distance(found, expected):.1e}"


def _equal(found: Array, other: torch.Tensor) -> bool:
    return tuple(other.shape) == found.shape and distance(found, to_numpy(other.detach().cpu())) <= SAME_WEIGHTS


def scale(found: Array, expected: Array, within: float = 1e-3) -> float | None:
    """The factor that makes `found` of `expected`; None if there is none, it is 1, or they are integers or bools."""
    if not dtypes.get(found.dtype).is_floating:
        return None
    a, b = found.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    square = float(b @ b)
    if not np.isfinite(a).all() or not square or not np.isfinite(square):
        return None
    factor = float(a @ b) / square
    is_one = abs(factor - 1) <= 10 * within
    return factor if not is_one and factor and distance(a, factor * b) <= within else None
