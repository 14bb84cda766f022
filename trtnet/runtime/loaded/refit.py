"""Other weights for an engine that is built already."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtnet.builder.plan import PlanInfo
from trtnet.checkpoint import Checkpoint, cast
from trtnet.checkpoint.matching import keys_apart, useful
from trtnet.graph.memory.weight import Weight
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support import dtypes
from trtnet.support.backend import supports, trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.support.errors import PlanError, TrtnetError, WeightsError


def check_refittable(info: PlanInfo) -> None:
    """Raises PlanError for an engine whose weights cannot be replaced by their names."""
    if not info.refittable:
        raise PlanError("the engine was not built for refit: build it with BuildConfig(refit=True), or --refit")
    if info.folded:
        some = ", ".join(info.folded[:3])
        raise PlanError(
            f"the engine cannot be refitted by names: {len(info.folded):,} weights were folded into others when it was"
            f" defined ({some}{', ...' if info.folded[3:] else ''}). Build it again with the new weights."
        )


def refitted(opened: OpenEngine, info: PlanInfo, checkpoint: Checkpoint, ignored: Sequence[str]) -> bytes:
    """The plan of an engine with all its weights taken from a checkpoint. Raises WeightsError and TrtnetError."""
    recorder = ErrorRecorder()
    refitter = trt.Refitter(opened.engine, logger)
    refitter.error_recorder = recorder
    prototypes = {name: refitter.get_weights_prototype(name) for name in info.refittable}
    _check(checkpoint, {name: prototype.size for name, prototype in prototypes.items()}, ignored)
    alive = []
    for name, prototype in prototypes.items():
        weight = Weight(cast(checkpoint[name], dtypes.get(prototype.dtype), name), name)
        alive.append(weight)
        if not refitter.set_named_weights(name, weight.handle):
            raise TrtnetError(f"TensorRT refused the new weight {name}{recorder.lines()}")
    if missing := list(refitter.get_missing_weights()):
        raise TrtnetError(f"TensorRT wants weights that have no checkpoint key: {', '.join(missing[:5])}")
    if not refitter.refit_cuda_engine():
        raise TrtnetError(f"TensorRT did not refit the engine{recorder.lines()}")
    return _serialized(opened)


def _serialized(opened: OpenEngine) -> bytes:
    """The plan with its weights, which a stripped engine would leave out, to be refitted again."""
    config = opened.engine.create_serialization_config()
    config.clear_flag(trt.SerializationFlag.EXCLUDE_WEIGHTS)
    if supports("refit_again"):
        config.set_flag(trt.SerializationFlag.INCLUDE_REFIT)
    data = opened.engine.serialize_with_config(config)
    if data is None:
        raise TrtnetError(f"TensorRT did not give back the refitted engine{opened.recorder.lines()}")
    return bytes(data)


def _check(checkpoint: Checkpoint, sizes: dict[str, int], ignored: Sequence[str]) -> None:
    missing, unexpected = keys_apart(sizes, checkpoint, useful(ignored, sizes, checkpoint))
    shapes = {name: checkpoint.info(name).shape for name in sizes if name in checkpoint}
    wrong = [(name, (sizes[name],), shape) for name, shape in shapes.items() if math.prod(shape) != sizes[name]]
    if missing or unexpected or wrong:
        lines = [f"  missing: {name}" for name in missing] + [f"  unexpected: {key}" for key in unexpected]
        lines += [f"  {name}: {size[0]:,} elements in the engine, {list(shape)} here" for name, size, shape in wrong]
        raise WeightsError(
            "\n".join([f"{checkpoint.name} does not fit the engine; none of its weights was replaced", *lines[:30]]),
            missing,
            unexpected,
            wrong,
        )
