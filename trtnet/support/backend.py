"""Which TensorRT this process uses, and what that TensorRT can do.

Everything else writes ``from trtnet.support.backend import trt``; nothing else imports ``tensorrt`` or
``tensorrt_rtx``. The library is chosen on first use: ``TRTNET_BACKEND`` if it is set, else the
first of :data:`BACKENDS` that imports.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from trtnet.support.errors import BackendError

if TYPE_CHECKING:
    import tensorrt as trt

__all__ = ["BACKENDS", "CAPABILITIES", "has_kernels", "lookup", "name", "supports", "trt", "version"]

BACKENDS = ("tensorrt", "tensorrt_rtx")

INSTALL = """\
  pip install 'trtnet[rtx]'        TensorRT-RTX: builds engines on any x86-64 Linux or Windows machine, no GPU needed
  pip install 'trtnet[tensorrt]'   TensorRT 10 or 11: needs an NVIDIA driver on this machine
`trtnet doctor` tells what this machine has."""

# Feature -> the dotted name in the TensorRT API that a backend with the feature has.
CAPABILITIES: dict[str, str] = {
    "explicit_batch_flag": "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
    "strongly_typed_flag": "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "slice_axes": "ISliceLayer.axes",
    "normalization_v2": "INetworkDefinition.add_normalization_v2",
    "attention_v2": "INetworkDefinition.add_attention_v2",
    "attention_probabilities": "IAttention.normalization_quantize_scale",
    "rotary_embedding": "INetworkDefinition.add_rotary_embedding",
    "kv_cache_update": "INetworkDefinition.add_kv_cache_update",
    "cumulative": "INetworkDefinition.add_cumulative",
    "quantize_blocks": "IDequantizeLayer.block_shape",
    "dynamic_quantize_v2": "INetworkDefinition.add_dynamic_quantize_v2",
    "moe": "INetworkDefinition.add_moe",
    "plugins": "INetworkDefinition.add_plugin_v3",
    "timing_cache": "IBuilderConfig.create_timing_cache",
    "target_compute_capabilities": "IBuilderConfig.set_compute_capability",
    "progress_monitor": "IBuilderConfig.progress_monitor",
    "kernel_specialization": "IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy",
    "runtime_cache": "IRuntimeConfig.create_runtime_cache",
    "cuda_graph_strategy": "IRuntimeConfig.cuda_graph_strategy",
    "aliased_io": "ICudaEngine.get_aliased_input_tensor",
    "collectives": "INetworkDefinition.add_dist_collective",
    "multi_device_preview": "PreviewFeature.MULTIDEVICE_RUNTIME_10_16",
    "engine_validity": "Runtime.get_engine_validity",
    "refit_again": "SerializationFlag.INCLUDE_REFIT",
    "bfloat16": "DataType.BF16",
    "fp4": "DataType.FP4",
}

# Layers that a backend's API has and that it builds for no GPU ("has no runners that implement it"), or, as
# TensorRT-RTX 1.6.1 does deconvolutions of several groups with a stride, runs to wrong numbers.
NO_KERNELS: dict[str, tuple[str, ...]] = {
    "tensorrt_rtx": ("NMS", "NON_ZERO", "MOE", "BFLOAT16_DECONVOLUTION", "STRIDED_GROUPED_DECONVOLUTION")
}


@lru_cache(maxsize=1)
def _load() -> ModuleType:
    wanted = os.environ.get("TRTNET_BACKEND")
    if wanted is None:
        installed = [candidate for candidate in BACKENDS if importlib.util.find_spec(candidate)]
        if not installed:
            raise BackendError(f"no TensorRT is installed in this Python. Install one of\n{INSTALL}")
        return _import(installed[0])
    if wanted not in BACKENDS:
        raise BackendError(f"TRTNET_BACKEND is {wanted!r}; it must be one of {', '.join(BACKENDS)}")
    if importlib.util.find_spec(wanted) is None:
        raise BackendError(f"TRTNET_BACKEND asks for {wanted}, which is not installed. Install one of\n{INSTALL}")
    return _import(wanted)


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise BackendError(
            f"{module} is installed but cannot be imported: {error}\n"
            f"A missing or mismatched CUDA library is the usual cause; `trtnet doctor` finds it, and\n"
            f"TRTNET_BACKEND picks another of {', '.join(BACKENDS)}."
        ) from error


def __getattr__(attribute: str) -> Any:
    if attribute == "trt":
        return _load()
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def name() -> str:
    """The module in use: ``"tensorrt"`` or ``"tensorrt_rtx"``. Raises BackendError if there is none."""
    return _load().__name__


def version() -> str:
    """The version of the TensorRT in use, such as ``"11.4.0.106"``."""
    return str(_load().__version__)


def lookup(dotted: str) -> Any:
    """The object behind a dotted TensorRT name (``"BuilderFlag.TF32"``), or None where this TensorRT lacks it."""
    found: Any = _load()
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


def supports(feature: str) -> bool:
    """Whether the TensorRT in use has a feature of :data:`CAPABILITIES`. Raises KeyError for an unknown feature."""
    return lookup(CAPABILITIES[feature]) is not None


def has_kernels(kind: str) -> bool:
    """Whether the TensorRT in use builds layers of a kind, a member of ``LayerType`` or another name in NO_KERNELS."""
    return kind not in NO_KERNELS.get(name(), ())
