"""The floor: the time that a GPU needs at least for a network's operations, or for its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trtnet.builder.config import TF32_OVERRIDE
from trtnet.tools.bench.gpus import Peaks


@dataclass(frozen=True)
class Floor:
    """What no engine of the network can be faster than on this GPU, whatever is fused, in milliseconds.

    flops, bytes: of one inference, as :func:`trtnet.graph.layers.work.count` counts. dtype: whose products the peak is
    of ("tf32" for float32 that is rounded to TensorFloat-32). compute_ms: None where the GPU's peak for the dtype is
    not known, so that the floor is its memory's. A network that computes parts of itself in a narrower dtype than its
    own, as quantized ones do, can be faster than `compute_ms`. source: where the peaks are from.
    """

    flops: int
    bytes: int
    dtype: str
    compute_ms: float | None
    memory_ms: float
    source: str

    @property
    def ms(self) -> float:
        return max(self.compute_ms or 0.0, self.memory_ms)

    @property
    def bound(self) -> str:
        """What the GPU is waited for: "compute" or "memory"."""
        return "memory" if (self.compute_ms or 0.0) < self.memory_ms else "compute"

    def share(self, ms: float) -> float:
        """The percentage of the roofline that a measured time reaches."""
        return 100 * self.ms / ms


def floor(flops: int, nbytes: int, dtype: str, peaks: Peaks) -> Floor:
    """The floor of one inference in a network's dtype."""
    kind = _kind(dtype, peaks)
    speed = peaks.of(kind)
    compute = None if speed is None else 1e3 * flops / speed
    return Floor(flops, nbytes, kind, compute, 1e3 * nbytes / peaks.bandwidth, peaks.source)


def _kind(dtype: str, peaks: Peaks) -> str:
    """float32 products are TensorFloat-32's where the GPU has it and nothing forbids it."""
    rounds = dtype == "float32" and peaks.of("tf32") is not None and os.environ.get(TF32_OVERRIDE) != "0"
    return "tf32" if rounds else dtype
