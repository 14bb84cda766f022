"""The measurement in trtexec's own lines, for eyes and scripts that know them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from trtnet.tools.bench.profile import Profile, Row
from trtnet.tools.bench.statistics import Summary
from trtnet.tools.bench.timed_inference import TimedInference
from trtnet.tools.bench.timing import Timing

RUNS = 10
"""Inferences a line of the trace averages."""
SHOWN = 200
"""Lines at either end of a long trace; those between are left out."""


def lines(samples: Sequence[TimedInference], found: Timing, profile: Profile | None) -> Iterator[str]:
    """What trtexec would print of the same inferences."""
    yield from _trace(samples)
    yield from _performance(found)
    if profile is not None and profile.layers:
        yield from _profile(profile)


def _trace(samples: Sequence[TimedInference]) -> Iterator[str]:
    yield from ("=== Trace details ===", f"Trace averages of {RUNS} runs:")
    groups = [samples[start : start + RUNS] for start in range(0, len(samples) - RUNS + 1, RUNS)]
    omitted = max(len(groups) - 2 * SHOWN, 0)
    for index, group in enumerate(groups):
        if omitted and index == SHOWN:
            yield f"... Omitting {omitted} lines"
        if not omitted or not SHOWN <= index < SHOWN + omitted:
            yield _average(group)


def _average(group: Sequence[TimedInference]) -> str:
    compute, latency, enqueue = (
        statistics.fmean(values)
        for values in zip(*((one.compute_ms, one.latency_ms, one.enqueue_ms) for one in group), strict=True)
    )
    return (
        f"Average on {len(group)} runs - GPU latency: {compute:g} ms - Host latency: {latency:g} ms"
        f" (enqueue {enqueue:g} ms)"
    )


def _performance(found: Timing) -> Iterator[str]:
    yield from ("", "=== Performance summary ===", f"Throughput: {found.throughput:g} qps")
    for name, summary in found.parts.items():
        yield f"{name}: {_summary(summary)}"
    yield f"Total Host Walltime: {found.walltime:g} s"
    yield f"Total GPU Compute Time: {found.compute_time:g} s"
    for warning in found.warnings:
        yield f"* {warning}"


def _summary(summary: Summary) -> str:
    numbers = {"min": summary.min, "max": summary.max, "mean": summary.mean, "median": summary.median}
    numbers |= {f"percentile({percent:g}%)": value for percent, value in summary.percentiles.items()}
    return ", ".join(f"{name} = {value:g} ms" for name, value in numbers.items())


def _profile(profile: Profile) -> Iterator[str]:
    yield from ("", f"=== Profile ({profile.executions} iterations ) ===")
    yield "   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer"
    for row in profile.layers:
        yield _row(row)
    total, medians = profile.total_ms, sum(row.median_ms for row in profile.layers)
    yield _row(Row("Total", (), total, total / profile.executions, medians, 100.0))


def _row(row: Row) -> str:
    return f"{row.time_ms:11.2f}{row.average_ms:13.4f}{row.median_ms:13.4f}{row.percentage:10.1f}   {row.name}"
