"""Quantized weights, and what changes in the floats beside them: ready to be tried in a network, and to be written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trtnet.checkpoint import Checkpoint
from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.checkpoint.quantized.rounding import best
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.definition import DefinedNetwork
from trtnet.definition.quantization import Given, WeightScheme, parameter_of
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention, Use
from trtnet.support import dtypes
from trtnet.support.errors import WeightsError
from trtnet.tools.quantize.batch_norms import corrected, shift_of
from trtnet.tools.quantize.observing import Seen, watched
from trtnet.tools.quantize.placing.activations import Operations
from trtnet.tools.quantize.ranges import largest_of, scale_of
from trtnet.tools.quantize.smoothing import Smoothing
from trtnet.verify.metrics.layouts import distance


class Replaced(Checkpoint):
    """The tensors of `keys`; where `arrays` has one, that."""

    def __init__(self, checkpoint: Checkpoint, keys: Sequence[str], arrays: Mapping[str, Array]) -> None:
        super().__init__(checkpoint.name, keys)
        self._checkpoint, self._arrays = checkpoint, arrays

    def _spec(self, key: str) -> TensorSpec:
        if key not in self._arrays:
            return self._checkpoint.info(key)
        return TensorSpec(self._arrays[key].shape, dtypes.get(self._arrays[key].dtype))

    def _read(self, key: str) -> Array:
        return self._arrays[key] if key in self._arrays else self._checkpoint[key]


@dataclass(frozen=True)
class Options:
    """How weights and their inputs are quantized; as `trtnet.quantize` takes them."""

    scheme: WeightScheme
    method: str
    correct: bool


@dataclass(frozen=True)
class Prepared:
    """A weight that is quantized. module: its path. scheme: with the scale of its inputs. form: the weight.

    error: of the weight, relative L2. shift: (key, sign) of what its mean error is taken from, None where there is
    nothing to take it from. mean_error: of the product's results, by channel, where it is corrected.
    """

    key: str
    module: str
    scheme: WeightScheme
    form: QuantizedTensor
    error: float
    shift: tuple[str, float] | None = None
    mean_error: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PreparedModel:
    """All weights that can be quantized, and what was seen of their inputs, by key.

    floats: the tensors that change whatever is quantized, by key. smoothing: what smoothing changed. attentions: those
    that can be quantized, by the names that reports have for them; paths: their modules. activations: those that can
    be, by name; operations: what they are of.
    """

    network: DefinedNetwork
    weights: Mapping[str, Prepared]
    floats: Mapping[str, Array]
    seen: Mapping[str, Seen]
    smoothing: Smoothing
    attentions: Mapping[str, QuantizedAttention] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    activations: Mapping[str, QuantizedActivation] = field(default_factory=dict)
    operations: Operations = field(default_factory=Operations)

    @property
    def everything(self) -> tuple[str, ...]:
        """The keys of weights and the names of attentions."""
        return (*self.weights, *self.attentions)

    def smoothed(self, key: str) -> str:
        """What takes the outliers of a weight's inputs: "norm", "inputs", or "" for nothing."""
        return "inputs" if key in self.smoothing.factors else "norm" if key in self.smoothing.divisors else ""

    def arrays(self, keys: Collection[str]) -> dict[str, Array]:
        """The floats that differ from the checkpoint's, with these weights quantized."""
        changed = dict(self.floats)
        for weight in (self.weights[key] for key in keys if key in self.weights):
            if weight.shift is not None and weight.mean_error is not None:
                changed |= corrected(changed, self.network.checkpoint, weight.shift, weight.mean_error)
        return changed

    def placed(self, keys: Collection[str]) -> dict[str, QuantizedActivation]:
        """The activations that are quantized beside these weights, by name: those of which a convolution is."""
        there = {one.name for one in self.operations.all if any(key in keys for key in one.keys)}
        return {name: found for name, found in self.activations.items() if name in there}

    def definition(self, keys: Collection[str]) -> dict[str, Any]:
        """The arguments of define for the model with these weights and attentions quantized."""
        source = Replaced(self.network.checkpoint, self.network.keys, self.arrays(keys))
        parameters = {key: _parameter(self.weights[key]) for key in keys if key in self.weights}
        attentions = {self.paths[name]: self.attentions[name] for name in keys if name in self.attentions}
        given = Given(parameters=parameters, attentions=attentions, activations=self.placed(keys))
        return {"weights": source, "quantization": given}


def _parameter(weight: Prepared) -> Any:
    return parameter_of(weight.key, weight.scheme, lambda: weight.form, len(weight.form.shape))


def prepared(
    network: DefinedNetwork,
    chosen: Mapping[str, str],
    seen: Mapping[str, Seen],
    floats: Mapping[str, Array],
    smoothing: Smoothing,
    options: Options,
) -> PreparedModel:
    """Quantizes the weights of `network`. chosen: module paths by key. floats: tensors that a batch norm changed."""
    changed = {**floats, **smoothing.arrays}
    weights = {}
    for key, module in chosen.items():
        # a weight in `changed` has its divisors already
        array = changed[key] if key in changed else smoothing.weight(key, network.checkpoint[key].astype(np.float32))
        weights[key] = _prepared(network, key, module, array, seen[key], smoothing.factors.get(key), options)
    return PreparedModel(network, weights, changed, seen, smoothing)


def _prepared(
    network: DefinedNetwork, key: str, module: str, array: Array, seen: Seen, factor: Array | None, options: Options
) -> Prepared:
    scheme = options.scheme
    if scheme.needs_scale:
        scheme = replace(scheme, input_scale=_input_scale(scheme, seen, options.method))
    try:
        form = best(array, scheme.dtype, scheme.blocks(array.ndim), scheme.powers_of_two)
    except ValueError as error:
        raise WeightsError(f"{key}: {error}; --skip {module!r} leaves it in floats") from error
    rounded = form.dequantize("float32")
    noted = watched(network)
    shift = shift_of(noted, key) if options.correct and seen.channels.count else None
    mean_error = None if shift is None else _mean_error(rounded - array, seen.channels.mean, noted.uses[key][0])
    form = form if factor is None else replace(form, input_factor=factor)
    return Prepared(key, module, scheme, form, distance(rounded, array), shift, mean_error)


def _input_scale(scheme: WeightScheme, seen: Seen, method: str) -> float:
    """The scale of the inputs; of NVFP4 that of their scales, whose largest is that of the largest input."""
    kind = dtypes.get(str(scheme.inputs))
    if scheme.input_block:
        return seen.values.largest / (largest_of(kind) * largest_of(dtypes.float8_e4m3fn))
    return scale_of(seen.values, kind, method)


def _mean_error(lost: Array, mean: Array, use: Use) -> Array:
    """The mean error of each channel of a product's results: what its rounded weights make of the mean inputs.

    lost: [rows, columns, *window], rounded less exact. Source: Nagel et al., 2019, arXiv:1906.04721, 4.2, without
    what the edges of an image have less.
    """
    columns = lost.astype(np.float64).reshape(*lost.shape[:2], -1).sum(2)
    rows = len(columns) // use.groups
    parts = [columns[g * rows : (g + 1) * rows] @ part for g, part in enumerate(np.split(mean, use.groups))]
    return np.concatenate(parts)
