"""From a model, its inputs and its checkpoint to a network, and from there to an engine or to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trtnet.builder import BuildConfig, Dims, PlanInfo, build_plan, describe
from trtnet.checkpoint import IGNORED, Checkpoint, Source, match, open_checkpoint, shaped
from trtnet.checkpoint.base import raw_bytes
from trtnet.definition.forward import run_forward
from trtnet.definition.given import check_given
from trtnet.definition.inputs import Axes, Declared, declared
from trtnet.definition.models import Model, as_module, torch_module_of
from trtnet.definition.own_weights import Versions, with_own_weights
from trtnet.definition.parallel import TensorParallel
from trtnet.definition.parallel.applying import complete, part_of
from trtnet.definition.quantization import Quantize, Quantizing, Schemes, advised
from trtnet.definition.reading import Reading
from trtnet.graph import Input, Network, Parameter
from trtnet.graph.forms import FormChoices
from trtnet.graph.precision import Precision
from trtnet.graph.quantized import Watched
from trtnet.nn import Module
from trtnet.ops.formulations import GivenForms, check_used, choices_of
from trtnet.runtime import Engine
from trtnet.runtime.cuda.capability import compute_capability_here
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import WeightsError
from trtnet.support.text.counted import counted
from trtnet.support.version import version

if TYPE_CHECKING:
    import torch

    from trtnet.reference import Reference

DTypes = DTypeLike | Mapping[str, DTypeLike]
"""The dtype of a model, or of some of its modules by path: ``{"": "float16", "layer4.1": "float32"}``."""


class DefinedNetwork(Network):
    """A network with its outputs marked: what :func:`define` returns, ready to build or to run on the CPU.

    checkpoint, reading: where its weights come from. keys: the checkpoint keys that the model uses. skipped: what
    strict=False left out. model, arguments: the factory and its arguments, for the sidecar. dtype: as given to define.
    original: the PyTorch module that it was defined from, if it has that module's own weights; None otherwise.
    Raises ProfileError and BuildError when it is built, and ModelError if a PyTorch module's weights changed since.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: DTypes, model: str, arguments: Mapping[str, Any]) -> None:
        super().__init__(dtype)
        self.checkpoint = checkpoint
        self.skipped: tuple[str, ...] = ()
        self.keys: tuple[str, ...] = ()
        self.original: torch.nn.Module | None = None
        self.reading = Reading(checkpoint, {}, self.division)
        self.versions = Versions({})
        self.model, self.arguments = model, dict(arguments)

    def build(self, dims: Dims | Sequence[Dims] | None = None, config: BuildConfig | None = None) -> Engine:
        """Compiles an engine; it runs where there is a GPU, and can be saved anywhere.

        dims: for each dynamic dimension its size or (min, opt, max); a sequence of such mappings makes several
        optimization profiles. Raises ProfileError and BuildError.
        """
        self.versions.check()
        return Engine(build_plan(self, dims, config or BuildConfig(), self.describe()))

    def reference(self, *, exact: bool = False) -> Reference:
        """The network as the CPU executes it, called like an engine.

        exact: keep float32 between layers, where an engine would round to the dtype of each tensor.
        """
        from trtnet.reference import Reference  # needs torch, which defining and building do not

        self.versions.check()
        plugins = {
            name: Reference(apart.trt, apart.weights, exact=exact) for name, apart in self.decompositions.items()
        }
        made: dict[str, Any] = {"plugins": plugins, "limits": self.limits, "rank": self.division.described}
        made |= {"states": self.states, "outputs": describe(self).outputs, "rows": self.tables}
        return Reference(self.trt, self.weights, exact=exact, owner=self, **made)

    def describe(self) -> PlanInfo:
        """What a sidecar would say about it, without profiles."""
        return replace(
            describe(self),
            model=self.model,
            arguments=self.arguments,
            checkpoint_digest=self.checkpoint.digest(self.keys),
            trtnet_version=version(),
        )


