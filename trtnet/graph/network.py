"""A network under definition: its inputs and outputs, the calls of its modules."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

from trtnet.graph.bindings import Read
from trtnet.graph.calls import Boundary, Call
from trtnet.graph.inputs import Input, check_names
from trtnet.graph.memory.weight import DeclaredWeight
from trtnet.graph.sizes.dim import Dim
from trtnet.graph.sizes.origins import Axis, Value
from trtnet.graph.tensors.parameter import Parameter
from trtnet.graph.tensors.tensor import OpenNetwork, Tensor
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import StateInfo
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here

_current: ContextVar[Network] = ContextVar("trtnet.graph.network")


def current() -> Network:
    """The network whose definition is running. Raises ModelError outside of one."""
    try:
        return _current.get()
    except LookupError:
        text = "no network is being defined here: modules are called, and tensors made, inside trtnet.define"
        raise ModelError(here(f"{text}; in __init__ a constant is an array, as numpy makes it")) from None


class Network(OpenNetwork):
    """A TensorRT network under definition, strongly typed, with what trtnet knows of it beside it.

    inputs, outputs: by name, in order. states: which of them are carried from call to call. modules: the path of each
    module of the model being defined. calls: of those modules, in the order they returned; boundary: the casts between
    modules of two dtypes.

    ``with network:`` makes it the one that operations without a tensor operand add to; at its end what is still pending
    is decided.
    """

    def __init__(self, dtype: DTypeLike | Mapping[str, DTypeLike] = "float32") -> None:
        super().__init__(dtype)
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.states: tuple[StateInfo, ...] = ()
        self.modules: dict[Any, str] = {}
        self.calls: list[Call] = []
        self.boundary = Boundary()
        self._entered: list[Token[Network]] = []

    def __enter__(self) -> Network:
        self._entered.append(_current.set(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._entered.pop())
        if kind is None and not self._entered:
            for pending in self.pending:
                if pending.is_free:
                    pending.use()
            self.pending.clear()
            for tensor in self.byte_casts:  # TensorRT has uint8 for outputs only, and refuses another that nobody reads
                if not tensor.is_network_output:
                    self._makers[tensor].to_type = trt.DataType.INT32
            self.byte_casts.clear()

    # inputs and outputs
    def add_input(self, name: str, spec: Input) -> Tensor:
        """Declares an input. Raises ModelError for a name that is taken."""
        dtype = dtypes.get(spec.dtype) if spec.dtype else self.dtype
        self._reserve(name)
        check_names(name, spec, self.dims)
        sizes = tuple(size if isinstance(size, int) else -1 for size in spec.shape)
        itensor = self.trt.add_input(name, dtype.trt, sizes)
        if itensor is None:
            raise ModelError(f"TensorRT refused input {name!r}: {'; '.join(self.recorder.take())}")
        for axis, size in enumerate(spec.shape):
            if isinstance(size, str):
                itensor.set_dimension_name(axis, size)
        known = tuple(self.dims.get(size) if isinstance(size, str) else size for size in spec.shape)
        tensor = Tensor(self, itensor, sizes, known)
        tensor.strides = True
        tensor.shape = tuple(self._named(tensor, axis, size) for axis, size in enumerate(spec.shape))
        self.inputs[name] = tensor
        if spec.values:
            self.values[name] = spec.values
            self.dims |= {size: Dim(size, Value(tensor, index)) for index, size in enumerate(spec.values)}
        return tensor

    def _named(self, tensor: Tensor, axis: int, size: int | str) -> int | Dim:
        return size if isinstance(size, int) else self.dims.setdefault(size, Dim(size, Axis(tensor, axis)))

    def mark_output(self, name: str, tensor: Tensor) -> None:
        """Makes `tensor` an output. An input, or what is an output already, is passed through an identity layer.

        Raises ModelError for a name that is taken.
        """
        if name in self.inputs:
            raise ModelError(
                f"the name {name!r} is taken: it is an input's, and outputs need names of their own. What is"
                f" carried from call to call is declared: inputs = {{'{name}': trtnet.State(shape)}}; or return it by"
                f" another name"
            )
        if tensor.trt.is_network_input or tensor.trt.is_network_output:
            (tensor,) = self.add("identity", {"input": tensor}, dims=[tensor.shape])
        self._reserve(name)
        tensor.trt.name = name
        self.trt.mark_output(tensor.trt)
        self.outputs[name] = tensor.fresh()

    # weights
    def bind(self, keys: Mapping[Parameter, str], read: Read) -> None:
        """Says where parameters come from: their checkpoint keys, and what gives an array for a key and a dtype."""
        self._bindings.bind(keys, read)

    def bind_like(self, other: Network) -> None:
        """Modules, their parameters and their forms are those of another network."""
        self.modules, self.forms, self.quantized = other.modules, other.forms, other.quantized
        self.division = other.division
        self._bindings.bind_like(other._bindings)


def _dtype_being_defined() -> DType | None:
    network = _current.get(None)
    return None if network is None else network.dtype


DeclaredWeight.network_dtype = staticmethod(_dtype_being_defined)
