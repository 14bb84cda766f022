"""From what a user says of quantization to the quantized parameters of a network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from trtnet.checkpoint import Checkpoint, Source, open_checkpoint
from trtnet.checkpoint.quantized.caches import PublishedCaches
from trtnet.checkpoint.quantized.quantization import quantization_behind, quantization_of
from trtnet.checkpoint.quantized.rounding import quantize
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.checkpoint.rules.lazy_tensors import Converted, Lazy
from trtnet.definition.quantization.activations import ActivationsByName
from trtnet.definition.quantization.arranging import arranged
from trtnet.definition.quantization.patterns import Patterns, Schemes, table_of
from trtnet.definition.quantization.published_caches import CachesByName
from trtnet.definition.quantization.schemes import (
    AttentionScheme,
    CacheScheme,
    CheckpointScheme,
    WeightScheme,
)
from trtnet.graph import Input
from trtnet.graph.quantized import (
    QuantizedActivation,
    QuantizedArrays,
    QuantizedAttention,
    QuantizedCache,
    QuantizedParameter,
    QuantizedParameters,
)
from trtnet.support import dtypes
from trtnet.support.errors import ModelError, WeightsError
from trtnet.support.text.counted import counted

log = logging.getLogger("trtnet.quantization")

_LINES = 10
_DTYPES = frozenset(dtype.name for dtype in dtypes.TABLE)
"""The dtypes of tensors that are no blocks of values and scales."""
_WEIGHT = "module with a weight of its own"


@dataclass(frozen=True)
class Quantize:
    """How a network is quantized: ``define(..., quantization=Quantize("checkpoint", fallback="warn"))``.

    Weights are held in int8, int4, float8_e4m3fn or float4_e2m1fn, and dequantized to the dtype of their module.

    schemes: ``"checkpoint"`` to keep what the checkpoint holds quantized; or schemes by patterns of module paths, of
    which the first that matches decides, or a .toml or .json file of them: ``{"layers.*.mlp.*": "int4_weights"}``,
    ``{"lm_head": "none", "*": "checkpoint"}``.
    fallback: "error", or "warn" to continue with a warning, if something that should be quantized stays in floats.
    Raises ModelError for another fallback.
    """

    schemes: Schemes
    fallback: str = "error"

    def __post_init__(self) -> None:
        if self.fallback not in ("error", "warn"):
            raise ModelError(f'quantization: fallback is "error" or "warn", found {self.fallback!r}')


@dataclass(frozen=True)
class Watch(Quantize):
    """Nothing is quantized, and ``network.quantized.watched`` has what each weight is multiplied with."""

    schemes: Schemes = field(default_factory=dict)


@dataclass(frozen=True)
class Given(Quantize):
    """Parameters that are quantized already, by key, attentions by the module's path, activations by their names."""

    schemes: Schemes = field(default_factory=dict)
    parameters: Mapping[str, QuantizedParameter] = field(default_factory=dict)
    attentions: Mapping[str, QuantizedAttention] = field(default_factory=dict)
    activations: Mapping[str, QuantizedActivation] = field(default_factory=dict)


def parameter_of(key: str, scheme: WeightScheme, read: Callable[[], QuantizedTensor], rank: int) -> QuantizedParameter:
    """A weight of this rank that is quantized by a scheme, as a network takes it. read: gives its values."""
    inputs = None if scheme.inputs is None else dtypes.get(scheme.inputs)
    arrays = cache(lambda: arranged(key, read(), scheme.dtype))
    scale, block = scheme.input_scale or 1.0, scheme.input_block or 0
    return QuantizedParameter(str(scheme), scheme.dtype, scheme.blocks(rank), arrays, inputs, scale, block)


