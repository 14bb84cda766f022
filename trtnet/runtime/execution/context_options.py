"""How execution contexts are made: with which kernels, and whose memory."""

from __future__ import annotations

import logging
import math
from typing import Any, Literal

from trtnet.builder.plan import PlanInfo
from trtnet.support import backend
from trtnet.support.backend import supports, trt
from trtnet.support.errors import InputError

log = logging.getLogger("trtnet.runtime")

SHORT = frozenset(("float16", "bfloat16"))

GraphMaker = Literal["none", "captured", "backend"]
"""Who makes CUDA graphs of a context's executions: nobody, trtnet, or TensorRT-RTX."""


SHAPE_CHANGES = 256
"""Executions with other shapes than the one before, after which a context of TensorRT-RTX makes way for a new one.

TensorRT-RTX 1.6 keeps host memory for each until the context goes: 10 KiB for LeNet-5, 77 KiB for ResNet-50, whatever
is configured. A new context, with the kernels at hand, takes 8 ms and 43 ms.
"""


def lifetime() -> float:
    """After how many changes of shapes a context makes way for a new one."""
    return SHAPE_CHANGES if supports("runtime_cache") else math.inf


def graphs_of(cuda_graph: bool | str) -> GraphMaker:
    """What cuda_graph= of a session says. Raises InputError for anything else, or what this TensorRT does not have."""
    if isinstance(cuda_graph, bool):
        return "captured" if cuda_graph else "none"
    if cuda_graph != "backend":
        raise InputError(f'cuda_graph is True, False or "backend"; found {cuda_graph!r}')
    if not supports("cuda_graph_strategy"):
        raise InputError(f"{backend.name()} has no CUDA graphs of its own; cuda_graph=True captures them")
    return "backend"


def specializes(info: PlanInfo, wanted: bool | None = None) -> bool:
    """Whether TensorRT-RTX may compile kernels for the very shapes it sees in a call, as it does by default.

    wanted: what the caller says; None leaves it to trtnet.
    Not for a network of dynamic shapes that is float32, or has modules that are: those kernels of TensorRT-RTX 1.6
    compute wrong numbers for some (EfficientNet-Lite0 at batch 2, whoever made the network:
    tests/gpu/specialization.py). Nor for one that has float8 convolutions with groups: 1.6.1 ends the process with a
    segmentation fault (H200, groups of one and of four channels, every dtype of the network).
    """
    if wanted is not None:
        return wanted
    return not (_is_dynamic(info) and ("float32" in _dtypes(info) or info.float8_groups))


def check_kernels(info: PlanInfo, specialize: bool | None) -> None:
    """Warns if an engine with 16-bit layers runs without such kernels: the general ones of TensorRT-RTX 1.6 compute
    sums after a convolution, ``x + relu(conv(x))``, wrong in 16 bits (docs/status.md). Raises InputError for one that
    such kernels would crash."""
    if not (supports("kernel_specialization") and _is_dynamic(info)):
        return
    if info.float8_groups and specialize:
        raise InputError(
            f"{info.model or 'an engine'} of dynamic shapes has float8 convolutions with groups: with specialize=True"
            " TensorRT-RTX 1.6.1 ends this process (segmentation fault); leave it out, or build for fixed shapes"
        )
    if not specializes(info, specialize) and _dtypes(info) & SHORT:
        why = _why_general(info, specialize)
        log.warning(
            f"{info.model or 'an engine'} of dynamic shapes has 16-bit modules and {why}: it runs with kernels of "
            "TensorRT-RTX that add some shortcuts wrong; compare its results, give it fixed shapes or one dtype"
        )


def _why_general(info: PlanInfo, specialize: bool | None) -> str:
    if specialize is False:
        return "has specialize=False"
    return "has float8 convolutions with groups, too" if info.float8_groups else "has float32 modules, too"


def _is_dynamic(info: PlanInfo) -> bool:
    return any(shapes[0] != shapes[2] for profile in info.profiles for shapes in profile.values())


def _dtypes(info: PlanInfo) -> set[str]:
    return {info.dtype, *info.dtypes.values()}


def runtime_config(
    engine: trt.ICudaEngine, specialize: bool, graphs: GraphMaker, cached: bool
) -> trt.IRuntimeConfig | None:
    """What TensorRT-RTX is told; None where there is nothing to tell.

    specialize: whether kernels are compiled for the shapes of a call: before it, where it is captured, or else beside
    the first few. cached: whether they are kept.
    """
    strategy = ("EAGER" if graphs == "captured" else "LAZY") if specialize else "NONE"
    if not supports("kernel_specialization") or (strategy == "LAZY" and graphs == "none" and not cached):
        return None
    config = engine.create_runtime_config()
    strategies = trt.DynamicShapesKernelSpecializationStrategy
    config.dynamic_shapes_kernel_specialization_strategy = getattr(strategies, strategy)
    if graphs == "backend":
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    return config


def create(engine: trt.ICudaEngine, config: trt.IRuntimeConfig | None, scratch: bool) -> Any:
    """A context, or None. scratch: whether it allocates its scratch memory itself.

    A function of its own: the frame of an error must not keep the configuration alive.
    """
    strategies = trt.ExecutionContextAllocationStrategy
    strategy = strategies.STATIC if scratch else strategies.USER_MANAGED
    if config is None:
        return engine.create_execution_context(strategy)
    config.set_execution_context_allocation_strategy(strategy)
    return engine.create_execution_context(config)
