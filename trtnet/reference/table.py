"""Which function executes which layer, by its name in TensorRT's ``LayerType``: what each module of layers lists."""

from __future__ import annotations

from trtnet.reference.layers import (
    activation,
    attention,
    conv,
    create,
    detection,
    elementwise,
    index,
    matmul,
    moe,
    norm,
    pool,
    quantize,
    reduce,
    resize,
    shape,
)
from trtnet.reference.step import LayerFunction
from trtnet.support.backend import trt

MODULES = (
    activation,
    attention,
    conv,
    create,
    detection,
    elementwise,
    index,
    matmul,
    moe,
    norm,
    pool,
    quantize,
    reduce,
    resize,
    shape,
)
LAYERS: dict[str, LayerFunction] = {kind: function for module in MODULES for kind, function in module.LAYERS.items()}
"""Loops and conditionals are executed by ``trtnet.reference.execution``."""

PLUGINS = ("PLUGIN_V2", "PLUGIN_V3")
"""Executed as the decompositions that ``ops.custom`` was given."""

COLLECTIVES = ("DIST_COLLECTIVE",)
"""Executed by all ranks together: ``trtnet.reference.lockstep``."""

REFUSED = {
    "PLUGIN": "TensorRT tells nothing of it, neither its class nor its name",
}
"""The kinds that are not executed, and why."""


def is_collective(layer: trt.ILayer) -> bool:
    """Whether it needs all ranks. The layer is of its own class, as ``schedule`` makes it."""
    return type(layer).__name__ == "IDistCollectiveLayer"
