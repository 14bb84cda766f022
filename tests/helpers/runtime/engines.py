"""Small engines of one input x [n, 3] on fake devices, and what is given to them."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from helpers.comparing import network_of
from helpers.runtime.fakes import FakeDevice, Opener

import trtnet
from trtnet.builder import Plan, describe
from trtnet.builder.profiles import profile_shapes
from trtnet.runtime import Engine

X = {"x": trtnet.Input(("n", 3))}


def engine_of(function: Any, inputs: Any = X, dims: Any = None, dtype: str = "float32") -> tuple[Engine, Opener]:
    network = network_of(function, inputs, dtype)
    opener = Opener(network.reference())
    return Engine(network.build(dims or {"n": (1, 2, 8)}).plan, opener), opener


def x(n: int = 2, dtype: Any = np.float32) -> np.ndarray:
    return np.arange(1, 3 * n + 1).reshape(n, 3).astype(dtype)


@functools.cache
def built() -> tuple[Engine, Opener]:
    return engine_of(lambda x: x * 2 + 1, dims=[{"n": (1, 2, 4)}, {"n": (3, 8, 16)}])


def doubling_engine() -> tuple[Engine, Opener]:
    """An engine that was built once, on devices of its own."""
    engine, opener = built()
    fresh = Opener(opener.reference)
    return Engine(engine.plan, fresh), fresh


def unbuilt(function: Callable[..., Any], dependent: set[str]) -> tuple[Engine, Opener]:
    """An engine of what TensorRT-RTX does not build: the fake runs the network's reference."""
    network = network_of(function, {"x": trtnet.Input(("n", 3))})
    opener = Opener(network.reference(), dependent)
    info = describe(network)
    profiles = profile_shapes(network, {"n": (1, 2, 8)})
    opener.device.activate()
    return Engine(Plan(b"", replace(info, profiles=profiles)), opener), opener


def idle(device: FakeDevice) -> bool:
    """Whether all memory is free. Fails if something in flight still needed it."""
    if _is_free(device):
        return True
    gc.collect()  # which takes a second in a process that has all tests
    return _is_free(device)


def _is_free(device: FakeDevice) -> bool:
    device.activate()
    for stream in device.streams.values():
        device.synchronize(stream)
    return not device.memory
