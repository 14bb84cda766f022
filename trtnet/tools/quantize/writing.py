"""Quantized weights as a checkpoint in the compressed-tensors format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from trtnet.checkpoint import Checkpoint, Source, check_apart, save_safetensors
from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.checkpoint.quantized.activations import scale_key
from trtnet.checkpoint.quantized.quantization import ATTENTION, ATTENTION_DTYPE, quantization_of
from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.checkpoint.rules import RuleSet
from trtnet.checkpoint.rules.lazy_tensors import Converted, Lazy
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention
from trtnet.support import dtypes, json_text
from trtnet.support.errors import CheckpointError
from trtnet.support.files import atomic_write, check_suffix
from trtnet.tools.quantize.format import Written, configuration, parts_of

CONFIG = "config.json"


def check_file(path: Path, source: Source | None) -> None:
    """Raises TrtnetError for a file that is no .safetensors by its name, CheckpointError for that of the source.

    Also for a folder that is not there, and for one with the config.json of another checkpoint, which would be lost.
    """
    check_suffix(path, (".safetensors",), "a quantized checkpoint")
    check_apart(source, path)
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: there is no folder {path.parent}: make it first")
    config = path.parent / CONFIG
    if config.exists() and set(_document(config)) != {"quantization_config"}:
        raise CheckpointError(f"{config} is there already, of another checkpoint: write to a folder of its own")


def _check_beside(path: Path, document: Mapping[str, Any]) -> None:
    """Raises CheckpointError where a configuration would be replaced that says how another file is quantized."""
    config = path.parent / CONFIG
    if not config.exists() or _document(config) == document:
        return
    for other in sorted(path.parent.glob("*.safetensors")):
        if not (path.exists() and other.samefile(path)) and quantization_of(other, config={}) is not None:
            raise CheckpointError(
                f"{config} is there already, and says how {other.name} is quantized: write {path.name} to a folder of"
                f" its own"
            )


def _document(config: Path) -> Mapping[str, Any]:
    """What a config.json says, nothing where it is none."""
    try:
        document = json_text.loads(config.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Form:
    """How a published model is written. rules: from a model's names to the file's. config: the rest of config.json.

    wide: vectors are float32, also those that were not changed: a rule that merges biases takes them of one dtype.
    """

    rules: RuleSet
    config: Mapping[str, Any]
    wide: bool = False


def write(
    path: Path,
    source: Checkpoint,
    keys: Sequence[str],
    weights: Mapping[str, Written],
    arrays: Mapping[str, Array],
    attentions: Mapping[str, QuantizedAttention] = MappingProxyType({}),
    form: Form | None = None,
    activations: Mapping[str, QuantizedActivation] = MappingProxyType({}),
) -> None:
    """Writes the tensors of `keys`, quantized where `weights` has them, and the configuration beside them.

    arrays: tensors that differ from those of `source`. attentions: by module path; their scales have vLLM's names.
    form: of a published model; None for the names of the model, and a config.json of quantization alone. activations:
    by the names of operations.
    Raises CheckpointError for a folder whose configuration is that of another file, FileError if it cannot be written.
    """
    made = Converted(source, {key: _lazy(key, source, weights.get(key), arrays.get(key)) for key in keys})
    named = made if form is None else form.rules.apply(made)
    assert isinstance(named, Converted)
    published = {key: _written(key, lazy.quantized) for key in named if (lazy := named.lazy(key)).quantized is not None}
    lost = [key for key in named if key not in published and named.lazy(key).quantized_keys]
    if lost:
        raise CheckpointError(
            f"{path}: the file has {lost[0]}, which has no rows and scales of its own: skip its module"
        )
    tensors: dict[str, Array] = {}
    for key in named:
        tensors |= parts_of(published[key]) if key in published else {key: _floats(named[key], form)}
    metadata = {"format": "pt"}
    for module, found in attentions.items():
        scales = (found.query, found.key, found.probability, found.value)
        stem = f"{module}." if module else ""
        tensors |= {stem + name: np.array([one], np.float32) for name, one in zip(ATTENTION, scales, strict=True)}
        metadata[ATTENTION_DTYPE] = found.dtype.name
    tensors |= {scale_key(name): np.array([found.scale], np.float32) for name, found in activations.items()}
    document = {"quantization_config": configuration(list(published.values()), activations)}
    if form is None:
        _check_beside(path, document)
    else:
        document = {**form.config, **document}
    save_safetensors(path, tensors, metadata)
    with atomic_write(path.parent / CONFIG) as file:
        file.write(json.dumps(document, indent=1).encode() + b"\n")


def _floats(array: Array, form: Form | None) -> Array:
    return array.astype(np.float32) if form is not None and form.wide and array.ndim == 1 else array


def _lazy(key: str, source: Checkpoint, written: Written | None, array: Array | None) -> Lazy:
    """What is written of a key, before rules name it."""
    if written is None:
        return Lazy(
            lambda: source.info(key) if array is None else TensorSpec(array.shape, dtypes.get(array.dtype)),
            lambda: source[key] if array is None else array,
        )
    form, kind = written.weight, "" if written.inputs is None else written.inputs.name
    block = written.input_block
    scheme = Scheme(
        dtypes.get(form.values.dtype), form.bits, form.blocks, activations=kind, dynamic=block > 0, input_columns=block
    )
    weight = QuantizedWeight(key, form.shape, scheme, form.dtype, (), lambda: form, lambda: written.input_scale)
    return Lazy(TensorSpec(form.shape, form.dtype), lambda: form.dequantize(), quantized=weight)


def _written(key: str, weight: QuantizedWeight | None) -> Written:
    assert weight is not None
    kind = weight.scheme.activations
    scale = 1.0 if weight.input_scale is None else weight.input_scale()
    return Written(key, weight.read(), dtypes.get(kind) if kind else None, scale, weight.input_block)
