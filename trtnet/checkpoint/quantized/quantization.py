"""What a checkpoint holds quantized: found by its configuration, or by its tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.checkpoint.quantized.activations import activations_of, scale_key
from trtnet.checkpoint.quantized.caches import PublishedCaches, caches_in_words, caches_of, is_of_caches, said_of_caches
from trtnet.checkpoint.quantized.checking import check_complete, checked, is_of_floats
from trtnet.checkpoint.quantized.configuration import Configuration, configuration_of, given
from trtnet.checkpoint.quantized.families import (
    amax,
    awq,
    compressed_tensors,
    fp8_blocks,
    gguf_blocks,
    gpt_oss,
    gptq,
    modelopt,
    torchao,
)
from trtnet.checkpoint.quantized.parts import modules
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.checkpoint.reading import Source, is_kept_in_folders, open_checkpoint
from trtnet.checkpoint.rules.lazy_tensors import Converted, Lazy, Tensors, tensors_of
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError


class Family(Protocol):
    """A format, which a module is. METHODS: its names in configurations."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 (a constant of the module)

    @property
    def METHODS(self) -> tuple[str, ...]: ...  # noqa: N802

    def fits(self, checkpoint: Checkpoint) -> bool: ...

    def weights(self, checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]: ...


FAMILIES: tuple[Family, ...] = (
    torchao, gguf_blocks, gpt_oss, gptq, awq, fp8_blocks, modelopt, compressed_tensors, amax,
)  # fmt: skip
"""In the order in which a checkpoint without a configuration is asked: what only one format has comes first."""
ATTENTION = ("q_scale", "k_scale", "prob_scale", "v_scale")
"""The scales of attention's operands in a module, by vLLM's names: of queries, keys, probabilities and values."""
ATTENTION_DTYPE = "attention_dtype"
"""What a safetensors file calls the dtype of these operands in its metadata; float8_e4m3fn where it does not say."""


@dataclass(frozen=True)
class Quantization:
    """The quantized weights of a checkpoint.

    format: the family's name. weights: by the key of the float weight. others: the keys of scales and ranges that are
    of no weight: of caches, of the inputs of other operations. config: what its configuration says.
    """

    checkpoint: Checkpoint
    format: str
    weights: Mapping[str, QuantizedWeight]
    others: tuple[str, ...] = ()
    config: Configuration = field(default_factory=Configuration)

    def dequantized(self) -> Checkpoint:
        """The checkpoint with float weights, each read and dequantized when it is asked for."""
        hidden = {part for weight in self.weights.values() for part in weight.parts} | {*self.others}
        plain = tensors_of(self.checkpoint)
        tensors: Tensors = {key: lazy for key, lazy in plain.items() if key not in hidden}
        return Dequantized(self, tensors | {key: _lazy(weight) for key, weight in self.weights.items()})

    def attentions(self) -> dict[str, QuantizedAttention]:
        """What attention's products are quantized to, by the module's path, where all four scales are there.

        Raises CheckpointError for scales that are not above 0, and for another dtype than int8 or float8_e4m3fn.
        """
        said, found = self.checkpoint.metadata.get(ATTENTION_DTYPE, "float8_e4m3fn"), {}
        if said not in ("int8", "float8_e4m3fn"):
            raise CheckpointError(
                f"{self.checkpoint.name}: {ATTENTION_DTYPE} in its metadata is int8 or float8_e4m3fn, found {said!r}"
            )
        dtype = dtypes.get(said)
        for parts in modules(self.checkpoint, ATTENTION[2]):
            if all(name in parts for name in ATTENTION):
                path = parts.module
                found[path] = QuantizedAttention(dtype, *(parts.above_0(name) for name in ATTENTION))
        return found

    def activations(self) -> dict[str, QuantizedActivation]:
        """What operands of sums, concatenations and norms are quantized to, by name. Raises CheckpointError."""
        return activations_of(self.checkpoint, self.config)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The keys of ranges of results and of other operations' inputs, which a network does not quantize."""
        taken = {part for weight in self.weights.values() for part in weight.parts}
        return tuple(
            key
            for key in self.checkpoint
            if key.endswith(amax.RESULTS) or (key.endswith("_quantizer._amax") and key not in taken)
        )

    def caches(self) -> PublishedCaches:
        """What is said of the caches of keys and values. Raises CheckpointError for scales that are none."""
        return caches_of(self.checkpoint, self.config, self.attentions())

    def __str__(self) -> str:
        counts = Counter(str(weight.scheme) for weight in self.weights.values())
        each = "; ".join(f"{count:,} of {scheme}" for scheme, count in counts.most_common())
        return f"{self.format}: {'; '.join(filter(None, (each, caches_in_words(self.config))))}"


