"""Weight streaming: an engine's weights stay in host memory, and come to the GPU as its layers need them."""

from __future__ import annotations

import re

from trtnet.support.backend import trt
from trtnet.support.errors import DeviceError, InputError, PlanError
from trtnet.support.text.counted import counted

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def byte_count(size: int | str) -> int:
    """``"1.5GiB"`` -> 1610612736. Raises InputError for what is not a number of bytes."""
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    parts = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", size) if isinstance(size, str) else None
    if parts is None or parts[2].upper() not in UNITS:
        raise InputError(f"a size is a number of bytes, or text such as '512MiB' or '1.5GB'; found {size!r}")
    return int(float(parts[1]) * UNITS[parts[2].upper()])


def limit_weights(engine: trt.ICudaEngine, budget: int | str) -> None:
    """Lets at most so many bytes of the weights stay on the GPU; before the engine has any context.

    Raises InputError for what is no size, PlanError for an engine that was not built for it, DeviceError if TensorRT
    does not take the budget.
    """
    wanted = byte_count(budget)
    streamable = int(engine.streamable_weights_size)
    if streamable == 0:
        raise PlanError(
            "weight_streaming_budget: the engine has no weights that can be streamed; build it with"
            " BuildConfig(weight_streaming=True), with a TensorRT that streams weights"
        )
    engine.weight_streaming_budget_v2 = min(wanted, streamable)
    if (found := int(engine.weight_streaming_budget_v2)) != min(wanted, streamable):
        raise DeviceError(
            f"TensorRT did not accept a budget of {counted(wanted, 'byte')} for streamed weights: it is {found:,}"
        )
