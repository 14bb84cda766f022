"""What this very GPU reaches: a large copy for its memory, a large product of torch's for its tensor cores."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable
from typing import Any

from trtnet.runtime.cuda.interface import Device
from trtnet.tools.bench.gpus import Peaks

COPIED = 1 << 30
"""Bytes of the copy: many times a GPU's cache."""
SIZE = 8192
"""Rows and columns of the product's operands."""
REPEATS = 20


def measured_peaks(device: Device, dtype: str) -> Peaks:
    """The bandwidth of a device-to-device copy (a byte is read and written), and the speed of torch's product.

    dtype: of the product, which is left out where torch is not installed, sees no GPU, or multiplies no such dtype.
    """
    device.activate()
    bandwidth = _bandwidth(device)
    speed = _product(dtype)
    words = f"measured: a copy of {COPIED >> 20} MiB" + (f", torch's {dtype} product of {SIZE}" if speed else "")
    return Peaks(words, bandwidth, {dtype: speed} if speed else {})


def _bandwidth(device: Device) -> float:
    stream = device.create_stream()
    source, target = device.allocate(COPIED, stream), device.allocate(COPIED, stream)
    times = []
    for _ in range(REPEATS):
        start = device.record(stream)
        device.copy(source, target.address, COPIED, stream)
        times.append(device.elapsed(start, device.record(stream)))
    device.synchronize(stream)
    return 2 * COPIED / (statistics.median(times) / 1e3)


def _product(dtype: str) -> float | None:
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if not torch.cuda.is_available() or dtype not in ("float32", "float16", "bfloat16"):
        return None
    a, b = (torch.randn(SIZE, SIZE, device="cuda").to(getattr(torch, dtype)) for _ in range(2))
    return 2 * SIZE**3 / (statistics.median(torch_times(lambda: a @ b, REPEATS)) / 1e3)


def torch_times(call: Callable[[], Any], count: int) -> list[float]:
    """Milliseconds between events of torch's around each of `count` calls, after three that are not timed."""
    import torch

    for _ in range(3):
        call()
    event: Callable[..., Any] = torch.cuda.Event
    events = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(count)]
    for start, end in events:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return [float(start.elapsed_time(end)) for start, end in events]
