"""The choke point: every layer of every network is created by :meth:`Network.add`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Any, NoReturn

import numpy as np

from trtnet.graph.bindings import Bindings, Read
from trtnet.graph.calls import Boundary, Call
from trtnet.graph.inputs import Input
from trtnet.graph.itensors import flags, inferred_sizes, unwrap
from trtnet.graph.place import Placing
from trtnet.graph.precision import Precision
from trtnet.graph.report import layer_error
from trtnet.graph.sizes.dim import Axis, Dim, Shape, Value
from trtnet.graph.sizes.shape_inputs import check_names
from trtnet.graph.tensors.pending import Pending
from trtnet.graph.tensors.tensor import Tensor
from trtnet.graph.tensors.weight import Parameter, Weight
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import LayerError, ModelError
from trtnet.support.provenance import Provenance
from trtnet.support.source import SourceLine, here

_current: ContextVar[Network] = ContextVar("trtnet.graph.network")


def current() -> Network:
    """The network whose definition is running. Raises ModelError outside of one."""
    try:
        return _current.get()
    except LookupError:
        text = "no network is being defined here: modules are called, and tensors made, inside trtnet.define"
        raise ModelError(here(f"{text}; in __init__ a constant is an array, as numpy makes it")) from None


class Network(Placing):
    """A TensorRT network under definition, strongly typed, with what trtnet knows of it beside it.

    precision: the dtype of each module, which its floating weights are cast to; boundary: the casts between modules of
    two. trt: the ``INetworkDefinition``. inputs, outputs: by name, in order. dims: the named dimensions of the inputs,
    and the named values of inputs that say sizes; values: their names, by input;
    sized_by_values: whether sizes come from values, of an input or computed ones.
    weights: arrays TensorRT does not give back, by (layer name, attribute); the reference executor needs them.
    decompositions: what plugin layers compute, by layer name, as networks of their own. forms: the chosen forms of
    operations, see ``trtnet.ops.formulations``. modules: the path of each module of the model being defined. calls: of
    those modules, in the order they returned. pending: layers whose weights were not decided when they were added.
    byte_casts: what was cast to uint8. cache: tensors that are made once a network (constants, sizes). body: of the
    loop or branch being defined, None outside of all. named: the checkpoint keys of weights that TensorRT knows by
    them; folded: those that were computed with while defining.

    ``with network:`` makes it the one that operations without a tensor operand add to; at its end what is still pending
    is decided.
    """

    def __init__(self, dtype: DTypeLike | Mapping[str, DTypeLike] = "float32") -> None:
        super().__init__()
        self.precision = Precision(dtype)
        self.recorder = ErrorRecorder()
        self.builder = trt.Builder(logger)
        self.builder.error_recorder = self.recorder
        self.trt: trt.INetworkDefinition = self.builder.create_network(flags())
        self.trt.error_recorder = self.recorder
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.dims: dict[str, Dim] = {}
        self.values: dict[str, tuple[str, ...]] = {}
        self.sized_by_values = False
        self.weights: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
        self.decompositions: dict[str, Network] = {}
        self.forms: dict[str, str] = {}
        self.modules: dict[Any, str] = {}
        self.cache: dict[Any, Tensor] = {}
        self.pending: list[Pending] = []
        self.byte_casts: list[trt.ITensor] = []
        self._bindings = Bindings(self.precision.by_path)
        self.named: set[str] = set()
        self.folded = self._bindings.folded
        self.calls: list[Call] = []
        self.boundary = Boundary()
        self._names: set[str] = set()
        self._alive: dict[tuple[str, str], Weight] = {}
        self._makers: dict[Any, Any] = {}
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
            for (
                tensor
            ) in self.byte_casts:  # TensorRT has uint8 for outputs alone, and refuses another that nobody reads
                if not tensor.is_network_output:
                    self._makers[tensor].to_type = trt.DataType.INT32
            self.byte_casts.clear()

    @property
    def dtype(self) -> DType:
        """The dtype of the module being called; outside of all, of the model."""
        return self.precision.at(self.path)

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
                f"the name {name!r} is taken: it is an input's, and outputs need names of their own. State carried from"
                f" call to call comes back by another name, {{'{name}_next': {name}}}, and is the next call's {name}:"
                f" {name}=outputs['{name}_next']"
            )
        if tensor.trt.is_network_input or tensor.trt.is_network_output:
            (tensor,) = self.add("identity", {"input": tensor}, dims=[tensor.shape])
        self._reserve(name)
        tensor.trt.name = name
        self.trt.mark_output(tensor.trt)
        self.outputs[name] = tensor.fresh()

    def _reserve(self, name: str) -> None:
        if name in self._names:
            raise ModelError(f"the name {name!r} is taken: inputs and outputs need names of their own")
        self._names.add(name)

    # weights
    def bind(self, keys: Mapping[Parameter, str], read: Read) -> None:
        """Says where parameters come from: their checkpoint keys, and what gives an array for a key and a dtype."""
        self._bindings.bind(keys, read)

    def bind_like(self, other: Network) -> None:
        """Modules, their parameters and their forms are those of another network."""
        self.modules, self.forms = other.modules, other.forms
        self._bindings.bind_like(other._bindings)

    def array(self, parameter: Parameter) -> np.ndarray[Any, Any]:
        """A parameter as the checkpoint has it, to compute with while defining. Raises ModelError if it is unbound."""
        return self._bindings.array(parameter, self.path)

    def weight(self, value: Parameter | np.ndarray[Any, Any]) -> Weight:
        """A parameter (in its own dtype, else the network's) or an array; read once. Raises ModelError as array."""
        if not isinstance(value, Parameter):
            return Weight(np.asarray(value))
        return self._bindings.weight(value, dtypes.get(value.dtype) if value.dtype else self.dtype, self.path)

    def key(self, parameter: Parameter) -> str:
        """The checkpoint key of a parameter. Raises ModelError if it is unbound."""
        return self._bindings.key(parameter, self.path)

    # layers
    def add(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        attributes: Mapping[str, Any] | None = None,
        inputs: Mapping[int, Tensor] | None = None,
        setters: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "",
        hint: str = "",
        dims: Sequence[Shape] = (),
        of: Any = None,
        shown: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        """Creates one layer by ``INetworkDefinition.add_<method>`` and returns its outputs, checked.

        arguments: TensorRT's argument names; Tensors and Weights are unwrapped. attributes: set on the layer
        afterwards. inputs: further inputs by index (``ILayer.set_input``). setters: methods of the layer to call, with
        their arguments. name: what the layer is called after its
        module path, from the method by default. hint: the first line of the error if TensorRT refuses the layer.
        dims: for each output, its shape as far as trtnet knows it; only the Dims in it are used. of: the ILoop or
        IIfConditional that the layer is a boundary of. shown: the operands that an error lists, by default all.
        Raises LayerError if TensorRT refuses the layer, at once and with TensorRT's words.
        """
        kind = name or method.removesuffix("_v2").removesuffix("_nd")
        operands = {**arguments, **(attributes or {}), **{f"input{i}": t for i, t in (inputs or {}).items()}}
        listed = operands if shown is None else shown
        try:
            make = getattr(of or self.trt, method if method.startswith("set_") else f"add_{method}")
            layer = make(**{key: unwrap(value) for key, value in arguments.items()})
        except TypeError as error:
            self.fail(f"{kind} got arguments of the wrong type: {str(error).splitlines()[0]}", listed)
        if layer is None:
            self.fail(hint or f"TensorRT refused {kind}", listed)
        self._label(layer, kind)
        for attribute, value in (attributes or {}).items():
            setattr(layer, attribute, unwrap(value))
        for index, tensor in (inputs or {}).items():
            layer.set_input(index, tensor.trt)
        for setter, given in (setters or {}).items():
            getattr(layer, setter)(**{key: unwrap(value) for key, value in given.items()})
        self._keep(layer, operands)
        if layer.num_outputs == 0 and self.recorder.num_errors():
            self.fail(hint or f"TensorRT refused {kind}", listed)
        return tuple(
            self._output(layer, index, dims[index] if dims else (), hint or f"TensorRT refused {kind}", listed)
            for index in range(layer.num_outputs)
        )

    def maker(self, tensor: Tensor) -> trt.ILayer:
        """TensorRT's layer that made a tensor."""
        return self._makers[tensor.trt]

    def give(self, layer: trt.ILayer, weights: Mapping[str, Weight]) -> None:
        """Gives a layer weights, by its attributes' names, in place of those that it has."""
        for attribute, weight in weights.items():
            setattr(layer, attribute, weight.handle)
            self._alive.pop((layer.name, attribute), None)
            self.weights.pop((layer.name, attribute), None)
        self._keep(layer, weights)

    def connect(self, tensor: Tensor, index: int, value: Tensor, hint: str) -> None:
        """Feeds an input of the layer that made `tensor` afterwards, as a recurrence wants it.

        Raises LayerError, with `hint` and TensorRT's words, if it refuses that.
        """
        self.maker(tensor).set_input(index, value.trt)
        if inferred_sizes(tensor.trt) is None:
            self.fail(hint, {"from": tensor, "to": value})

    def fail(self, headline: str, operands: Mapping[str, Any], source: SourceLine | None = None) -> NoReturn:
        """Raises a LayerError that names the module, the user's line, the operands and TensorRT's last words."""
        words = [self._without_name(text) for text in self.recorder.take()]
        raise LayerError(layer_error(self.path, headline, source or self.place.source, operands, words))

    def _without_name(self, text: str) -> str:
        """TensorRT's words without the layer's name in front, which the error gives already."""
        name, colon, rest = text.partition(":")
        return rest.strip() if colon and name in self._names else text

    def _label(self, layer: trt.ILayer, kind: str) -> None:
        stem = f"{self.path}/{kind}" if self.path else kind
        name, count = stem, 0
        while name in self._names:
            count += 1
            name = f"{stem}_{count}"
        self._names.add(name)
        layer.name = name
        place = self.place
        layer.metadata = str(Provenance(place.path, str(place.source) if place.source else "", place.rows))

    def _keep(self, layer: trt.ILayer, operands: Mapping[str, Any]) -> None:
        for attribute, weight in operands.items():
            if not isinstance(weight, Weight):
                continue
            self._alive[layer.name, attribute] = weight
            if not weight.readable:
                self.weights[layer.name, attribute] = weight.array
            if weight.key:
                self.trt.set_weights_name(weight.handle, weight.key)
                self.named.add(weight.key)

    def _output(self, layer: trt.ILayer, index: int, dims: Shape, headline: str, operands: Mapping[str, Any]) -> Tensor:
        itensor = layer.get_output(index)
        sizes = inferred_sizes(itensor)
        if sizes is None:
            self.fail(headline, operands)
        self._makers[itensor] = layer
        itensor.name = layer.name if layer.num_outputs == 1 else f"{layer.name}:{index}"
        return Tensor(self, itensor, sizes, dims)


def _dtype_being_defined() -> DType | None:
    network = _current.get(None)
    return None if network is None else network.dtype


Parameter.network_dtype = staticmethod(_dtype_being_defined)
