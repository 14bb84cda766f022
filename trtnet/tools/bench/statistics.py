"""What many times come to, computed as trtexec computes it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERCENTILES = (90, 95, 99)


@dataclass(frozen=True)
class Summary:
    """Of a number of times, in their unit. variation: the standard deviation in percent of the mean."""

    min: float
    max: float
    mean: float
    median: float
    percentiles: dict[int, float]
    variation: float


def summarize(values: Sequence[float], percentiles: Sequence[int] = PERCENTILES) -> Summary:
    """The summary of at least one value. Raises ValueError for none."""
    ordered = sorted(values)
    mean = statistics.fmean(ordered)
    deviation = statistics.pstdev(ordered, mean)
    return Summary(
        min=ordered[0],
        max=ordered[-1],
        mean=mean,
        median=statistics.median(ordered),
        percentiles={percent: percentile(ordered, percent) for percent in percentiles},
        variation=100 * deviation / mean if mean else 0.0,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The highest value once the other `100 - percent` percent, rounded down, are set aside from the top.

    trtexec's (``findPercentile`` in NVIDIA/TensorRT samples/common/sampleReporting.cpp): one of the values, never
    between two. It counts in float32, where 1 % of 100 is a little less than one: so does this.
    Raises ValueError for a percentage outside 0 to 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile is 0 to 100, found {percent}")
    excluded = int((np.float32(1) - np.float32(percent) / np.float32(100)) * np.float32(len(ordered)))
    return ordered[max(len(ordered) - 1 - excluded, 0)]
