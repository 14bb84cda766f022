"""What can be compared: anything that gives outputs by name for inputs by name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.builder import describe
from trtnet.definition import DefinedNetwork
from trtnet.definition.again import unquantized
from trtnet.nn import Module
from trtnet.runtime import Engine, Session, load
from trtnet.support import dtypes
from trtnet.support.call_interface import StateInfo, TensorInfo, by_name
from trtnet.support.errors import InputError, ModelError
from trtnet.support.text.counted import an, counted
from trtnet.verify.arrays.feeding import Array, Notes, fed
from trtnet.verify.arrays.inputs import to_array
from trtnet.verify.arrays.saved import read_iterations, split_runner
from trtnet.verify.arrays.trtexec_files import SIX_DIGITS
from trtnet.verify.comparison.naming import by_name_or_position, flattened
from trtnet.verify.comparison.side import Results, Side


class Called:
    """An engine, a session, a reference: what is called with arrays by the names it declares.

    network: that a reference executes, if it is known.
    """

    is_typed = True
    whole: frozenset[str] = frozenset()
    network: DefinedNetwork | None = None

    def __init__(
        self,
        callee: Any,
        kind: str,
        computed: Iterable[str],
        takes: tuple[TensorInfo, ...] = (),
        declared: Iterable[str] = (),
        notes: Notes = (),
    ) -> None:
        self._callee, self.kind, self._notes = callee, kind, notes
        self.on_a_gpu = isinstance(callee, Engine | Session)
        self.takes: tuple[TensorInfo, ...] = takes or callee.inputs
        self.states: tuple[StateInfo, ...] = tuple(getattr(callee, "states", ()))
        self.computed = frozenset(computed) or _floating(info.dtype for info in (*callee.inputs, *callee.outputs))
        made = _floating(declared)
        self.declared = made | _floating(info.dtype for info in self.takes) if made else made

    def run(self, iteration: int, inputs: Mapping[str, Array]) -> Results:
        arrays, notes = fed(self.takes, inputs)
        return Results(by_name(self._callee(**arrays), self._callee.outputs), (*self._notes, *notes))


class Function:
    """A function of numpy arrays. It is called by name if its parameters have the inputs' names, else by position."""

    takes: tuple[TensorInfo, ...] = ()
    computed: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    is_typed = True
    whole: frozenset[str] = frozenset()
    on_a_gpu = False

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self.kind = function, getattr(function, "__name__", type(function).__name__)

    def run(self, iteration: int, inputs: Mapping[str, Array]) -> Results:
        args, kwargs, notes = by_name_or_position(inspect.signature(self._function), inputs)
        values, others = flattened(self._function(*args, **kwargs))
        # the next function, or its own next call, may write to the same memory
        return Results({name: to_array(x, f"output {name}").copy() for name, x in values.items()}, notes, others)


class Saved:
    """Outputs from a file: see :func:`trtnet.verify.arrays.saved.read_runs`.

    runner: whose, where the file has several.
    """

    takes: tuple[TensorInfo, ...] = ()
    declared: frozenset[str] = frozenset()
    is_typed = False
    on_a_gpu = False

    def __init__(self, path: str | os.PathLike[str], runner: str = "") -> None:
        self.kind = Path(path).name
        self._iterations = read_iterations(Path(path), runner)
        self.computed = _floating(a.dtype.name for arrays in self._iterations for a in arrays.values())
        names = dict.fromkeys(name for arrays in self._iterations for name in arrays)
        parts = {name: [arrays[name] for arrays in self._iterations if name in arrays] for name in names}
        self.whole = frozenset(name for name, each in parts.items() if _are_whole(each))

    @property
    def iterations(self) -> int:
        return len(self._iterations)

    def run(self, iteration: int, inputs: Mapping[str, Array]) -> Results:
        if iteration >= self.iterations:
            raise InputError(
                f"{self.kind} has the outputs of {counted(self.iterations, 'iteration')}; there are more inputs"
            )
        return Results(self._iterations[iteration])


