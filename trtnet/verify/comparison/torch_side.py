"""A torch module as something to compare with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

import torch

from trtnet.reference.step import to_torch
from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo, output_name
from trtnet.support.errors import InputError
from trtnet.verify.arrays.feeding import Array, Notes, cast
from trtnet.verify.arrays.inputs import to_array
from trtnet.verify.comparison.naming import by_name_or_position, flattened
from trtnet.verify.comparison.side import Results


class TorchModule:
    """A module, called in eval mode and without gradients, where its parameters are; its modes are put back after.

    torch's fast path for transformer encoders is off meanwhile, and noted: it returns zeros at padded positions.
    Floating inputs are cast to the dtype of its first floating parameter, and the cast is noted.
    """

    takes: tuple[TensorInfo, ...] = ()
    is_typed = True
    whole: frozenset[str] = frozenset()
    on_a_gpu = False

    def __init__(self, module: torch.nn.Module) -> None:
        self._module, self.kind = module, f"torch {type(module).__name__}"
        tensors = [*module.parameters(), *module.buffers()]
        floating = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
        self._dtype = dtypes.get(floating[0]) if floating else None
        self._device = tensors[0].device if tensors else torch.device("cpu")
        self.computed = self.declared = frozenset(dtypes.get(dtype).name for dtype in floating)

    def run(self, iteration: int, inputs: Mapping[str, Array]) -> Results:
        """The module's results. Raises InputError for inputs that its ``forward`` does not take, and with torch's words
        for those on which it does not run.
        """
        tensors, notes = self._tensors(inputs)
        args, kwargs, how = by_name_or_position(signature(self._module), tensors)
        try:
            with _evaluated(self._module), _slow_path(self._module) as slow, torch.inference_mode():
                result = self._module(*args, **kwargs)
        except Exception as error:
            shapes = ", ".join(f"{name} {list(array.shape)} {array.dtype}" for name, array in inputs.items())
            raise InputError(
                f"the torch module {type(self._module).__name__} does not run on {shapes}:"
                f" {_where(error, self._module)}{type(error).__name__}: {error}"
            ) from error
        values, others = flattened(result)
        # the next module, or its own next call, may write to the same memory
        arrays = {output_name(name, inputs): to_array(x, f"output {name}").copy() for name, x in values.items()}
        return Results(arrays, notes + how + slow, {output_name(name, inputs): kind for name, kind in others.items()})

    def _tensors(self, inputs: Mapping[str, Array]) -> tuple[dict[str, torch.Tensor], Notes]:
        tensors, notes = {}, Notes()
        for name, array in inputs.items():
            own = dtypes.get(array.dtype)
            wanted = self._dtype if self._dtype is not None and own.is_floating else own
            values, note = cast(array, wanted, f"input {name}")
            tensors[name] = to_torch(values).to(self._device)
            notes += note
        return tensors, notes


def signature(module: torch.nn.Module) -> inspect.Signature:
    """That of a module's ``forward``; a TorchScript module has it in its schema."""
    if not isinstance(module, torch.jit.ScriptModule):
        return inspect.signature(module.forward)
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    forward: Any = module.forward
    taken = forward.schema.arguments[1:]  # the first is the module
    parameters = [
        inspect.Parameter(each.name, kind, default=each.default_value if each.has_default_value() else empty)
        for each in taken
    ]
    return inspect.Signature(parameters)


def _where(error: Exception, module: torch.nn.Module) -> str:
    """The innermost module in it that raised, "" for itself."""
    paths = {id(each): f"in {path} ({type(each).__name__}): " for path, each in module.named_modules() if path}
    frames = [id(frame.f_locals.get("self")) for frame, _ in walk_tb(error.__traceback__)]
    return next((paths[each] for each in reversed(frames) if each in paths), "")


@contextmanager
def _evaluated(module: torch.nn.Module) -> Iterator[Any]:
    modes = {each: each.training for each in module.modules() if hasattr(each, "training")}  # a frozen one has none
    module.eval()
    try:
        yield
    finally:
        for each, training in modes.items():
            each.training = training


@contextmanager
def _slow_path(module: torch.nn.Module) -> Iterator[Notes]:
    """Every position computed, as in training: the fast path of an encoder packs its input without what is padded."""
    if not any(isinstance(each, torch.nn.TransformerEncoder) for each in module.modules()):
        yield ()
        return
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield ("torch's fast path of TransformerEncoder was off: it returns zeros at padded positions",) if was else ()
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
