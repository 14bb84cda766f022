"""Where a call's outputs go: the caller's own arrays, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from trtnet.runtime.calls.arguments import kind_of
from trtnet.runtime.calls.pending import Outputs
from trtnet.runtime.cuda.torch_tensors import check_devices
from trtnet.runtime.execution.signature import Signature
from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import NamedOutputs, TensorInfo
from trtnet.support.errors import InputError


def named(out: Any, outputs: Sequence[TensorInfo]) -> Outputs | None:
    """``out=`` as arrays by output name. Raises InputError for one array of several outputs, or other names."""
    names = [info.name for info in outputs]
    if out is None:
        return None
    if not isinstance(out, Mapping | NamedOutputs):
        if len(names) != 1:
            raise InputError(f"out= takes arrays by name, for the outputs {', '.join(names)}")
        return {names[0]: out}
    if sorted(out.keys()) != sorted(names):
        raise InputError(f"out= names {', '.join(out.keys()) or 'nothing'}; the outputs are {', '.join(names)}")
    return {name: out[name] for name in names}


def check_given(out: Outputs, signature: Signature, profile: int, outputs: Sequence[TensorInfo], device: int) -> None:
    """Checks the arrays given for a call's results, once for each combination of kinds. device: the GPU's number.

    Raises InputError.
    """
    kinds = (profile, *map(kind_of, out.values()))
    if kinds not in signature.out:
        check_out(out, signature.outputs[profile], outputs, signature.on_device)
        if signature.on_device:
            check_devices(out, device)
        signature.out.add(kinds)


def check_out(out: Outputs, shapes: Mapping[str, StaticShape], outputs: Sequence[TensorInfo], on_device: bool) -> None:
    """Raises InputError for an array that an output does not fit, or that is not of the inputs' kind."""
    for info in outputs:
        array = out[info.name]
        if isinstance(array, np.ndarray) == on_device:
            kind = "a torch tensor on the GPU" if on_device else "a numpy array"
            raise InputError(f"out= of output {info} must be {kind}, as the inputs are; found {type(array).__name__}")
        if info.name not in shapes:
            raise InputError(f"the shape of output {info} depends on data, so out= cannot be given: use the result")
        wanted = f"{list(shapes[info.name])} {info.dtype}"
        found = f"{list(getattr(array, 'shape', ()))} {_dtype(array)}"
        if found != wanted:
            raise InputError(f"out= of output {info.name} must be {wanted}; found {found}")


def check_arrays_apart(out: Outputs) -> None:
    """Raises InputError for two numpy arrays in the same memory: the later output would overwrite the earlier."""
    for (one, first), (other, second) in combinations(out.items(), 2):
        if np.shares_memory(first, second):
            raise InputError(f"out= of output {other} shares memory with output {one}: give it memory of its own")


def _dtype(array: Any) -> str:
    try:
        return dtypes.get(array.dtype).name
    except (TypeError, AttributeError):
        return str(getattr(array, "dtype", type(array).__name__))


def written(staged: Outputs, out: Outputs | None) -> Outputs:
    """The staging memory's arrays copied: into `out`, or into arrays of the caller's own."""
    if out is None:
        return {name: array.copy() for name, array in staged.items()}
    for name, array in staged.items():
        out[name][...] = array
    return out