def open_side(thing: Any) -> Side:
    """What a thing gives to compare.

    thing: a network that :func:`trtnet.define` returned (its reference is run), a reference, an engine, a session, a
    torch module, a function of numpy arrays, or a file: ``.onnx`` (what NVIDIA's parser makes of it, on the CPU
    reference), ``.engine``, or saved outputs (``.npz``, ``.json``, a folder). Raises ModelError for anything else.
    """
    if isinstance(thing, Side):
        return thing
    if isinstance(thing, str | os.PathLike):
        return _open_file(os.fspath(thing))
    if isinstance(thing, DefinedNetwork):
        made, takes = declared_by(thing), describe(thing).inputs
        side = Called(thing.reference(), "trtnet on the CPU", defined_in(thing), takes, made, _strayed(thing))
        side.network = thing
        return side
    if isinstance(thing, Engine):
        known = _known(thing.info.dtype)
        return Called(thing, "engine", known, declared=known)
    if isinstance(thing, Session):
        return Called(thing, "session", ())
    if _has_base(thing, "trtnet.reference.executor", "Reference"):
        return _reference(thing, "network on the CPU")
    if _has_base(thing, "torch.nn.modules.module", "Module"):
        from trtnet.verify.comparison.torch_side import TorchModule

        return TorchModule(thing)
    if isinstance(thing, Module):
        raise ModelError(f"{type(thing).__name__} has no weights yet: compare trtnet.define(model, weights=...)")
    if callable(thing):
        return Function(thing)
    raise ModelError(
        f"{an(type(thing).__name__)} cannot be compared; give an engine, a session, a reference, a defined network, a"
        f" torch module, a function, or a file (.onnx, .engine, .npz, .json)"
    )


def unquantized_side(side: Side) -> Side | None:
    """The same network in floats, of one that is quantized; None for everything else."""
    network = unquantized(side.network) if isinstance(side, Called) and side.network is not None else None
    return None if network is None else open_side(network)


def original_of(network: Any) -> Any:
    """The PyTorch module that a network was defined from. Raises InputError if there is none."""
    if not isinstance(network, DefinedNetwork):
        raise InputError(f"give the reference: {an(type(network).__name__)} does not know what it was defined from")
    if network.original is None:
        text = "was defined with other weights than a PyTorch module's own, or from none"
        raise InputError(f"give the original: the network {network.model} {text}")
    return network.original


def _open_file(text: str) -> Side:
    file, runner = split_runner(text)
    path = Path(file)
    if path.suffix == ".onnx":
        from trtnet.reference.onnx import parse

        return _reference(parse(path).reference(), "ONNX parser on the CPU")
    if path.suffix in (".npz", ".json") or path.is_dir():
        return Saved(path, runner)
    return open_side(load(path))


def declared_by(network: DefinedNetwork) -> frozenset[str]:
    """The floating dtypes that a network was defined in."""
    return _floating(dtypes.get(dtype).name for dtype in network.precision.by_path.values())


def defined_in(network: DefinedNetwork) -> frozenset[str]:
    """The floating dtypes that a network was defined in, and those to which it quantizes, which no cast does."""
    narrow = {name for name in computed_in(network.trt) if dtypes.get(name).bits < 16}
    return declared_by(network) | narrow | network.quantized.dtypes


def _strayed(network: DefinedNetwork) -> Notes:
    """A note of casts to coarser dtypes than any that the network was defined in."""
    made = declared_by(network)
    least = min((dtypes.get(name).bits for name in made), default=0)
    coarser = sorted(name for name in computed_in(network.trt) if 16 <= dtypes.get(name).bits < least)
    if not coarser:
        return ()
    return (f"something in it is {' and '.join(coarser)}, and it is held to {' and '.join(sorted(made))}, as defined",)


def computed_in(network: Any) -> frozenset[str]:
    """The floating dtypes of what an ``INetworkDefinition``'s layers give."""
    layers = (network.get_layer(i) for i in range(network.num_layers))
    outputs = (layer.get_output(i) for layer in layers for i in range(layer.num_outputs))
    return _floating({dtypes.get(tensor.dtype).name for tensor in outputs})


def _reference(reference: Any, kind: str) -> Side:
    return Called(reference, kind, computed_in(reference.network))


def _are_whole(arrays: Sequence[Array]) -> bool:
    """Whether arrays have whole numbers alone, and not because six digits, as trtexec writes, leave no others."""
    sizes = [np.abs(array.astype(np.float64)) for array in arrays]
    is_small = any(((each > 0) & (each < SIX_DIGITS // 10)).any() for each in sizes)
    return is_small and all(((each == np.rint(each)) & (each < SIX_DIGITS)).all() for each in sizes)


def _floating(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if dtypes.get(name).is_floating)


def _known(dtype: str) -> Sequence[str]:
    return [dtype] if any(dtype == each.name for each in dtypes.TABLE) else []


def _has_base(thing: Any, module: str, name: str) -> bool:
    """Whether an object is of a class, without importing it."""
    return any(cls.__module__ == module and cls.__name__ == name for cls in type(thing).__mro__)