def define(
    model: Model,
    inputs: Mapping[str, Declared] | None = None,
    weights: Source | None = None,
    *,
    dims: Mapping[str, Axes] | None = None,
    dtype: DTypes = "float32",
    ignored: Sequence[str] = IGNORED,
    strict: bool = True,
    forms: GivenForms = MappingProxyType({}),
    approximations: bool = False,
    quantization: Quantize | Schemes | None = None,
    parallel: TensorParallel | None = None,
    compute_capabilities: Sequence[str] = (),
    name: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> DefinedNetwork:
    """Translates a model into a TensorRT network, its weights taken from a checkpoint by name.

    model: a Module, or a PyTorch module in eval mode, whose own ``forward`` is called. inputs: name -> Input, by the
    names of ``forward``'s parameters, or in their order; by default ``model.inputs``. An example declares an input of
    its shape and dtype; dims names its dynamic axes: ``{"x": {0: "batch"}}``. Inputs in a list or dict are one
    argument, with joined names: ``images.0``. weights: a checkpoint file, a state_dict, a torch module, or a mapping of
    arrays; None for none, or for those of a PyTorch module or member. dtype: of the floating weights, and of the
    floating inputs where they enter. May map module paths to dtypes: the longest wins, "" is the whole model; weights
    in such a module are cast to its dtype, tensors where they enter and leave it. ignored: regular expressions of
    checkpoint keys; one that matches none is a warning. strict=False: ignores other keys too, listed in
    ``network.skipped``; the model's own weights must all be there. forms: the layers for kinds of operations, in all or
    by patterns of module paths (``ops.formulations``), or the result of :func:`trtnet.tune`, or its file.
    approximations: allow forms that compute another function. compute_capabilities: of the target GPUs, by default this
    one. quantization: ``trtnet.Quantize``. parallel: ``trtnet.TensorParallel``. name, arguments: for the sidecar.
    Returns the network; its outputs: a tensor ("output"), several (``output0``, ...), or a dict. Warns of weights' NaN.
    Raises CheckpointError and WeightsError before TensorRT is used, ModelError, LayerError, and what the model raises.

    >>> import numpy as np, trtnet
    >>> weights = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    >>> network = trtnet.define(trtnet.nn.Linear(3, 2), {"x": trtnet.Input(("batch", 3))}, weights)
    >>> network.reference()(np.ones((4, 3), np.float32)).shape
    (4, 2)
    """
    check_given(dims, ignored, forms, quantization, parallel, compute_capabilities, name, arguments)
    module, quantizing = as_module(model), Quantizing(quantization)
    takes = declared(module.inputs if inputs is None else inputs, dims or {}, module)
    choices = choices_of(forms, takes, Precision(dtype).by_path, approximations=approximations)
    keys, checkpoint, skipped, own = _matched(module, quantizing.opened(weights), ignored, strict)
    network = DefinedNetwork(checkpoint, dtype, name or type(module).__name__, arguments or {})
    network.skipped, network.original = skipped, torch_module_of(module) if weights is None else None
    network.division, takes = part_of(module, takes, parallel, quantized=quantization is not None)
    _prepare(network, module, keys, own, choices, quantizing, compute_capabilities)
    return _defined(network, module, takes, parallel, quantizing)


def _matched(
    module: Module, weights: Source | None, ignored: Sequence[str], strict: bool
) -> tuple[dict[Parameter, str], Checkpoint, tuple[str, ...], dict[str, Any]]:
    """(the keys of the model's parameters, the checkpoint that has them, what strict=False leaves out of it, and the
    tensors that PyTorch modules bring)."""
    keys, aliases = _keys(module)
    whole = torch_module_of(module) if weights is None else None
    opened, own = with_own_weights(module, whole if weights is None else weights)
    if opened is None and keys:
        raise WeightsError(_without_weights(type(module).__name__, keys), list(keys.values()))
    checkpoint = shaped(open_checkpoint({}) if opened is None else opened, _shapes(keys))
    with advised(checkpoint):
        skipped = _match(keys, aliases, checkpoint, ignored, strict)
    _check_aliases(aliases, checkpoint)
    return keys, checkpoint, skipped, own if whole is None else whole.state_dict()


def _prepare(
    network: DefinedNetwork,
    module: Module,
    keys: dict[Parameter, str],
    own: Mapping[str, Any],
    forms: FormChoices,
    quantizing: Quantizing,
    targets: Sequence[str],
) -> None:
    """What a network knows of its model before it has a layer."""
    network.keys, network.versions = tuple(keys.values()), Versions(own)
    network.reading = Reading(network.checkpoint, keys, network.division)
    network.bind(keys, network.reading)
    network.forms = forms
    forms.targets = partial(tuple, targets) if targets else compute_capability_here
    network.modules = {part: path for path, part in module.named_modules()}
    network.precision.check(network.modules.values())
    network.quantized.watched = Watched() if quantizing.watches else None
    network.quantized.by_key = quantizing.parameters(network.checkpoint, _shapes(keys))
    network.quantized.attention_of, network.quantized.cache_of = quantizing.attention_of, quantizing.cache_of
    network.quantized.activation_of = quantizing.activations.of if quantizing.is_asked else None


def match_weights(
    model: Module, source: Source, ignored: Sequence[str] = IGNORED, *, strict: bool = True
) -> tuple[str, ...]:
    """Checks that a checkpoint has exactly a model's weights, which may have several names; reads no data.

    Returns what strict=False skipped. Raises CheckpointError and WeightsError.
    """
    keys, aliases = _keys(model)
    return _match(keys, aliases, shaped(open_checkpoint(source), _shapes(keys)), ignored, strict)


def _match(
    keys: dict[Parameter, str], aliases: Mapping[str, str], checkpoint: Checkpoint, ignored: Sequence[str], strict: bool
) -> tuple[str, ...]:
    return match(_shapes(keys), checkpoint, ignored, strict=strict, aliases=aliases)


def _shapes(keys: Mapping[Parameter, str]) -> dict[str, tuple[int, ...]]:
    return {key: parameter.shape for parameter, key in keys.items()}


def _check_aliases(aliases: Mapping[str, str], checkpoint: Checkpoint) -> None:
    """Raises WeightsError where the checkpoint has several tensors for one parameter."""
    for alias, key in aliases.items():
        if alias in checkpoint and not _same(checkpoint[key], checkpoint[alias]):
            raise WeightsError(
                f"{key} and {alias} are one weight of the model, and {checkpoint.name} has different tensors for them."
                f" Give the model two modules, or make the tensors equal"
            )


def _same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(raw_bytes(a), raw_bytes(b))


def _defined(
    network: DefinedNetwork,
    model: Module,
    inputs: Mapping[str, Input],
    plan: TensorParallel | None,
    quantizing: Quantizing,
) -> DefinedNetwork:
    """The network with its layers."""
    quantizing.check_caches(inputs)
    with network, network.division.applied():
        run_forward(network, model, inputs)
        complete(network, plan)
    check_used(network.forms)
    quantizing.report(network.quantized)
    network.reading.warn()
    return network


def _without_weights(model: str, keys: Mapping[Parameter, str]) -> str:
    (parameter, key), *_ = keys.items()
    return (
        f"{model} has {counted(len(keys), 'weight')}, such as {key} {list(parameter.shape)}, and was given none:"
        f" say where they are, by define(weights=...) or --weights FILE"
    )


def _keys(model: Module) -> tuple[dict[Parameter, str], dict[str, str]]:
    """(parameter -> its key, the further keys of parameters that are used in several places -> the first)."""
    keys: dict[Parameter, str] = {}
    aliases = {}
    for key, parameter in model.named_parameters():
        if keys.setdefault(parameter, key) != key:
            aliases[key] = keys[parameter]
    return keys, aliases
