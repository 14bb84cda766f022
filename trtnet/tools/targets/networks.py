"""The networks that commands are given by name: models and ONNX files, as one thing to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from trtnet.builder import PlanInfo
from trtnet.checkpoint import Checkpoint
from trtnet.definition import DefinedNetwork, Quantize, define
from trtnet.definition.again import define_again
from trtnet.definition.models import torch_module_of
from trtnet.definition.quantization.patterns import Patterns, table_of
from trtnet.graph.forms import FormChoices
from trtnet.graph.layers.read import Node
from trtnet.graph.layers.work import shaped
from trtnet.nn import Module
from trtnet.ops.formulations import GivenForms
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError
from trtnet.tools.targets import arguments, models
from trtnet.tools.targets.forms_choice import FormsChoice
from trtnet.tools.targets.placeholder_weights import Placeholder
from trtnet.tools.targets.weights_choice import WeightsChoice

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class NetworkTarget:
    """A network and what is known beside it.

    modules: of the model by path, {} where there is no model. sizes: what each dynamic dimension is taken as.
    assumed: those of them that nobody gave. weights: arrays that TensorRT does not give back, by (layer name,
    attribute). forms: what operations are. real_weights: whether the weights are a checkpoint's or a file's. owner:
    what must live as long.
    """

    name: str
    network: trt.INetworkDefinition
    modules: Mapping[str, Module]
    sizes: Sizes
    assumed: tuple[str, ...]
    weights: Mapping[tuple[str, str], Any]
    forms: FormChoices
    real_weights: bool
    owner: Any

    @property
    def backend(self) -> str:
        return f"{backend.name()} {backend.version()}"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs at these sizes; only of those with dynamic axes."""
        inputs = map(self.network.get_input, range(self.network.num_inputs))
        named = {tensor.name: axis_names(tensor) for tensor in inputs}
        return {
            name: tuple(self.sizes[size] if isinstance(size, str) else size for size in sizes)
            for name, sizes in named.items()
            if any(isinstance(size, str) for size in sizes)
        }

    @contextmanager
    def shaped(self) -> Iterator[None]:
        """The network at these sizes while it lasts. Raises InputError if it does not take them, with what to do."""
        try:
            with shaped(self.network, self.shapes):
                yield
        except InputError as error:
            named = " ".join(f"--dim {name}={size}" for name, size in self.sizes.items())
            advice = f". Give {', '.join(f'--dim {name}=SIZE' for name in self.assumed)}" if self.assumed else ""
            raise InputError(f"{error}\n  it was tried with {named or 'its own fixed shapes'}{advice}") from error

    def module(self, node: Node) -> str:
        """The path of the module that a layer belongs to."""
        return module_path(node.layer.name)


@dataclass(frozen=True)
class Choices:
    """What the command line says of a model: see ``trtnet build --help``.

    weights: a file, or with the options beside it; without a file the model is defined without weights. config: the
    file of the model's configuration. forms: of operations. quantization, fallback: as trtnet.Quantize takes them.
    """

    weights: WeightsChoice | str | None = None
    dtype: str = "float32"
    dims: Sequence[str] = ()
    arguments: Sequence[str] = ()
    inputs: Sequence[str] = ()
    config: str | None = None
    forms: FormsChoice = field(default_factory=FormsChoice)
    quantization: str | None = None
    fallback: str = "error"

    @property
    def values(self) -> dict[str, Any]:
        """What the model's factory is given."""
        return arguments.factory_arguments(self.arguments, self.config)

    @property
    def checkpoint(self) -> WeightsChoice:
        """What is said of the weights."""
        said = self.weights if isinstance(self.weights, WeightsChoice) else WeightsChoice(self.weights)
        keeps = said.file is not None and Patterns(table_of(self.quantization)).keep_the_checkpoint
        return replace(said, dequantize=True) if keeps else said

    @property
    def definition(self) -> dict[str, Any]:
        """What is said of the definition, as ``define`` takes it: all but the model, its inputs and its weights."""
        return {
            "dtype": arguments.dtype(self.dtype),
            "ignored": self.checkpoint.ignored,
            "forms": self.forms.forms,
            "approximations": self.forms.approximations,
            "quantization": None if self.quantization is None else Quantize(self.quantization, self.fallback),
            "arguments": self.values,
        }

    def open_weights(self, model: Module, otherwise: type[Placeholder]) -> Checkpoint | None:
        """The checkpoint, or a stand-in of the model's shapes where none is named; None for a PyTorch module's own.

        Raises CheckpointError.
        """
        dtype = arguments.dtype(self.dtype)
        found = self.checkpoint.open()
        if found is None and torch_module_of(model) is not None:
            return None
        return otherwise(model, dtype if isinstance(dtype, str) else "float32") if found is None else found


def check_options(choices: Choices, *targets: str, sizes: bool = True) -> None:
    """Raises ModelError for an option that only models have, where no target is one. sizes: whether --dim is none."""
    if any(map(models.is_model, targets)):
        return
    weights = choices.checkpoint
    given = {
        "--weights": weights.file, "--rules": weights.rules, "--key": weights.key, "--arg": choices.arguments,
        "--strip-prefix": weights.strip_prefix, "--ignore": weights.ignore, "--declare": choices.inputs,
        "--dtype": choices.dtype != "float32", "--dim": not sizes and choices.dims, "--config": choices.config,
        "--form": choices.forms.is_given, "--quantization": choices.quantization,
    }  # fmt: skip
    for option, value in given.items():
        if value:
            raise ModelError(
                f"{targets[0]} is not a model, so it takes no {option}; a model is named path/to/file.py:factory"
            )