class Dequantized(Converted):
    """A checkpoint of floats that a quantized one shows, which is known; its metadata is that of floats."""

    def __init__(self, of: Quantization, tensors: Tensors) -> None:
        super().__init__(of.checkpoint, tensors)
        self.quantization = of
        quantized = {ATTENTION_DTYPE, *torchao.metadata_of(of.checkpoint)}
        self.metadata = {name: text for name, text in self.metadata.items() if name not in quantized}


def quantization_behind(checkpoint: Checkpoint) -> Quantization | None:
    """What a checkpoint of floats was dequantized from, whatever rules have been applied since; None for another."""
    while isinstance(checkpoint, Converted) and not isinstance(checkpoint, Dequantized):
        checkpoint = checkpoint.source
    return checkpoint.quantization if isinstance(checkpoint, Dequantized) else None


def quantization_of(source: Source, config: Mapping[str, Any] | None = None) -> Quantization | None:
    """What a checkpoint holds quantized, None for one of floats; reads shapes, and of the data what they depend on.

    A checkpoint that is dequantized is one of floats. config: its quantization configuration, or its whole
    ``config.json``; by default that in the files beside it.
    Raises CheckpointError for a checkpoint that cannot be read, tensors that do not fit each other or the
    configuration, and a format that is not known.
    """
    checkpoint = open_checkpoint(source)
    if quantization_behind(checkpoint) is not None:
        return None
    about = configuration_of(checkpoint) if config is None else given(config)
    family = _family(checkpoint, about)
    if family is None:
        return None
    weights = {weight.key: checked(checkpoint, weight) for weight in family.weights(checkpoint, about)}
    if not weights and not said_of_caches(about):
        if config is None and _is_beside_others(checkpoint):
            return None
        raise CheckpointError(
            f"{checkpoint.name}: {about.where} says {family.NAME}, but no tensor is quantized that way"
        )
    check_complete(checkpoint, weights.values(), family.NAME)
    others = [*filter(_is_of_no_weight, checkpoint), *map(scale_key, activations_of(checkpoint, about))]
    return Quantization(checkpoint, family.NAME, weights, tuple(others), about)


def in_floats(checkpoint: Checkpoint) -> Checkpoint:
    """The float weights of a checkpoint, which stay known as quantized where they are. Raises as quantization_of."""
    found = quantization_of(checkpoint)
    return checkpoint if found is None else found.dequantized()


def _is_beside_others(checkpoint: Checkpoint) -> bool:
    """Whether it is a file of floats that no folder keeps its weights in: a configuration there is of another file."""
    place = Path(checkpoint.name)
    return place.is_file() and not is_kept_in_folders(place.name) and is_of_floats(checkpoint)


def _family(checkpoint: Checkpoint, about: Configuration) -> Family | None:
    for family in FAMILIES:
        if about.method.lower() in family.METHODS:
            return family
    found = next((family for family in FAMILIES if family.fits(checkpoint)), None)
    if about.method and found is None:
        known = ", ".join(method for family in FAMILIES for method in family.METHODS)
        raise CheckpointError(
            f"{about.where}: quantized by {about.method!r}, which trtnet does not read; it reads {known}"
        )
    return found


def _is_of_no_weight(key: str) -> bool:
    *modules, name = key.split(".")
    return name in ATTENTION or is_of_caches(key) or any(module.endswith(amax.QUANTIZERS) for module in modules)


def _lazy(weight: QuantizedWeight) -> Lazy:
    def read() -> Array:
        return weight.read().dequantize()

    return Lazy(TensorSpec(weight.shape, weight.dtype), read, quantized=weight)
