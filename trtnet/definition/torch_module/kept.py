"""What a module keeps from call to call: put back after its ``forward``, and said where that is a loss.

What a module computes once and keeps, such as a mask of the size of its input, is no loss: a network has it as a
constant, or computes it. A state is one: the engine would have the same at each call.
"""

from __future__ import annotations

import dis
import inspect
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from trtnet.definition.torch_module.symbolic import Placeholder
from trtnet.definition.torch_module.tracing import Tracing
from trtnet.graph import Network, Tensor
from trtnet.support.backend import trt
from trtnet.support.errors import ModelError
from trtnet.support.source import SourceLine, at, caller

log = logging.getLogger("trtnet.definition")

Names = dict[tuple[torch.nn.Module, str], Any]
"""What modules hold: (which, the name of an attribute, or of an item of one, "cache.k") -> what."""

_INSTEAD = (
    "which a network does not keep from call to call: take the value as an argument and return the new one"
    " (trtnet.State feeds it back)"
)
_STORES = "STORE_ATTR"
_CHANGED = (list, dict, deque)
"""Structures to which a module may write without an assignment to its attribute."""


@contextmanager
def unchanged(module: torch.nn.Module, tracing: Tracing) -> Iterator[None]:
    """Puts the attributes of a module and of those in it back at the end, and what is in lists, dicts and deques.

    Raises ModelError for a buffer to which ``forward`` assigned a state; of another attribute it is a warning.
    """
    kept = {each: dict(each.__dict__) for each in module.modules()}
    inside = [(value, value.copy()) for each in kept.values() for value in each.values() if type(value) in _CHANGED]
    before, paths = _held(kept), {each: path for path, each in module.named_modules()}
    try:
        yield
        _check(paths, before, _held({each: each.__dict__ for each in kept}), tracing)
    finally:
        for each, attributes in kept.items():
            each.__dict__.clear()
            each.__dict__.update(attributes)
        for value, copied in inside:
            value.clear()
            (value.update if isinstance(value, dict) else value.extend)(copied)


def _held(attributes: dict[torch.nn.Module, dict[str, Any]]) -> Names:
    held: Names = {}
    for module, values in attributes.items():
        for name, value in values.items():
            if name in ("_parameters", "_modules") or name.endswith("hooks"):
                continue
            if isinstance(value, tuple) or type(value) in _CHANGED:
                stem = "" if name == "_buffers" else f"{name}."
                items = value.items() if isinstance(value, dict) else enumerate(value)
                held |= {(module, f"{stem}{key}"): item for key, item in items}
            else:
                held[module, name] = value
    return held


def _check(paths: Mapping[torch.nn.Module, str], before: Names, after: Names, tracing: Tracing) -> None:
    for (owner, name), value in after.items():
        was = before.get((owner, name), getattr(type(owner), name, None))
        if value is was or not _is_state(owner, name, was, value, tracing):
            continue
        key = f"{paths[owner]}.{name}" if paths[owner] else name
        text = f"{type(owner).__name__} assigns a new value to {key}, {_INSTEAD}"
        placed = at(_line(type(owner), _attribute(name)), text)
        if name in owner._buffers:
            raise ModelError(placed)
        log.warning("%s", placed)


def _is_state(owner: torch.nn.Module, name: str, was: Any, value: Any, tracing: Tracing) -> bool:
    """Whether a value that was assigned is computed from what was there before, or is of this call only."""
    if type(value) in (int, float) and type(was) in (int, float):
        return value != was and _is_counted(type(owner), _attribute(name))
    if isinstance(was, Placeholder) or not isinstance(value, torch.Tensor):
        return False
    if not isinstance(value, Placeholder):
        return tracing.weights.is_computed_from(value, was)
    if not _depends_on_values(tracing.network, value.value):
        return False
    if isinstance(was, torch.Tensor):
        return name in owner._buffers or tracing.weights.was_used(was)
    return was is None and _is_read_first(type(owner), _attribute(name))


def _attribute(name: str) -> str:
    """The attribute of an item, "cache" of "cache.k"."""
    return name.partition(".")[0]


def _depends_on_values(network: Network, tensor: Tensor) -> bool:
    """Whether a tensor is computed from values that the network is given, and not only from their sizes."""
    waiting, seen = [tensor.trt], set[Any]()
    while waiting:
        each = waiting.pop()
        if each in seen or each is None:
            continue
        seen.add(each)
        if each.is_network_input:
            return True
        layer = network.layer_of(each)
        if layer is not None and trt.ILayer.type.fget(layer) != trt.LayerType.SHAPE:
            waiting += [layer.get_input(index) for index in range(layer.num_inputs)]
    return False


def _is_read_first(kind: type[torch.nn.Module], name: str) -> bool:
    """Whether a method that assigns an attribute reads it before, in the order of its lines."""
    return any(uses[0][0] != _STORES for uses in _assigning(kind, name))


def _is_counted(kind: type[torch.nn.Module], name: str) -> bool:
    """Whether a line that assigns an attribute reads it, too, as ``self.step += 1`` does."""
    for uses in _assigning(kind, name):
        stored = {line for opcode, line in uses if opcode == _STORES}
        if any(line in stored for opcode, line in uses if opcode != _STORES):
            return True
    return False


def _line(kind: type[torch.nn.Module], name: str) -> SourceLine | None:
    """Where a class assigns an attribute; the line that is being executed where that is not known."""
    lines = [line for uses in _assigning(kind, name) for opcode, line in uses if opcode == _STORES]
    return lines[-1] if lines else caller()


def _assigning(kind: type[torch.nn.Module], name: str) -> Iterator[list[tuple[str, SourceLine]]]:
    """Of each method that assigns an attribute, but the constructor: (opcode, line) of all its uses, in order."""
    for each in kind.__mro__[: kind.__mro__.index(torch.nn.Module)]:
        for method, function in vars(each).items():
            code = getattr(inspect.unwrap(function), "__code__", None)
            if method == "__init__" or code is None or name not in code.co_names:
                continue
            found = [x for x in dis.get_instructions(code) if x.argval == name and x.opname.endswith("_ATTR")]
            lines = [SourceLine(code.co_filename, (x.positions and x.positions.lineno) or 0) for x in found]
            uses = [(x.opname, line) for x, line in zip(found, lines, strict=True)]
            if any(opcode == _STORES for opcode, _ in uses):
                yield uses