def open_network(target: str, choices: Choices) -> NetworkTarget:
    """A model (of the zoo, or ``path.py:factory``) or an ONNX file.

    A dynamic dimension that has a range counts at its optimum, one that is not given at 1.
    Raises what defining, or parsing, raises; ModelError for a dimension that no input has.
    """
    return _onnx(target, choices) if target.endswith(".onnx") else _model(target, choices)


def define_model(target: str, choices: Choices) -> tuple[Module, DefinedNetwork]:
    """The module and its network, with a checkpoint or without weights."""
    model = models.made(target, choices.values)
    return model, defined(target, model, choices, choices.open_weights(model, Placeholder))


def define_network(target: str, choices: Choices, compute_capabilities: Sequence[str] = ()) -> DefinedNetwork:
    """The network of a model, with its weights, for a command that needs them. Raises WeightsError without any.

    compute_capabilities: of the GPUs that an engine of it is for, as in define.
    """
    model = models.made(target, choices.values)
    return defined(target, model, choices, choices.checkpoint.open(), compute_capabilities=compute_capabilities)


def defined(
    target: str,
    model: Module,
    choices: Choices,
    weights: Checkpoint | None,
    forms: GivenForms | None = None,
    compute_capabilities: Sequence[str] = (),
) -> DefinedNetwork:
    """The network of a model with its inputs, sizes and dtype as the command line says. Raises as define does.

    Random weights of a PyTorch module are said to be so.
    """
    declared = arguments.inputs(choices.inputs) or model.inputs
    defined = define(
        model,
        arguments.with_sizes(declared, arguments.dims(choices.dims)),
        weights,
        compute_capabilities=compute_capabilities,
        name=target,
        **choices.definition | ({} if forms is None else {"forms": forms}),
    )
    if defined.original is not None and defined.keys:
        from trtnet.tools.targets.original import own_weights  # needs torch, which other models do not

        defined.checkpoint.name = own_weights(target, defined.original, choices.values)
    return defined


def redefined(target: str, values: Mapping[str, Any], info: PlanInfo, weights: WeightsChoice) -> DefinedNetwork:
    """The network that an engine was built from, with other weights. Raises as define does.

    target, values: the model and what its factory is given. info: of the engine: inputs, dtypes and forms are its own.
    """
    model = models.made(target, values)
    return define_again(model, info, weights.open(), ignored=weights.ignored, name=target, arguments=values)


def _model(target: str, choices: Choices) -> NetworkTarget:
    model, defined = define_model(target, choices)
    sizes, assumed = _sizes(list(defined.dims), choices.dims)
    return NetworkTarget(
        target, defined.trt, dict(model.named_modules()), sizes, assumed, defined.weights, defined.forms,
        real_weights=choices.checkpoint.file is not None or defined.original is not None, owner=defined,
    )  # fmt: skip


def _onnx(target: str, choices: Choices) -> NetworkTarget:
    from trtnet.reference.onnx import parse  # needs torch, which models do not

    parsed = parse(target)
    inputs = map(parsed.network.get_input, range(parsed.network.num_inputs))
    names = dict.fromkeys(size for tensor in inputs for size in axis_names(tensor) if isinstance(size, str))
    sizes, assumed = _sizes(list(names), choices.dims)
    unknown = sorted(set(arguments.dims(choices.dims)) - set(names))
    if unknown:
        raise ModelError(f"--dim {unknown[0]}: {target} has the dynamic dimensions {', '.join(names) or 'none'}")
    return NetworkTarget(target, parsed.network, {}, sizes, assumed, {}, FormChoices(), real_weights=True, owner=parsed)


def _sizes(names: list[str], texts: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    given = {name: size if isinstance(size, int) else size[1] for name, size in arguments.dims(texts).items()}
    return {name: given.get(name, 1) for name in names}, tuple(name for name in names if name not in given)


def axis_names(tensor: trt.ITensor) -> tuple[int | str, ...]:
    """An input's shape, its dynamic axes by their names, or as ``image.0``."""
    return tuple(
        (tensor.get_dimension_name(axis) or f"{tensor.name}.{axis}") if size == -1 else size
        for axis, size in enumerate(tensor.shape)
    )


def inputs_of(network: trt.INetworkDefinition) -> tuple[TensorInfo, ...]:
    """The inputs with the names of their dynamic axes."""
    from trtnet.support import dtypes

    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    return tuple(TensorInfo(x.name, axis_names(x), dtypes.get(x.dtype).name) for x in tensors)


def module_path(name: str) -> str:
    """The module path in a layer's name.

    ``layer1.0.conv1/convolution`` is trtnet's, ``/layer1/layer1.0/conv1/Conv`` the same by torch's exporter to ONNX,
    where each part but the last is a module's name in its parent, of a Sequential's child with the parent's before it.
    """
    parts = name.strip("/").split("/")[:-1]
    path: list[str] = []
    for part in parts:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)
