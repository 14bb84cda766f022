"""What a build can be told."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from os import PathLike

from trtnet.graph import Network
from trtnet.support import backend
from trtnet.support.backend import supports, trt
from trtnet.support.dtypes import float32
from trtnet.support.errors import BuildError

TF32_OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""The environment variable that NVIDIA's libraries read before any option of theirs: 0 is no TensorFloat-32."""

VERBOSITIES = ("detailed", "layer_names_only", "none")


@dataclass(frozen=True)
class BuildConfig:
    """Options of a build.

    workspace: limit of the scratch memory layers may use, in bytes; None is TensorRT's default (all of the GPU's).
    optimization_level: 0 to 5, how hard TensorRT searches; None is its default.
    tf32: whether float32 products may round their operands to TensorFloat-32 (10 mantissa bits), which is faster, but
    not what PyTorch computes by default. TensorRT-RTX ignores it and rounds (relative error 3e-4) unless the
    environment variable NVIDIA_TF32_OVERRIDE is 0, in the process that builds and in the one that runs.
    strict_nans: whether NaN and infinities are kept where TensorRT would simplify: ``0 * x``, ``x - x``, ``x / x``.
    refit: whether the engine's weights can be replaced by Engine.refit; building such an engine needs a GPU.
    strip: a plan without the weights, which trtnet.load(path, weights) adds; implies refit.
    timing_cache: a file of measured kernel times, read before the build and updated after it; processes may share it.
    TensorRT only.
    weight_streaming: an engine whose weights may stay in host memory: see ``Engine.weight_streaming_budget``.
    compute_capabilities: GPUs to compile for ahead of time (``("8.6", "8.9")``); TensorRT-RTX only. Empty: the
    backend's choice, the GPU in this machine, or with TensorRT-RTX every GPU since Ampere.
    profiling_verbosity: layer information for profilers and for `trtnet inspect`: "detailed" (shapes,
    formats, and the modules they come from), "layer_names_only" (TensorRT's default) or "none". Speed is the same.
    progress: a progress bar on standard error.
    Raises BuildError when an engine is built: for an option that the backend lacks, or a value out of range.
    """

    workspace: int | None = None
    optimization_level: int | None = None
    tf32: bool = False
    strict_nans: bool = True
    refit: bool = False
    strip: bool = False
    timing_cache: str | PathLike[str] | None = None
    weight_streaming: bool = False
    compute_capabilities: tuple[str, ...] = ()
    profiling_verbosity: str = "detailed"
    progress: bool = False

    @property
    def refittable(self) -> bool:
        """Whether the engine takes other weights later."""
        return self.refit or self.strip


def apply(config: BuildConfig, network: Network) -> trt.IBuilderConfig:
    """TensorRT's configuration. Raises BuildError for an option this backend does not have or a bad value."""
    target = network.builder.create_builder_config()
    if config.workspace is not None:
        if not isinstance(config.workspace, int) or not 0 <= config.workspace < 2**63:
            raise BuildError(f"workspace is 0 to 2**63 - 1 bytes, found {config.workspace!r}")
        target.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, config.workspace)
    if config.optimization_level is not None:
        if not 0 <= config.optimization_level <= 5:
            raise BuildError(f"optimization_level is 0 to 5, found {config.optimization_level}")
        target.builder_optimization_level = config.optimization_level
    target.profiling_verbosity = _verbosity(config.profiling_verbosity)
    _set_tf32(target, config, network)
    if config.strict_nans:
        target.set_flag(trt.BuilderFlag.STRICT_NANS)
    if config.refittable:
        target.set_flag(trt.BuilderFlag.REFIT)
    if config.strip:
        target.set_flag(trt.BuilderFlag.STRIP_PLAN)
    if config.weight_streaming:
        target.set_flag(trt.BuilderFlag.WEIGHT_STREAMING)
    if network.division.ranks > 1 and supports("multi_device_preview"):
        target.set_preview_feature(trt.PreviewFeature.MULTIDEVICE_RUNTIME_10_16, True)
    if config.compute_capabilities:
        _set_compute_capabilities(target, config.compute_capabilities)
    return target


def rounds_to_tf32(config: BuildConfig) -> bool:
    """Whether float32 products of an engine built now may round to TensorFloat-32: TensorRT-RTX asks nobody."""
    return config.tf32 or (backend.name() == "tensorrt_rtx" and os.environ.get(TF32_OVERRIDE) != "0")


def _set_tf32(target: trt.IBuilderConfig, config: BuildConfig, network: Network) -> None:
    (target.set_flag if config.tf32 else target.clear_flag)(trt.BuilderFlag.TF32)
    if rounds_to_tf32(config) and not config.tf32 and network.dtype == float32:
        logging.getLogger(__name__).warning(
            "TensorRT-RTX rounds float32 products to TensorFloat-32 whatever tf32 is;"
            " set %s=0 in the environment where engines are built and where they run, or give tf32=True",
            TF32_OVERRIDE,
        )


def _verbosity(name: str) -> trt.ProfilingVerbosity:
    if name not in VERBOSITIES:
        raise BuildError(f"profiling_verbosity is one of {', '.join(VERBOSITIES)}; found {name!r}")
    return getattr(trt.ProfilingVerbosity, name.upper())


def _set_compute_capabilities(target: trt.IBuilderConfig, capabilities: tuple[str, ...]) -> None:
    if not supports("target_compute_capabilities"):
        raise BuildError(
            f"{backend.name()} builds for the GPU in this machine only; compute_capabilities needs TensorRT-RTX"
        )
    target.num_compute_capabilities = len(capabilities)
    for index, capability in enumerate(capabilities):
        target.set_compute_capability(_member(capability), index)


def _member(capability: str) -> trt.ComputeCapability:
    name = "SM" + capability.replace(".", "")
    if not re.fullmatch(r"\d+\.\d", capability) or not hasattr(trt.ComputeCapability, name):
        members = [m for m in dir(trt.ComputeCapability) if re.fullmatch(r"SM\d+", m)]
        known = ", ".join(f"{m[2:-1]}.{m[-1]}" for m in members)
        raise BuildError(f"{backend.name()} {backend.version()} compiles for {known}; found {capability!r}")
    return getattr(trt.ComputeCapability, name)
