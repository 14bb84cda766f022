"""What makes a measurement less than it seems, in trtexec's words and by its thresholds."""

from __future__ import annotations

from trtnet.tools.bench.statistics import Summary

ENQUEUE_BOUND = 0.8
"""The part of the GPU's time from which the host's queueing is suspected to hold the GPU up."""
UNSTABLE = 2.5
"""Percent of variation in the GPU's times."""


def warnings(enqueue: Summary, h2d: Summary, compute: Summary, d2h: Summary, streams: int) -> list[str]:
    """Sentences; none for a measurement to rely on."""
    found = []
    if enqueue.median > ENQUEUE_BOUND * compute.median:
        found.append(
            "Throughput may be bound by Enqueue Time rather than GPU Compute and the GPU may be under-utilized."
            " CUDA graphs (on unless --no-cuda-graph is given) may increase the throughput."
        )
    for summary, words in (
        (h2d, "host-to-device transfers for the inputs"),
        (d2h, "device-to-host transfers for the outputs"),
    ):
        if summary.median >= compute.median:
            found.append(
                f"Throughput may be bound by {words} rather than GPU Compute and the GPU may be under-utilized."
                " Leave --transfers away to measure without them."
            )
    if compute.variation > UNSTABLE:
        found.append(
            f"GPU compute time is unstable, with coefficient of variance = {compute.variation:.3g}%."
            " Locking the GPU's clock frequency may improve the stability."
        )
    if streams > 1:
        found.append(
            "Multiple inference streams are used. Latencies may not be accurate since inferences may run in parallel."
            ' Please use "Throughput" as the performance metric instead.'
        )
    return found
