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
    has some of what 11.0 removed, later ones have none. ours: trtnet's own way to the same.
    """

    owner: str | None
    name: str
    removed: str
    instead: str
    ours: str = ""

    def __str__(self) -> str:
        return f"{self.dotted} was removed in TensorRT {self.removed}: {self.instead}"

    @property
    def dotted(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


def _changes(owner: str | None, removed: str, names: str, instead: str, ours: str = "") -> list[ApiChange]:
    return [ApiChange(owner, name, removed, instead, ours) for name in names.split()]


def _named(instead: str) -> tuple[str, str]:
    return f"tensors have names now: {instead}", "engine(image) or engine(image=...): arrays by position or name"


_WORKSPACE = (
    "set_memory_pool_limit(MemoryPoolType.WORKSPACE, bytes) of the IBuilderConfig",
    "BuildConfig(workspace=4 << 30), trtnet build --workspace 4GiB",
)
_SERIALIZED = (
    "build_serialized_network(network, config), then Runtime.deserialize_cuda_engine",
    "network.build(), engine.save(path), trtnet.load(path)",
)
_TYPED = (
    "networks are strongly typed: the dtype of weights and inputs, and casts (trtnet: dtype=)",
    'trtnet.define(..., dtype="float16"), trtnet build --dtype float16',
)
_QUANTIZE = ("quantize and dequantize layers with explicit scales", "ops.quantize and ops.dequantize")
_TIMING = ("a timing cache", "BuildConfig(timing_cache=path), trtnet build --timing-cache FILE")
_PROFILE = (
    "a dynamic batch dimension in an optimization profile",
    'network.build(dims={"batch": (1, 8, 32)}), trtnet build --dim batch=1:8:32',
)
_EXPLICIT = (
    "create_network(0), batch explicit always",
    "the batch is a dimension of the input: Input(('batch', 3, 8, 8))",
)
_ND = "the same name with _nd"

TABLE: tuple[ApiChange, ...] = (
    *_changes("Builder", "8.0", "max_workspace_size", *_WORKSPACE),
    *_changes("Builder", "8.0", "build_cuda_engine", *_SERIALIZED),
    *_changes("Builder", "8.0", "fp16_mode int8_mode strict_type_constraints", *_TYPED),
    *_changes("Builder", "10.0", "build_engine", *_SERIALIZED),
    *_changes("Builder", "10.0", "max_batch_size", *_PROFILE),
    *_changes("Builder", "11.0", "platform_has_fast_fp16 platform_has_fast_int8 platform_has_tf32", *_TYPED),
    *_changes("IBuilderConfig", "10.0", "max_workspace_size", *_WORKSPACE),
    *_changes("IBuilderConfig", "10.0", "min_timing_iterations", "avg_timing_iterations"),
    *_changes("IBuilderConfig", "11.0", "int8_calibrator set_calibration_profile get_calibration_profile", *_QUANTIZE),
    *_changes("IBuilderConfig", "11.0", "quantization_flags set_quantization_flag clear_quantization_flag", *_QUANTIZE),
    *_changes("IBuilderConfig", "11.0", "algorithm_selector", *_TIMING),
    *_changes("BuilderFlag", "10.0", "STRICT_TYPES", *_TYPED),
    *_changes("BuilderFlag", "11.0", "FP16 INT8 BF16 FP8 INT4 FP4", *_TYPED),
    *_changes("BuilderFlag", "11.0", "OBEY_PRECISION_CONSTRAINTS PREFER_PRECISION_CONSTRAINTS", *_TYPED),
    *_changes("BuilderFlag", "11.0", "WEIGHTLESS", "STRIP_PLAN", "BuildConfig(strip=True), trtnet build --strip"),
    *_changes("NetworkDefinitionCreationFlag", "10.0", "EXPLICIT_PRECISION", *_QUANTIZE),
    *_changes("NetworkDefinitionCreationFlag", "11.0", "EXPLICIT_BATCH", *_EXPLICIT),
    *_changes("INetworkDefinition", "10.0", "add_fully_connected",
              "add_matrix_multiply and add_elementwise", "nn.Linear"),
    *_changes("INetworkDefinition", "10.0", "add_convolution", "add_convolution_nd", "nn.Conv2d"),
    *_changes("INetworkDefinition", "10.0", "add_deconvolution", "add_deconvolution_nd", "nn.ConvTranspose2d"),
    *_changes("INetworkDefinition", "10.0", "add_pooling", "add_pooling_nd", "nn.MaxPool2d, nn.AvgPool2d"),
    *_changes("INetworkDefinition", "10.0", "add_padding", "add_padding_nd", "ops.pad"),
    *_changes("INetworkDefinition", "10.0", "add_rnn_v2", "add_loop", "nn.LSTM, nn.GRU; ops.scan"),
    *_changes("IConvolutionLayer", "10.0", "kernel_size stride padding dilation", _ND),
    *_changes("IDeconvolutionLayer", "10.0", "kernel_size stride padding", _ND),
    *_changes("IPoolingLayer", "10.0", "window_size stride padding", _ND),
    *_changes("IPaddingLayer", "10.0", "pre_padding post_padding", _ND),
    *_changes("INormalizationLayer", "11.0", "compute_precision", "it computes in float32", "ops.layer_norm"),
    *_changes("ILayer", "11.0", "precision reset_precision precision_is_set", *_TYPED),
    *_changes("ILayer", "11.0", "set_output_type reset_output_type output_type_is_set", *_TYPED),
    *_changes("ITensor", "11.0", "dynamic_range set_dynamic_range reset_dynamic_range", *_QUANTIZE),
    *_changes("ICudaEngine", "10.0", "num_bindings", *_named("num_io_tensors")),
    *_changes("ICudaEngine", "10.0", "get_binding_name get_binding_index", *_named("get_tensor_name")),
    *_changes("ICudaEngine", "10.0", "get_binding_shape", *_named("get_tensor_shape")),
    *_changes("ICudaEngine", "10.0", "get_binding_dtype", *_named("get_tensor_dtype")),
    *_changes("ICudaEngine", "10.0", "get_binding_format", *_named("get_tensor_format")),
    *_changes("ICudaEngine", "10.0", "binding_is_input", *_named("get_tensor_mode")),
    *_changes("ICudaEngine", "10.0", "is_shape_binding is_execution_binding", *_named("get_tensor_location")),
    *_changes("ICudaEngine", "10.0", "get_profile_shape", *_named("get_tensor_profile_shape")),
    *_changes("ICudaEngine", "10.0", "get_profile_shape_input", *_named("get_tensor_profile_values")),
    *_changes("ICudaEngine", "10.0", "max_batch_size", "the shapes of its profiles", "engine.info.profiles"),
    *_changes("ICudaEngine", "11.0", "device_memory_size", "device_memory_size_v2", "engine.inspect().memory"),
    *_changes("ICudaEngine", "11.0", "weight_streaming_budget", "weight_streaming_budget_v2"),
    *_changes("ICudaEngine", "11.0", "create_execution_context_without_device_memory",
              "create_execution_context(ExecutionContextAllocationStrategy.USER_MANAGED)"),
    *_changes("IExecutionContext", "10.0", "get_binding_shape", *_named("get_tensor_shape")),
    *_changes("IExecutionContext", "10.0", "set_binding_shape", *_named("set_input_shape")),
    *_changes("IExecutionContext", "10.0", "set_shape_input", *_named("set_tensor_address, of host memory")),
    *_changes("IExecutionContext", "10.0", "execute", "execute_v2", "engine(image)"),
    *_changes("IExecutionContext", "10.0", "execute_async execute_async_v2",
              "set_tensor_address and execute_async_v3", "engine.submit(image)"),
    *_changes("Refitter", "11.0", "set_dynamic_range get_dynamic_range", *_QUANTIZE),
    *_changes("IPluginRegistry", "11.0", "plugin_creator_list get_plugin_creator", "all_creators and get_creator"),
    *_changes("OnnxParser", "11.0", "supports_model", "supports_model_v2"),
    *_changes(None, "10.0", "UffParser CaffeParser", "OnnxParser, or a network written in trtnet", "trtnet.define"),
    *_changes(None, "11.0", "IInt8Calibrator IInt8EntropyCalibrator IInt8EntropyCalibrator2", *_QUANTIZE),
    *_changes(None, "11.0", "IInt8LegacyCalibrator IInt8MinMaxCalibrator CalibrationAlgoType", *_QUANTIZE),
    *_changes(None, "11.0", "QuantizationFlag", *_QUANTIZE),
    *_changes(None, "11.0", "IAlgorithmSelector", *_TIMING),
    *_changes(None, "11.0", "IStreamReader", "IStreamReaderV2"),
)  # fmt: skip


def find(owner: str, name: str) -> ApiChange | None:
    """The change of a name. owner: as errors write it, ``tensorrt.tensorrt.Builder``; cut after 50 characters."""
    return next((change for change in TABLE if change.name == name and _is_owner(change, owner)), None)


def explain(text: str) -> str | None:
    """What to write in the place of the removed name that an AttributeError's text is about; None for another text.

    >>> explain("'tensorrt.tensorrt.Builder' object has no attribute 'max_workspace_size'")
    'Builder.max_workspace_size was removed in TensorRT 8.0: set_memory_pool_limit(...'
    """
    found = _MISSING.search(text)
    if found is None:
        return None
    change = find(*found.groups())
    return None if change is None else str(change)


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
    if change.owner == "ILayer" and re.fullmatch(r"I\w+Layer", last):
        return True
    return change.owner == last or (len(found) == _CUT and change.owner.startswith(last))
