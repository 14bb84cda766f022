"""Custom operations: a decomposition in ops, and a TensorRT plugin that replaces it where it is available."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.graph import Dim, Input, Network, OpenNetwork, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.support import backend
from trtnet.support.backend import supports, trt
from trtnet.support.errors import LayerError
from trtnet.support.text.counted import counted


@dataclass(frozen=True)
class Plugin:
    """A V3 plugin in TensorRT's registry, by its creator's name, version and namespace.

    Its fields are the operation's keyword arguments: ints become int32, floats float32, and arrays keep their dtype and
    shape. Its inputs may have any shape. Returns, from add, the layer's outputs, or None where the registry does not
    have the plugin.
    Layer: IPluginV3Layer.
    Raises LayerError, from add, for a field that is neither a number nor an array.
    """

    name: str
    version: str = "1"
    namespace: str = ""

    def add(self, network: OpenNetwork, operands: list[Tensor], arguments: dict[str, Any]) -> tuple[Tensor, ...] | None:
        """The layer's outputs; None where the registry does not have the plugin."""
        creator = trt.get_plugin_registry().get_creator(self.name, self.version, self.namespace)
        if creator is None:
            return None
        fields = trt.PluginFieldCollection([_field(name, value) for name, value in arguments.items()])
        plugin = creator.create_plugin(self.name, fields, trt.TensorRTPhase.BUILD)
        given = {"inputs": operands, "shape_inputs": [], "plugin": plugin}
        return network.add("plugin_v3", given, name=self.name, hint=f"TensorRT refused plugin {self.name}")


@dataclass(frozen=True)
class QuickPlugin:
    """A plugin written in Python with ``tensorrt.plugin``, by its id ``"namespace::name"``.

    The operation's keyword arguments are its attributes, of any dtype that it declares. Its inputs may have any shape.
    Returns, from add, the layer's outputs, or None where the plugin is not registered.
    Layer: IPluginV3Layer.
    Raises LayerError, from add, if TensorRT rejects the plugin.
    """

    id: str

    def add(self, network: OpenNetwork, operands: list[Tensor], arguments: dict[str, Any]) -> tuple[Tensor, ...] | None:
        """The layer's outputs; None where the plugin is not registered."""
        namespace, _, name = self.id.partition("::")
        registered = importlib.import_module(f"{backend.name()}.plugin").op
        maker = getattr(getattr(registered, namespace, None), name, None)
        if maker is None:
            return None
        call = maker(*(operand.trt for operand in operands), **arguments)
        return network.add("plugin", {"tuple": call}, name=name, hint=f"TensorRT refused plugin {self.id}")


def custom(plugin: Plugin | QuickPlugin | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares an operation: the decorated function is its decomposition in ops, `plugin` the layer that replaces it.

    The function's positional arguments are tensors of any shape and dtype, its keyword arguments the plugin's fields.
    Returns a decorator; the decorated operation returns what the function returns.
    Layer: IPluginV3Layer where the backend has plugins and the registry has this one, which the reference executes by
    the decomposition; elsewhere (TensorRT-RTX) none but those of the decomposition.
    Raises LayerError for a plugin with another number of outputs than the decomposition.
    """

    def declare(decomposition: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(decomposition)
        def operation(*operands: Operand, **arguments: Any) -> Any:
            network = network_of(*operands)
            tensors = [tensor(operand, network) for operand in operands]
            added = plugin.add(network, tensors, arguments) if plugin is not None and supports("plugins") else None
            if added is None:
                return decomposition(*tensors, **arguments)
            network.decompositions[_layer_name(added)] = _apart(network, decomposition, tensors, arguments, len(added))
            return added[0] if len(added) == 1 else added

        return operation

    return declare


def _field(name: str, value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype == np.int64 and not isinstance(value, np.ndarray):
        array = array.astype(np.int32)
    kind = getattr(trt.PluginFieldType, array.dtype.name.upper(), None)
    if kind is None:
        raise LayerError(f"a plugin's field is a number or an array of numbers, found {name}={value!r}")
    return trt.PluginField(name, np.atleast_1d(array), kind)


def _layer_name(outputs: tuple[Tensor, ...]) -> str:
    return outputs[0].name if len(outputs) == 1 else outputs[0].name.rpartition(":")[0]


def _apart(
    network: OpenNetwork,
    decomposition: Callable[..., Any],
    operands: list[Tensor],
    arguments: dict[str, Any],
    count: int,
) -> Network:
    """The decomposition as a separate network, its outputs named by their index."""
    apart = Network(network.dtype)
    names: dict[Dim, str] = {}
    with apart:
        inputs = []
        for index, operand in enumerate(operands):
            shape = [names.setdefault(s, f"d{len(names)}") if isinstance(s, Dim) else s for s in operand.shape]
            inputs.append(apart.add_input(str(index), Input(tuple(shape), operand.dtype.name)))
        results = decomposition(*inputs, **arguments)
        results = (results,) if isinstance(results, Tensor) else tuple(results)
        if len(results) != count:
            raise LayerError(f"the plugin has {counted(count, 'output')}, its decomposition {len(results)}")
        for index, result in enumerate(results):
            apart.mark_output(f"output{index}", result)
    return apart
