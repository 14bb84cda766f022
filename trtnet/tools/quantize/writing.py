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
from trtnet.checkpoint.quantized.scheme import WHOLE, Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.checkpoint.rules import RuleSet
from trtnet.checkpoint.rules.lazy_tensors import Converted, Lazy
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention
from trtnet.support import dtypes, json_text
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError
from trtnet.support.files import atomic_write, check_suffix

CONFIG = "config.json"
_INPUTS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "tensor", "dynamic": False}
"""What a configuration says of quantized inputs."""


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
class Written:
    """A quantized weight. key: of it. inputs: the dtype of the inputs of its product, and their scale."""

    key: str
    weight: QuantizedTensor
    inputs: DType | None
    input_scale: float

    @property
    def module(self) -> str:
        """Its path; of torch's MultiheadAttention that of the attention, and "in_proj"."""
        return self.key.removesuffix("weight")[:-1]


@dataclass(frozen=True)
class Form:
    """How a published model is written. rules: from a model's names to the file's. config: the rest of config.json."""

    rules: RuleSet
    config: Mapping[str, Any]


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
        tensors |= _parts(published[key]) if key in published else {key: named[key]}
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


def _lazy(key: str, source: Checkpoint, written: Written | None, array: Array | None) -> Lazy:
    """What is written of a key, before rules name it."""
    if written is None:
        return Lazy(
            lambda: source.info(key) if array is None else TensorSpec(array.shape, dtypes.get(array.dtype)),
            lambda: source[key] if array is None else array,
        )
    form, kind = written.weight, "" if written.inputs is None else written.inputs.name
    scheme = Scheme(dtypes.get(form.values.dtype), form.bits, form.blocks, activations=kind)
    weight = QuantizedWeight(key, form.shape, scheme, form.dtype, (), lambda: form, lambda: written.input_scale)
    return Lazy(TensorSpec(form.shape, form.dtype), lambda: form.dequantize(), quantized=weight)


def _written(key: str, weight: QuantizedWeight | None) -> Written:
    assert weight is not None
    kind = weight.scheme.activations
    scale = 1.0 if weight.input_scale is None else weight.input_scale()
    return Written(key, weight.read(), dtypes.get(kind) if kind else None, scale)


def configuration(
    weights: Sequence[Written], activations: Mapping[str, QuantizedActivation] = MappingProxyType({})
) -> dict[str, Any]:
    """The quantization configuration of weights that are all quantized in one way, and of activations.

    That of ModelOpt where inputs have factors, which compressed-tensors does not know; its own otherwise.
    """
    first = weights[0]
    if any(each.weight.input_factor is not None for each in weights):
        found = {"quant_method": "modelopt", "quant_algo": _algorithm(first), "kv_cache_quant_algo": None}
        return found | ({"config_groups": _bare(activations)} if activations else {})
    bits = first.weight.bits
    floats = bits == 8 and first.weight.values.dtype != np.int8
    sizes = {each.weight.blocks[-1] for each in weights} - {WHOLE, 1}  # a weight of one block has a whole one
    group: dict[str, Any] = {
        "num_bits": bits,
        "type": "float" if floats else "int",
        "symmetric": True,
        "dynamic": False,
    }
    several = any(each.weight.scale.size > 1 for each in weights)
    group |= (
        {"strategy": "group", "group_size": max(sizes)} if sizes else {"strategy": "channel" if several else "tensor"}
    )
    kind = None if first.inputs is None else "float" if first.inputs.is_floating else "int"
    inputs = kind and _INPUTS | {"type": kind}
    form = "pack-quantized" if bits == 4 else "float-quantized" if floats else "int-quantized"
    named = {"targets": [each.module for each in weights], "weights": group, "input_activations": inputs}
    return {
        "quant_method": "compressed-tensors", "quantization_status": "compressed", "format": form,
        "config_groups": {"group_0": named, **_bare(activations)}, "ignore": [],
    }  # fmt: skip


def _bare(activations: Mapping[str, QuantizedActivation]) -> dict[str, Any]:
    """The group of operations that have no weights of their own, none without such."""
    if not activations:
        return {}
    kind = "float" if next(iter(activations.values())).dtype.is_floating else "int"
    return {"group_1": {"targets": [*activations], "weights": None, "input_activations": _INPUTS | {"type": kind}}}


def _algorithm(first: Written) -> str:
    """ModelOpt's name of weights and inputs of 8 bits with factors of the inputs."""
    return "W8A8_SQ_PER_CHANNEL" if first.weight.values.dtype == np.int8 else "FP8"


def _parts(written: Written) -> dict[str, Array]:
    stem, weight = written.key.removesuffix("weight"), written.weight
    scale = weight.scale.astype(np.float32)
    scale = scale.reshape(1) if scale.size == 1 else scale
    parts = {f"{stem}weight_scale": scale}
    if weight.bits == 4:
        parts[f"{stem}weight_packed"] = _words(weight.values.astype(np.int8))
        parts[f"{stem}weight_shape"] = np.array(weight.shape, np.int64)
    else:
        parts[f"{stem}weight"] = weight.values
    if written.inputs is not None:
        parts[f"{stem}input_scale"] = np.array([written.input_scale], np.float32)
    if weight.input_factor is not None:
        parts[f"{stem}pre_quant_scale"] = weight.input_factor
    return parts


def _words(values: Array) -> Array:
    """Signed values of 4 bits in 32-bit words along the columns, each plus 8, the first in the lowest bits."""
    codes = (values + 8).astype(np.uint8)
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return np.ascontiguousarray(padded[:, 0::2] | padded[:, 1::2] << 4).view(dtypes.int32.numpy)
