"""One timed inference."""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[float, float]
"""(start, end) in milliseconds."""


@dataclass(frozen=True)
class TimedInference:
    """When the parts of one inference began and ended, in milliseconds since the measurement began.

    enqueue: on the host's clock, queueing the execution. h2d, compute, d2h: on the GPU's clock, the inputs' way to the
    GPU, the execution, the outputs' way back. Where transfers are not measured, h2d and d2h are of no length.
    stream: which of the streams that run side by side.
    """

    stream: int
    enqueue: Span
    h2d: Span
    compute: Span
    d2h: Span

    @property
    def enqueue_ms(self) -> float:
        return self.enqueue[1] - self.enqueue[0]

    @property
    def h2d_ms(self) -> float:
        return self.h2d[1] - self.h2d[0]

    @property
    def compute_ms(self) -> float:
        return self.compute[1] - self.compute[0]

    @property
    def d2h_ms(self) -> float:
        return self.d2h[1] - self.d2h[0]

    @property
    def latency_ms(self) -> float:
        """The parts on the GPU together, without the waits between them, as trtexec counts."""
        return self.h2d_ms + self.compute_ms + self.d2h_ms
