"""Other weights for an engine that is built already."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from trtnet.builder.plan import PlanInfo
from trtnet.checkpoint import Checkpoint, cast
from trtnet.checkpoint.finite import NotFinite
from trtnet.checkpoint.matching import keys_apart, useful
from trtnet.graph.memory.weight import Weight
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support import dtypes
from trtnet.support.backend import supports, trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.support.errors import PlanError, TrtnetError, WeightsError
from trtnet.support.text.counted import counted

REDEFINE = "engine.refit(trtnet.define(model, inputs, weights)), or trtnet refit --model"


@runtime_checkable
class Redefined(Protocol):
    """A network that was defined again, with other weights: what refit asks of it."""

    def weights_by_name(self) -> dict[str, Weight]: ...

    def describe(self) -> PlanInfo: ...


def check_refittable(info: PlanInfo, by_keys: bool = True) -> None:
    """Raises PlanError for an engine whose weights cannot be replaced. by_keys: by a checkpoint only."""
    if info.ranks > 1:
        raise PlanError(f"the engine is rank {info.rank} of {info.ranks}, with parts of the weights: build it again")
    if not info.refittable and not info.folded:
        raise PlanError("the engine was not built for refit: build it with BuildConfig(refit=True), or --refit")
    if by_keys and info.folded:
        some = ", ".join(info.folded[:3])
        raise PlanError(
            f"the engine has folded {counted(len(info.folded), 'weight')} into others when it was defined ({some}"
            f"{', ...' if info.folded[3:] else ''}), so a checkpoint does not have their new values. Define the network"
            f" again: {REDEFINE}"
        )


def refitted(opened: OpenEngine, info: PlanInfo, given: Checkpoint | Redefined, ignored: Sequence[str]) -> bytes:
    """The plan of an engine with all its weights replaced. Raises WeightsError, PlanError and TrtnetError."""
    recorder = ErrorRecorder()
    refitter = trt.Refitter(opened.engine, logger)
    refitter.error_recorder = recorder
    weights = _by_keys(refitter, info, given, ignored) if isinstance(given, Checkpoint) else _of(refitter, given)
    for name, weight in weights.items():
        if not refitter.set_named_weights(name, weight.handle):
            raise TrtnetError(f"TensorRT refused the new weight {name}{recorder.lines()}")
    if missing := list(refitter.get_missing_weights()):
        raise TrtnetError(
            f"TensorRT needs weights that have no checkpoint key: {', '.join(missing[:5])}. Define the network again:"
            f" {REDEFINE}"
        )
    if not refitter.refit_cuda_engine():
        raise TrtnetError(f"TensorRT did not refit the engine{recorder.lines()}")
    return _serialized(opened)


def digest(info: PlanInfo, given: Checkpoint | Redefined) -> str:
    """That of the new weights, for the sidecar."""
    if isinstance(given, Checkpoint):
        return given.digest([key for key in info.refittable if key in given])
    return given.describe().checkpoint_digest


def _by_keys(
    refitter: trt.Refitter, info: PlanInfo, checkpoint: Checkpoint, ignored: Sequence[str]
) -> dict[str, Weight]:
    prototypes = {name: refitter.get_weights_prototype(name) for name in info.refittable}
    _check(checkpoint, {name: prototype.size for name, prototype in prototypes.items()}, ignored)
    weights, lost = {}, NotFinite()
    for name, prototype in prototypes.items():
        array = checkpoint[name]
        lost.look(name, array)
        weights[name] = Weight(cast(array, dtypes.get(prototype.dtype), name), name)
    lost.warn(checkpoint.name)
    return weights


def _of(refitter: trt.Refitter, network: Redefined) -> dict[str, Weight]:
    """The weights of a network by the names that the engine's have. Raises PlanError if it is another network."""
    weights, wanted = network.weights_by_name(), list(refitter.get_all_weights())
    if absent := [name for name in wanted if name not in weights]:
        raise PlanError(
            f"the network is not the one that the engine was built from: it has no weight {absent[0]!r}"
            f"{f', nor {len(absent) - 1:,} others' if absent[1:] else ''}. Define it with the same model, arguments,"
            f" inputs, dtypes and forms"
        )
    for name in wanted:
        prototype, weight = refitter.get_weights_prototype(name), weights[name]
        size, dtype = math.prod(weight.shape), weight.dtype
        if (prototype.size, dtypes.get(prototype.dtype)) != (size, dtype):
            raise PlanError(
                f"the network is not the one that the engine was built from: {name} is"
                f" {counted(prototype.size, 'element')} of {dtypes.get(prototype.dtype).name} in the engine, {size:,}"
                f" of {dtype.name} in the network"
            )
    return {name: weights[name] for name in wanted}


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
        lines += [
            f"  {name}: {counted(size[0], 'element')} in the engine, {list(shape)} here" for name, size, shape in wrong
        ]
        raise WeightsError(
            "\n".join([f"{checkpoint.name} does not fit the engine; none of its weights was replaced", *lines[:30]]),
            missing,
            unexpected,
            wrong,
        )