class Quantizing:
    """What is quantized in a network that is being defined.

    problems: what could not be done as it was asked for, so that something stays in floats. activations: of sums,
    concatenations and norms. is_asked: whether anything is to be quantized.
    Raises ModelError for a file or a mapping that says no schemes.
    """

    def __init__(self, given: Quantize | Schemes | None) -> None:
        self.watches, self.is_asked = isinstance(given, Watch), given is not None
        self._given = given.parameters if isinstance(given, Given) else {}
        self._attentions = dict(given.attentions) if isinstance(given, Given) else {}
        self.fallback = given.fallback if isinstance(given, Quantize) else "error"
        said = given.schemes if isinstance(given, Quantize) else given
        self._patterns, self._modules = Patterns(table_of(said)), list[str]()
        self.from_checkpoint = self._patterns.keep_the_checkpoint
        self._caches = CachesByName(PublishedCaches())
        activations = given.activations if isinstance(given, Given) else {}
        self.activations = ActivationsByName(activations, self._patterns, from_checkpoint=False)
        self.problems, self._left_out = list[str](), list[str]()

    def opened(self, source: Source | None) -> Source | None:
        """The checkpoint with floats in the place of what it holds quantized, where that is asked for.

        Raises ModelError for a checkpoint of floats.
        """
        if not self.from_checkpoint or source is None:
            return source
        checkpoint = open_checkpoint(source)
        behind = quantization_behind(checkpoint)
        found = behind or quantization_of(checkpoint)
        if found is None:
            raise ModelError(f'{checkpoint.name} has no quantized weights: quantization="checkpoint" needs them')
        self._attentions, self._caches = found.attentions(), CachesByName(found.caches())
        self.activations = ActivationsByName(found.activations(), self._patterns, from_checkpoint=True)
        if left := found.left_out:
            those = counted(len(left), "range is", "ranges are")
            text = "%s: %s of results or of other operations' inputs, such as %s: those stay floats"
            log.warning(text, checkpoint.name, those, left[0])
        return found.dequantized() if behind is None else checkpoint

    def parameters(self, checkpoint: Checkpoint, shapes: Mapping[str, Sequence[int]]) -> dict[str, QuantizedParameter]:
        """The quantized parameters of a model, by key. Raises ModelError for a pattern of weights that fits none."""
        if self._given:
            return dict(self._given)
        found: dict[str, QuantizedParameter] = {}
        for key, shape in shapes.items():
            lazy = self._lazy(checkpoint, key)
            floats = len(shape) >= 2 and checkpoint.info(key).dtype.is_floating
            if not floats and (lazy is None or not lazy.quantized_keys):
                continue
            scheme = self._patterns.first((key.rpartition(".")[0], key), WeightScheme)
            if isinstance(scheme, CheckpointScheme) and lazy is not None:
                found |= self._published(key, lazy)
            elif isinstance(scheme, WeightScheme) and floats:
                found[key] = self._rounded(checkpoint, key, scheme)
        self._left_out = [key for key in checkpoint if key not in shapes]
        self._modules = sorted({key.rpartition(".")[0] for key, shape in shapes.items() if len(shape) > 1})
        self._patterns.check(WeightScheme, self._modules, _WEIGHT)
        return found

    def attention_of(self, path: str) -> QuantizedAttention | None:
        """What the attention of the module at a path is quantized to. Raises ModelError for one without scales."""
        if not self.from_checkpoint and path in self._attentions:
            return self._attentions[path]
        found = self._patterns.first((path,), AttentionScheme)
        if isinstance(found, CheckpointScheme):
            return self._attentions.get(path)
        return found.quantized(path) if isinstance(found, AttentionScheme) else None

    def cache_of(self, name: str, spec: Input) -> QuantizedCache | None:
        """What an input that may be a cache is quantized to: floats of four axes, by a pattern.

        One that declares a dtype of its own, whatever the network's is, is only meant by its name: the cache of tokens
        is no cache of keys. Raises ModelError for int8 without a scale.
        """
        if len(spec.shape) != 4 or not (spec.dtype is None or dtypes.get(spec.dtype).is_floating):
            return None
        found = self._patterns.first((name,), CacheScheme, named=spec.dtype is not None)
        if isinstance(found, CheckpointScheme):
            return self._caches.of(name)
        return found.quantized(name) if isinstance(found, CacheScheme) else None

    def check_caches(self, inputs: Mapping[str, Input]) -> None:
        """Raises ModelError for a scheme of caches that fits none of a network's inputs, and as cache_of."""
        for name, spec in inputs.items():
            self.cache_of(name, spec)
        advice = ". Caches are floats [batch, heads, capacity, dim]; those that declare a dtype are named without *"
        self._patterns.check(CacheScheme, list(inputs), "input of the model that may be a cache", advice)

    def _check_used(self, parameters: QuantizedParameters) -> None:
        """Raises ModelError for what was said of no attention that the network has, or of nothing at all."""
        paths = list(parameters.attentions)
        advice = ". Products that a model writes out itself are not attention"
        self._patterns.check(AttentionScheme, paths, "module that calls scaled_dot_product_attention", advice)
        activations = self.activations.problems(parameters)
        for kind in (None, CheckpointScheme):
            self._patterns.check(kind, [*self._modules, *paths], _WEIGHT)
        self.problems += [*self._caches.problems(), *activations]
        self.problems += [
            f"{path} has scales of attention's products, and does not call scaled_dot_product_attention"
            for path in self._attentions
            if path not in paths and (not self.from_checkpoint or self._is_of_this(path))
        ]

    def _is_of_this(self, path: str) -> bool:
        """Whether an attention of the checkpoint is to be kept, and its weights are not those of another network."""
        is_kept = isinstance(self._patterns.first((path,), AttentionScheme), CheckpointScheme)
        return is_kept and not any(key.startswith(f"{path}.") for key in self._left_out)

    def _lazy(self, checkpoint: Checkpoint, key: str) -> Lazy | None:
        """A weight that is not read yet, None where nothing is kept as the checkpoint has it."""
        if self.from_checkpoint and not isinstance(checkpoint, Converted):
            raise ModelError(f"{checkpoint.name}: a checkpoint with weights of several sources is not kept quantized")
        return checkpoint.lazy(key) if self.from_checkpoint and isinstance(checkpoint, Converted) else None

    def _published(self, key: str, lazy: Lazy) -> dict[str, QuantizedParameter]:
        if lazy.quantized is not None and self._fits(key, lazy.quantized):
            return {key: self._kept(key, lazy.quantized)}
        if lazy.quantized is None and lazy.quantized_keys:
            made = ", ".join(lazy.quantized_keys)
            self.problems.append(f"{key} is computed by a rule, in floats, from {made}")
        elif lazy.quantized is None and (kind := lazy.listed().dtype) not in _DTYPES:
            self.problems.append(f"{key} is {kind} in the file, which a network does not have: it is read as floats")
        return {}

    def _fits(self, key: str, weight: QuantizedWeight) -> bool:
        if weight.scheme.dtype == dtypes.float8_e5m2:
            self.problems.append(f"{key} is float8_e5m2, which TensorRT does not have")
        return weight.scheme.dtype != dtypes.float8_e5m2

    def _kept(self, key: str, weight: QuantizedWeight) -> QuantizedParameter:
        @cache
        def read() -> QuantizedArrays:
            return arranged(key, weight.read(), weight.scheme.dtype)

        scheme, inputs = weight.scheme, None
        if scheme.activations and weight.inputs_problem:
            self.problems.append(f"{key}: its inputs were in {scheme.activations} {weight.inputs_problem}")
        elif scheme.activations:
            inputs = dtypes.get(scheme.activations)
        scale = weight.input_scale() if inputs is not None and weight.input_scale is not None else 1.0
        block, words = weight.input_block if inputs is not None else 0, str(scheme)
        words = words.replace("(measured)", f"(measured in blocks of {block})") if block else words
        return QuantizedParameter(words, scheme.dtype, scheme.blocks, read, inputs, scale, block)

    def _rounded(self, checkpoint: Checkpoint, key: str, scheme: WeightScheme) -> QuantizedParameter:
        if scheme.inputs is not None and scheme.input_scale is None and not scheme.input_block:
            raise ModelError(
                f"quantization: {key} quantizes its inputs to {scheme.inputs}, and there is no scale for them: give"
                f" input_scale, or a scheme for weights only"
            )

        shape = checkpoint.info(key).shape
        if not isinstance(scheme.block, str) and len(shape) != 2:
            raise ModelError(
                f"quantization: {key} {list(shape)} is not a matrix, and {scheme} is for those: give a scheme with a"
                f' scale a channel, or "none", by a pattern before it'
            )

        def read() -> QuantizedTensor:
            array = checkpoint[key]
            try:
                return quantize(array, scheme.dtype, scheme.blocks(array.ndim), scheme.powers_of_two)
            except ValueError as error:
                raise WeightsError(
                    f"{key}: {error}; exclude it with a pattern of its own: {key!r} with none"
                ) from error

        return parameter_of(key, scheme, read, len(shape))

    def report(self, parameters: QuantizedParameters) -> None:
        """Says what stays in floats although it was to be quantized. Raises ModelError, or warns, as is chosen."""
        self._check_used(parameters)
        floats = [f"{key} is used by an operation that computes with its floats" for key in parameters.floats]
        says = [*self.problems, *floats]
        if not says:
            return
        shown = "".join(f"\n  {text}" for text in says[:_LINES])
        rest = f"\n  ... and {len(says) - _LINES:,} more" if len(says) > _LINES else ""
        those = counted(len(says), "part of the network stays", "parts of the network stay")
        text = f"{those} in floats despite the quantization that was asked for:{shown}{rest}"
        if self.fallback == "error":
            raise ModelError(f'{text}\n  quantization=trtnet.Quantize(..., fallback="warn") accepts that')
        log.warning("%s", text)


@contextmanager
def advised(checkpoint: Checkpoint) -> Iterator[None]:
    """Where weights do not match because they are quantized, says so."""
    try:
        yield
    except WeightsError as error:
        found = quantization_of(checkpoint)
        if found is None:
            raise
        text = (
            f'{error}\n  the checkpoint is quantized ({found}):\n  quantization="checkpoint" or'
            f" --quantization checkpoint keeps it so; one of floats is"
            f" trtnet.weights.quantization_of(path).dequantized(), or what trtnet convert --dequantize writes"
        )
        raise WeightsError(text, error.missing, error.unexpected, error.mismatched) from error
