"""What samples come to: throughput, and the spread of each part of an inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.tools.bench.reports.warnings import warnings
from trtnet.tools.bench.statistics import PERCENTILES, Summary, summarize
from trtnet.tools.bench.timed_inference import TimedInference


@dataclass(frozen=True)
class Timing:
    """All times of parts in milliseconds.

    queries: how many inferences. throughput: of them a second. walltime: seconds from the first one's beginning to the
    last one's end. compute_time: seconds of all of them on the GPU, together. warnings: what to know before relying on
    it.
    """

    queries: int
    throughput: float
    latency: Summary
    enqueue: Summary
    h2d: Summary
    compute: Summary
    d2h: Summary
    walltime: float
    compute_time: float
    warnings: tuple[str, ...]

    @property
    def parts(self) -> dict[str, Summary]:
        """Each part by trtexec's name for it."""
        return {
            "Latency": self.latency,
            "Enqueue Time": self.enqueue,
            "H2D Latency": self.h2d,
            "GPU Compute Time": self.compute,
            "D2H Latency": self.d2h,
        }


def timing(samples: Sequence[TimedInference], percentiles: Sequence[int] = PERCENTILES) -> Timing:
    """Raises ValueError for no samples."""
    latency, enqueue, h2d, compute, d2h = (
        summarize(values, percentiles)
        for values in (
            [sample.latency_ms for sample in samples],
            [sample.enqueue_ms for sample in samples],
            [sample.h2d_ms for sample in samples],
            [sample.compute_ms for sample in samples],
            [sample.d2h_ms for sample in samples],
        )
    )
    walltime = (max(sample.d2h[1] for sample in samples) - min(sample.h2d[0] for sample in samples)) / 1e3
    streams = len({sample.stream for sample in samples})
    return Timing(
        queries=len(samples),
        throughput=len(samples) / walltime,
        latency=latency,
        enqueue=enqueue,
        h2d=h2d,
        compute=compute,
        d2h=d2h,
        walltime=walltime,
        compute_time=compute.mean * len(samples) / 1e3,
        warnings=tuple(warnings(enqueue, h2d, compute, d2h, streams)),
    )
