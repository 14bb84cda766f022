"""What a checkpoint says of the caches of keys and values: their dtype, and a scale of each.

The scales are multipliers, one number or one for each head. compressed-tensors: ``self_attn.k_scale``; ModelOpt:
``self_attn.k_proj.k_scale``; vLLM also ``attn.k_scale``, ``kv_scale`` of both, and ``k_proj.output_scale``. The dtype
is in the configuration: ``kv_cache_scheme``, or ModelOpt's ``kv_cache_quant_algo``.
Source: vLLM, model_loader/weight_utils.py (maybe_remap_kv_scale_name); Model-Optimizer, torch/export/quant_utils.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError

KEY, VALUE = "key", "value"
_SCALES = {"k_scale": (KEY,), "v_scale": (VALUE,), "kv_scale": (KEY, VALUE)}
_OUTPUTS = {"k_proj": (KEY,), "v_proj": (VALUE,)}
"""Products whose ``output_scale`` is that of a cache, where the configuration says that there are such caches."""
_INSIDE = ("attn", "k_proj", "v_proj", "qkv_proj")
"""Members of an attention under which its scales are kept."""
_OFFSETS = {"k_bias": ("k_proj",), "v_bias": ("v_proj",), "k_zero_point": (), "v_zero_point": ()}
"""What is taken off a cache -> the members of an attention that have it; in others it is a weight of the model."""
_ALGORITHMS = {"FP8": dtypes.float8_e4m3fn, "INT8": dtypes.int8}
_SAID = ("kv_cache_scheme", "kv_cache_quant_algo")


def is_of_caches(key: str) -> bool:
    """Whether a tensor is a scale or an offset of caches, so that it is no weight of the float model."""
    *modules, name = key.split(".")
    of_projection = name == "output_scale" and bool(modules) and modules[-1] in _OUTPUTS
    return name in _SCALES or of_projection or _offsets(key)


def _offsets(key: str) -> bool:
    *modules, name = key.split(".")
    return name in _OFFSETS and (not _OFFSETS[name] or modules[-1:] == [*_OFFSETS[name]])


@dataclass(frozen=True)
class PublishedCaches:
    """What a checkpoint says of its caches.

    dtype: of the values, None for floats. problem: why caches that are quantized cannot be held so, "" for nothing.

    scales: by the path of the attention, then of its keys and its values: one number, or [heads], float32. None of
    float8 caches means that each is 1.
    """

    dtype: DType | None = None
    problem: str = ""
    scales: Mapping[str, Mapping[str, Array]] = field(default_factory=lambda: MappingProxyType({}))


def said_of_caches(config: Configuration) -> str:
    """The name of what a configuration says of quantized caches, "" where it says nothing, or that they are floats."""
    return next((name for name in _SAID if config.document.get(name) is not None), "")


def caches_in_words(config: Configuration) -> str:
    """What a configuration says of caches, "" for nothing."""
    name = said_of_caches(config)
    if not name:
        return ""
    dtype = _dtype(config, name)[0] if isinstance(config.document[name], (str, dict)) else None
    return f"caches in {dtype}" if dtype else f"caches as {name} says, which a network does not have"


def caches_of(checkpoint: Checkpoint, config: Configuration, attentions: Mapping[str, Any]) -> PublishedCaches:
    """What a checkpoint says of its caches. attentions: by path; their scales are those of products.

    Scales without a configuration that says anything of caches are those of float8, as vLLM takes them.
    Raises CheckpointError for scales that are none, that differ, or that only some attentions have.
    """
    said = said_of_caches(config)
    kept = _scales(checkpoint, outputs=bool(said))
    if not said:
        kept = {path: found for path, found in kept.items() if path not in attentions}
    if not said and not kept:
        return PublishedCaches()
    if not said and any(name in config.document for name in _SAID):
        path = next(iter(kept))
        return PublishedCaches(
            problem=f"{path} has scales of its caches, and {config.where} says that caches are floats"
        )
    _check_all(checkpoint, kept)
    dtype, problem = _dtype(config, said) if said else (dtypes.float8_e4m3fn, "")
    offsets = next((key for key in checkpoint if _offsets(key) and np.any(checkpoint[key])), "")
    if offsets and not problem:
        problem = f"{offsets} is a zero point or offset of caches, which TensorRT does not have"
    if dtype == dtypes.int8 and not kept and not problem:
        problem = f"{config.where}: {said} is of int8, and {checkpoint.name} has no scales of caches"
    return PublishedCaches(None if problem else dtype, problem, kept)


def _dtype(config: Configuration, name: str) -> tuple[DType | None, str]:
    """(dtype of the values, "") of what the configuration says, or (None, why it is none)."""
    said = config.document[name]
    known = f"{config.where}: {name} is {said!r}; caches are held in int8 or float8_e4m3fn"
    if isinstance(said, str):
        found = _ALGORITHMS.get(said.upper())
        return found, "" if found else known
    if not isinstance(said, dict):
        raise CheckpointError(f"{config.where}: {name} is a table or a name, found {said!r}")
    if said.get("dynamic"):
        return None, f"{known} with scales that the file has, not with scales that are measured at run time"
    kind = dtypes.float8_e4m3fn if said.get("type", "int") == "float" else dtypes.int8
    return (None, known) if said.get("num_bits", 8) != 8 else (kind, "")


def _scales(checkpoint: Checkpoint, outputs: bool) -> dict[str, dict[str, Array]]:
    """The scales by the path of the attention. outputs: whether those of projections' outputs are of caches."""
    found: dict[str, dict[str, Array]] = defaultdict(dict)
    for key in checkpoint:
        *modules, name = key.split(".")
        last = modules[-1] if modules else ""
        sides = _SCALES.get(name, _OUTPUTS.get(last, ()) if outputs and name == "output_scale" else ())
        path = ".".join(modules[:-1] if last in _INSIDE else modules)
        for side in sides:
            scale = _scale(checkpoint, key)
            if not np.array_equal(found[path].setdefault(side, scale), scale):
                raise CheckpointError(f"{checkpoint.name}: {path} has several scales of its {side} cache that differ")
    return dict(found)


def _scale(checkpoint: Checkpoint, key: str) -> Array:
    """One number, or [heads]. Raises CheckpointError for what is no scale."""
    array = checkpoint[key].astype(np.float32)
    if array.ndim > 1 and max(array.shape) != array.size:
        raise CheckpointError(
            f"{checkpoint.name}: {key} is the scale of a cache: one number, or one for each head; found"
            f" {list(array.shape)}"
        )
    if not array.size or not np.isfinite(array).all() or not (array > 0).all():
        raise CheckpointError(
            f"{checkpoint.name}: {key} is the scale of a cache, which is finite and above 0; found"
            f" {array.reshape(-1)[:4].tolist()}"
        )
    return array.reshape(()) if array.size == 1 else array.reshape(-1)


def _check_all(checkpoint: Checkpoint, kept: Mapping[str, Mapping[str, Array]]) -> None:
    """Raises CheckpointError where an attention has the scale of one of its caches, and not of the other."""
    for path, sides in kept.items():
        if len(sides) == 1:
            (there,) = sides
            raise CheckpointError(
                f"{checkpoint.name}: {path} has the scale of its {there} cache, and not of the other. Is a shard"
                f" missing?"
            )
