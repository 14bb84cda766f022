"""The choke point: every layer of every network is created by :meth:`Adding.add`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np

from trtnet.graph.bindings import Bindings
from trtnet.graph.forms import FormChoices
from trtnet.graph.itensors import flags, inferred_sizes, of_tensors, settled, unwrap
from trtnet.graph.layers.convolved import Convolved
from trtnet.graph.layers.feature_maps import FeatureMaps
from trtnet.graph.layers.values import KnownValues
from trtnet.graph.memory.division import Division
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.memory.storage import StoredTensor
from trtnet.graph.memory.weight import DeclaredWeight, Weight
from trtnet.graph.place import Placing
from trtnet.graph.precision import Precision
from trtnet.graph.quantized import QuantizedParameters
from trtnet.graph.report import layer_error
from trtnet.graph.sizes.dim import Dim, Shape
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import LayerError, ModelError
from trtnet.support.provenance import Provenance
from trtnet.support.size_limit import SizeLimits
from trtnet.support.source import SourceLine

T = TypeVar("T", bound=StoredTensor)
"""The type of tensors."""


class Adding(Placing, Generic[T]):
    """A TensorRT network, strongly typed, to which layers are added, with what trtnet knows of them beside it.

    precision: the dtype of each module, which its floating weights are cast to. trt: the ``INetworkDefinition``. dims:
    the named dimensions of the inputs, and the named values of inputs that say sizes; values: their names, by input;
    tables: the rows of those that inputs of indices choose from. ends: of ranges of integers, what they stop before.
    loses_shapes: whether TensorRT-RTX loses the shapes where some are tried. limits: of named dimensions that its model
    compared with a number. weights: arrays TensorRT does not give back, by (layer name, attribute); the reference
    executor needs them. decompositions: what plugin layers compute, by layer name, as networks of their own. forms: the
    layers that operations are. merged: layers that take the weights of further operations. pending: layers whose
    weights were not decided when they were added. byte_casts: what was cast to uint8. narrowed: the layers that cast
    float32 to 16 bits. cache: tensors that are made once a network (constants, sizes). linear: the tensor, weight and
    bias of the results of linear layers, by the serial of their storage. scaled: the tensor and the factors of the
    results of scale layers. known: the values of what is made of constants. convolved: which convolutions tensors are
    computed from; feature_maps: the same of what a model calls convolutions. chosen: choices between these. sums: what
    was added, of sums of a tensor and a constant. moves, gathered: what permutations, reshapes and gathers of their
    results were made of. steps: how positions of results were computed. turned: what is kept in another order.
    shuffled: of images of shuffled channels, the image before and the places of its channels. pooled: results of
    windows that were taken apart. quantized: the parameters that the network holds quantized. division: the rank whose
    part of a larger one it is. named: the checkpoint keys of weights that TensorRT knows by them; folded: those that
    were computed with while defining.
    """

    def __init__(self, dtype: DTypeLike | Mapping[str, DTypeLike] = "float32") -> None:
        super().__init__()
        self.precision = Precision(dtype)
        self.recorder = ErrorRecorder()
        self.builder = trt.Builder(logger)
        self.builder.error_recorder = self.recorder
        self.trt: trt.INetworkDefinition = self.builder.create_network(flags())
        self.trt.error_recorder = self.recorder
        self.dims: dict[str, Dim] = {}
        self.values: dict[str, tuple[str, ...]] = {}
        self.tables: dict[str, int] = {}
        self.ends: dict[trt.ITensor, Dim] = {}
        self.loses_shapes = False
        self.limits = SizeLimits()
        self.weights: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
        self.decompositions: dict[str, Adding[T]] = {}
        self.forms = FormChoices()
        self.cache: dict[Any, T] = {}
        self.linear: dict[int, tuple[T, Any, Any]] = {}
        self.scaled: dict[trt.ITensor, tuple[trt.ITensor, Any]] = {}
        self.merged: dict[Any, Any] = {}
        self.known = KnownValues()
        self.convolved = Convolved()
        self.feature_maps = FeatureMaps()
        self.chosen: dict[Any, T] = {}
        self.sums: dict[trt.ITensor, tuple[T, Any]] = {}
        self.moves: dict[trt.ITensor, Any] = {}
        self.steps: dict[trt.ITensor, Any] = {}
        self.turned: dict[trt.ITensor, Any] = {}
        self.gathered: dict[trt.ITensor, Any] = {}
        self.shuffled: dict[trt.ITensor, tuple[T, np.ndarray[Any, Any]]] = {}
        self.pooled: set[trt.ITensor] = set()
        self.pending: list[PendingLayer] = []
        self.byte_casts: list[trt.ITensor] = []
        self.narrowed: list[trt.ILayer] = []
        self.quantized = QuantizedParameters()
        self.division = Division()
        self._bindings = Bindings(self.precision.by_path)
        self.named: set[str] = set()
        self.folded = self._bindings.folded
        self._names: set[str] = set()
        self._reserved: set[str] = set()
        self._alive: dict[tuple[str, str], Weight] = {}
        self._makers: dict[Any, Any] = {}

    @abstractmethod
    def _tensor(self, itensor: trt.ITensor, sizes: tuple[int, ...], dims: Shape) -> T:
        """A result of a layer. dims: its shape as far as trtnet knows it."""

    @property
    def dtype(self) -> DType:
        """The dtype of the module being called; outside of all, of the model."""
        return self.precision.at(self.path)

    # weights
    def array(self, parameter: DeclaredWeight) -> np.ndarray[Any, Any]:
        """A parameter as the checkpoint has it, to compute with while defining. Raises ModelError if it is unbound."""
        return self._bindings.array(parameter, self.path)

    def stored(self, parameter: DeclaredWeight) -> np.ndarray[Any, Any]:
        """A parameter as the checkpoint has it, to look at: it keeps its name. Raises as array."""
        return self._bindings.stored(parameter, self.path)

    def weight(self, value: DeclaredWeight | np.ndarray[Any, Any]) -> Weight:
        """A parameter (in its own dtype, else the network's) or an array; read once. Raises ModelError as array."""
        if not isinstance(value, DeclaredWeight):
            return Weight(np.asarray(value))
        weight = self._bindings.weight(value, dtypes.get(value.dtype) if value.dtype else self.dtype, self.path)
        if self.division.of(value) is not None:
            self.division.add_weight(weight)
        return weight

    def key(self, parameter: DeclaredWeight) -> str:
        """The checkpoint key of a parameter. Raises ModelError if it is unbound."""
        return self._bindings.key(parameter, self.path)

    def weights_by_name(self) -> dict[str, Weight]:
        """What TensorRT reads: by checkpoint keys, and floats that have none, as constants, by layer and attribute."""
        kept = self._alive.items()
        return {w.key or f"{layer}:{attribute}": w for (layer, attribute), w in kept if w.key or w.dtype.is_floating}

    def name_weights(self) -> None:
        """Has TensorRT know all of them by these names, so that an engine that is built for refit takes others."""
        for name, weight in self.weights_by_name().items():
            self.trt.set_weights_name(weight.handle, name)

    # layers
    def add(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        attributes: Mapping[str, Any] | None = None,
        inputs: Mapping[int, StoredTensor] | None = None,
        setters: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "",
        hint: str = "",
        dims: Sequence[Shape] = (),
        of: Any = None,
        shown: Mapping[str, Any] | None = None,
    ) -> tuple[T, ...]:
        """Creates one layer by ``INetworkDefinition.add_<method>`` and returns its outputs, checked.

        arguments: TensorRT's argument names; Tensors and Weights are unwrapped. attributes: set on the layer
        afterwards. inputs: further inputs by index (``ILayer.set_input``). setters: methods of the layer to call, with
        their arguments. name: what the layer is called after its module path, from the method by default. hint: the
        first line of the error if TensorRT refuses the layer. dims: for each output, its shape as far as trtnet knows
        it; only the Dims in it are used. of: the ILoop or IIfConditional that the layer is a boundary of. shown: the
        operands that an error lists, by default all.
        Raises LayerError if TensorRT refuses the layer, at once and with TensorRT's words.
        """
        kind = name or method.removesuffix("_v2").removesuffix("_nd")
        operands = settled({**arguments, **(attributes or {}), **{f"input{i}": t for i, t in (inputs or {}).items()}})
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
        results = tuple(
            self._output(layer, index, dims[index] if dims else (), hint or f"TensorRT refused {kind}", listed)
            for index in range(layer.num_outputs)
        )
        self._note(method, layer, operands, results)
        return results

    def _note(self, method: str, layer: trt.ILayer, operands: Mapping[str, Any], results: tuple[T, ...]) -> None:
        self.division.note(operands.values(), results)
        outputs = [result.trt for result in results]
        for facts in (self.known, self.convolved, self.feature_maps):
            facts.note(method, layer, of_tensors(operands.values()), outputs)

    def maker(self, tensor: StoredTensor) -> trt.ILayer:
        """TensorRT's layer that made a tensor."""
        return self._makers[tensor.trt]

    def layer_of(self, tensor: trt.ITensor) -> trt.ILayer | None:
        """TensorRT's layer that made a tensor of TensorRT's; None for inputs, and those of loops and conditions."""
        return self._makers.get(tensor)

    def tensor_of(self, itensor: trt.ITensor) -> T:
        """What a layer of the network made, as operations take it; its dynamic sizes have no names."""
        return self._tensor(itensor, tuple(itensor.shape), ())

    def give(self, layer: trt.ILayer, weights: Mapping[str, Weight]) -> None:
        """Gives a layer weights, by its attributes' names, in place of those that it has."""
        for attribute, weight in weights.items():
            setattr(layer, attribute, weight.handle)
            before = self._alive.pop((layer.name, attribute), None)
            if before is not None and all(before.key != weight.key for weight in self._alive.values()):
                self.named.discard(before.key)
            self.weights.pop((layer.name, attribute), None)
        self._keep(layer, weights)

    def replace(self, old: trt.ITensor, new: trt.ITensor) -> None:
        """Has all that reads a tensor read another one of its shape and dtype: layers there are, and the model."""
        for index in range(self.trt.num_layers):
            layer = self.trt.get_layer(index)
            for number in range(layer.num_inputs):
                if layer.get_input(number) is old:
                    layer.set_input(number, new)
        self.replaced |= {before: new for before, after in self.replaced.items() if after is old}
        self.replaced[old] = new

    def connect(self, tensor: StoredTensor, index: int, value: StoredTensor, hint: str) -> None:
        """Feeds an input of the layer that made `tensor` afterwards, as a recurrence needs it.

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
        layer.name = self._free(f"{self.path}/{kind}" if self.path else kind)
        self.places[layer.name] = place = self.place
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

    def _output(self, layer: trt.ILayer, index: int, dims: Shape, headline: str, operands: Mapping[str, Any]) -> T:
        itensor = layer.get_output(index)
        sizes = inferred_sizes(itensor)
        if sizes is None:
            self.fail(headline, operands)
        self._makers[itensor] = layer
        itensor.name = layer.name if layer.num_outputs == 1 else f"{layer.name}:{index}"
        return self._tensor(itensor, sizes, dims)

    def _free(self, stem: str) -> str:
        """A name that is taken from now on."""
        name, count = stem, 0
        while name in self._names:
            count += 1
            name = f"{stem}_{count}"
        self._names.add(name)
        return name

    def _reserve(self, name: str) -> None:
        """Takes a name for an input or output. A result of a layer that has it, "relu", gets another one."""
        if name in self._reserved:
            raise ModelError(f"the name {name!r} is taken: inputs and outputs need names of their own")
        for itensor in self._makers if name in self._names else ():
            if itensor.name == name:
                itensor.name = self._free(name)
        self._reserved.add(name)
        self._names.add(name)
