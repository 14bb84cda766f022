"""What TensorRT says of an engine that it has loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.backend import trt
from trtnet.support.errors import TrtnetError


@dataclass(frozen=True)
class Inspection:
    """layers: the engine inspector's JSON. memory: what the engine needs on the GPU, in bytes, by what it is for."""

    layers: str = field(repr=False)
    memory: dict[str, int]


def inspect(opened: OpenEngine) -> Inspection:
    """Asks TensorRT's engine inspector. Raises TrtnetError in TensorRT's words if it says nothing."""
    engine = opened.engine
    opened.recorder.clear()
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(trt.LayerInformationFormat.JSON) if inspector else ""
    if not text:
        raise TrtnetError(f"TensorRT's engine inspector returned nothing for the engine{opened.recorder.lines()}")
    return Inspection(text, _memory(engine))


def _memory(engine: trt.ICudaEngine) -> dict[str, int]:
    """activations: of one execution context, at the largest shapes of all profiles."""
    found = {"activations": int(engine.device_memory_size_v2)}
    count = engine.num_optimization_profiles
    if count > 1:
        sizes = (engine.get_device_memory_size_for_profile_v2(index) for index in range(count))
        found |= {f"activations of profile {index}": int(size) for index, size in enumerate(sizes)}
    streamable = int(engine.streamable_weights_size)
    return found | {"streamable weights": streamable} if streamable else found
