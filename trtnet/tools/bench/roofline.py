"""The floor: the time that a GPU needs at least for a network's operations, or for its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trtnet.builder.config import TF32_OVERRIDE
from trtnet.tools.bench.gpus import Peaks


@dataclass(frozen=True)
class Floor:
    """What no engine of the network can be faster than on this GPU, whatever is fused, in milliseconds.

    flops, bytes: of one inference, counted as :func:`trtnet.graph.work.count` counts. dtype: whose products the peak is
    of ("tf32" for float32 that is rounded to TensorFloat-32). A network that computes parts of itself in a narrower
    dtype than its own, as quantized ones do, can be faster than `compute_ms`. source: where the peaks are from.
    """

    flops: int
    bytes: int
    dtype: str
    compute_ms: float
    memory_ms: float
    source: str

    @property
    def ms(self) -> float:
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> str:
        """What the GPU is waited for: "compute" or "memory"."""
        return "compute" if self.compute_ms >= self.memory_ms else "memory"

    def share(self, ms: float) -> float:
        """The percentage of the roofline that a measured time reaches."""
        return 100 * self.ms / ms


def floor(flops: int, nbytes: int, dtype: str, peaks: Peaks) -> Floor | None:
    """The floor of one inference; None where the GPU's peak for the dtype is not known."""
    kind = _kind(dtype, peaks)
    speed = peaks.of(kind)
    if speed is None:
        return None
    return Floor(flops, nbytes, kind, 1e3 * flops / speed, 1e3 * nbytes / peaks.bandwidth, peaks.source)


def _kind(dtype: str, peaks: Peaks) -> str:
    """float32 products are TensorFloat-32's where the GPU has it and nothing forbids it."""
    rounds = dtype == "float32" and peaks.of("tf32") is not None and os.environ.get(TF32_OVERRIDE) != "0"
    return "tf32" if rounds else dtype
