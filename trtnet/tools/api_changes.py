"""Names that left TensorRT's Python API, and what takes their place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_MISSING = re.compile(r"'([\w.]+)'(?: object)? has no attribute '(\w+)'")
_CUT = 50
"""CPython writes at most this much of a type's name into an AttributeError."""


@dataclass(frozen=True)
class ApiChange:
    """A removed name, the class it was in (None for the module itself), and what to write now.

    removed: the first major version of TensorRT without it. TensorRT-RTX never had what 10.0 removed; its 1.4 still
    has some of what 11.0 removed, later ones have none.
    """

    owner: str | None
    name: str
    removed: str
    instead: str

    def __str__(self) -> str:
        dotted = f"{self.owner}.{self.name}" if self.owner else self.name
        return f"{dotted} was removed in TensorRT {self.removed}: {self.instead}"


def _changes(owner: str | None, removed: str, names: str, instead: str) -> list[ApiChange]:
    return [ApiChange(owner, name, removed, instead) for name in names.split()]


_WORKSPACE = "set_memory_pool_limit(MemoryPoolType.WORKSPACE, bytes) of the IBuilderConfig"
_SERIALIZED = "build_serialized_network(network, config), then Runtime.deserialize_cuda_engine"
_TYPED = "networks are strongly typed: the dtype of weights and inputs, and casts (trtnet: dtype=)"
_QUANTIZE = "quantize and dequantize layers with explicit scales"
_TENSORS = "tensors have names now: "

TABLE: tuple[ApiChange, ...] = (
    *_changes("Builder", "8.0", "max_workspace_size", _WORKSPACE),
    *_changes("Builder", "8.0", "build_cuda_engine", _SERIALIZED),
    *_changes("Builder", "8.0", "fp16_mode int8_mode strict_type_constraints", _TYPED),
    *_changes("Builder", "10.0", "build_engine", _SERIALIZED),
    *_changes("Builder", "10.0", "max_batch_size", "a dynamic batch dimension in an optimization profile"),
    *_changes("Builder", "11.0", "platform_has_fast_fp16 platform_has_fast_int8 platform_has_tf32", _TYPED),
    *_changes("IBuilderConfig", "10.0", "max_workspace_size", _WORKSPACE),
    *_changes("IBuilderConfig", "11.0", "int8_calibrator set_calibration_profile", _QUANTIZE),
    *_changes("IBuilderConfig", "11.0", "algorithm_selector", "a timing cache"),
    *_changes("BuilderFlag", "10.0", "STRICT_TYPES", _TYPED),
    *_changes("BuilderFlag", "11.0", "FP16 INT8 BF16 FP8", _TYPED),
    *_changes("BuilderFlag", "11.0", "OBEY_PRECISION_CONSTRAINTS PREFER_PRECISION_CONSTRAINTS", _TYPED),
    *_changes("NetworkDefinitionCreationFlag", "10.0", "EXPLICIT_PRECISION", _QUANTIZE),
    *_changes("NetworkDefinitionCreationFlag", "11.0", "EXPLICIT_BATCH", "create_network(0), batch explicit always"),
    *_changes("INetworkDefinition", "10.0", "add_fully_connected", "add_matrix_multiply and add_elementwise"),
    *_changes("INetworkDefinition", "10.0", "add_convolution", "add_convolution_nd"),
    *_changes("INetworkDefinition", "10.0", "add_deconvolution", "add_deconvolution_nd"),
    *_changes("INetworkDefinition", "10.0", "add_pooling", "add_pooling_nd"),
    *_changes("INetworkDefinition", "10.0", "add_padding", "add_padding_nd"),
    *_changes("INetworkDefinition", "10.0", "add_rnn_v2", "add_loop"),
    *_changes("IConvolutionLayer", "10.0", "kernel_size stride padding dilation", "the same name with _nd"),
    *_changes("ILayer", "11.0", "precision reset_precision set_output_type", _TYPED),
    *_changes("ITensor", "11.0", "dynamic_range set_dynamic_range", _QUANTIZE),
    *_changes("ICudaEngine", "10.0", "num_bindings", _TENSORS + "num_io_tensors"),
    *_changes("ICudaEngine", "10.0", "get_binding_name get_binding_index", _TENSORS + "get_tensor_name"),
    *_changes("ICudaEngine", "10.0", "get_binding_shape", _TENSORS + "get_tensor_shape"),
    *_changes("ICudaEngine", "10.0", "get_binding_dtype", _TENSORS + "get_tensor_dtype"),
    *_changes("ICudaEngine", "10.0", "binding_is_input", _TENSORS + "get_tensor_mode"),
    *_changes("ICudaEngine", "10.0", "get_profile_shape", _TENSORS + "get_tensor_profile_shape"),
    *_changes("ICudaEngine", "10.0", "max_batch_size", "the shapes of its optimization profiles"),
    *_changes("ICudaEngine", "11.0", "device_memory_size", "device_memory_size_v2"),
    *_changes("ICudaEngine", "11.0", "weight_streaming_budget", "weight_streaming_budget_v2"),
    *_changes("IExecutionContext", "10.0", "get_binding_shape", _TENSORS + "get_tensor_shape"),
    *_changes("IExecutionContext", "10.0", "set_binding_shape", _TENSORS + "set_input_shape"),
    *_changes("IExecutionContext", "10.0", "execute", "execute_v2"),
    *_changes("IExecutionContext", "10.0", "execute_async execute_async_v2", "set_tensor_address and execute_async_v3"),
    *_changes(None, "10.0", "UffParser CaffeParser", "OnnxParser, or a network written in trtnet"),
    *_changes(None, "11.0", "IInt8EntropyCalibrator2 IInt8MinMaxCalibrator QuantizationFlag", _QUANTIZE),
    *_changes(None, "11.0", "IAlgorithmSelector", "a timing cache"),
)  # fmt: skip


def explain(text: str) -> str | None:
    """What to write in the place of the removed name that an AttributeError's text is about; None for another text.

    >>> explain("'tensorrt.tensorrt.Builder' object has no attribute 'max_workspace_size'")
    'Builder.max_workspace_size was removed in TensorRT 8.0: set_memory_pool_limit(...'
    """
    found = _MISSING.search(text)
    if found is None:
        return None
    owner, name = found.groups()
    return next((str(change) for change in TABLE if change.name == name and _is_owner(change, owner)), None)


def vanished(module: Any) -> list[ApiChange]:
    """The entries of :data:`TABLE` that this TensorRT module lacks."""
    return [change for change in TABLE if not _has(module, change)]


def _has(module: Any, change: ApiChange) -> bool:
    owner = getattr(module, change.owner, None) if change.owner else module
    return hasattr(owner, change.name)


def _is_owner(change: ApiChange, found: str) -> bool:
    last = found.rpartition(".")[2]
    if change.owner is None:
        return last.startswith("tensorrt")
    return change.owner == last or (len(found) == _CUT and change.owner.startswith(last))
