"""Statistics, trtexec's warnings and lines, on times that are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from trtnet.runtime.profiling import LayerTimes
from trtnet.tools.bench.profile import Profile, profile
from trtnet.tools.bench.reports import trtexec_export as export, trtexec_lines as trtexec
from trtnet.tools.bench.statistics import percentile, summarize
from trtnet.tools.bench.timed_inference import TimedInference
from trtnet.tools.bench.timing import timing


def sample(
    start: float, h2d: float = 0.0, compute: float = 1.0, d2h: float = 0.0, enqueue: float = 0.1, n: int = 0
) -> TimedInference:
    begin, end = start + h2d, start + h2d + compute
    return TimedInference(n, (start, start + enqueue), (start, begin), (begin, end), (end, end + d2h))


def samples(times: Sequence[float], **parts: float) -> list[TimedInference]:
    return [sample(10.0 * i, compute=time, **parts) for i, time in enumerate(times)]


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [
        (100, 99, 100),
        (100, 90, 90),
        (10, 99, 10),
        (10, 90, 9),
        (200, 99, 199),
        (101, 99, 100),
        (1, 50, 1),
        (4, 0, 1),
        (4, 100, 4),
    ],
)
def test_percentiles_are_trtexecs(count: int, percent: int, expected: int) -> None:
    """``timings[max(all - 1 - int((1 - percentile / 100) * all), 0)]``, in float32."""
    assert percentile(range(1, count + 1), percent) == expected


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_percentages_outside_0_to_100_are_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        percentile([1.0], percent)


def test_a_summary() -> None:
    found = summarize([4.0, 1.0, 2.0, 1.0])
    assert (found.min, found.max, found.mean, found.median) == (1.0, 4.0, 2.0, 1.5)
    assert found.percentiles == {90: 4.0, 95: 4.0, 99: 4.0}
    assert found.variation == pytest.approx(100 * np.std([4, 1, 2, 1]) / 2)
    with pytest.raises(ValueError):
        summarize([])


def test_timing_of_samples() -> None:
    found = timing([sample(100, h2d=1, compute=2, d2h=3), sample(110, h2d=2, compute=4, d2h=6)])
    assert (found.latency.min, found.latency.max) == (6, 12)
    assert (found.h2d.mean, found.compute.mean, found.d2h.mean) == (1.5, 3, 4.5)
    assert found.enqueue.mean == pytest.approx(0.1)
    assert found.walltime == pytest.approx(0.022) and found.throughput == pytest.approx(2 / 0.022)
    assert found.compute_time == pytest.approx(0.006)


def test_the_walltime_of_several_streams_begins_with_the_first_and_ends_with_the_last() -> None:
    found = timing([sample(0, compute=9, n=0), sample(1, compute=1, n=1)])
    assert found.walltime == pytest.approx(0.009)
    assert any("Multiple inference streams" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"enqueue": 0.81}, "bound by Enqueue Time"),
        ({"enqueue": 0.79}, None),
        ({"h2d": 1.0}, "bound by host-to-device transfers for the inputs"),
        ({"h2d": 0.99}, None),
        ({"d2h": 1.0}, "bound by device-to-host transfers for the outputs"),
    ],
)
def test_warnings_of_what_the_throughput_is_bound_by(parts: dict[str, float], words: str | None) -> None:
    found = timing(samples([1.0] * 20, **parts)).warnings
    assert len(found) == (words is not None)
    assert all(words is not None and words in warning for warning in found)


def test_a_warning_of_unstable_times() -> None:
    assert timing(samples([1.0, 1.04] * 10)).warnings == ()
    (warning,) = timing(samples([1.0, 1.06] * 10)).warnings
    assert "unstable, with coefficient of variance = 2.91%" in warning


def test_trtexecs_lines() -> None:
    found = samples([1.0, 2.0] * 10, h2d=0.25, d2h=0.125)
    text = list(trtexec.lines(found, timing(found), None))
    assert text[:3] == [
        "=== Trace details ===",
        "Trace averages of 10 runs:",
        "Average on 10 runs - GPU latency: 1.5 ms - Host latency: 1.875 ms (enqueue 0.1 ms)",
    ]
    start = text.index("=== Performance summary ===")
    assert text[start + 1].startswith("Throughput: ") and text[start + 1].endswith(" qps")
    assert text[start + 2] == (
        "Latency: min = 1.375 ms, max = 2.375 ms, mean = 1.875 ms, median = 1.875 ms,"
        " percentile(90%) = 2.375 ms, percentile(95%) = 2.375 ms, percentile(99%) = 2.375 ms"
    )
    assert [line.partition(":")[0] for line in text[start + 2 : start + 9]] == [
        "Latency", "Enqueue Time", "H2D Latency", "GPU Compute Time", "D2H Latency", "Total Host Walltime",
        "Total GPU Compute Time",
    ]  # fmt: skip
    assert text[start + 8] == "Total GPU Compute Time: 0.03 s"
    assert text[-1].startswith("* GPU compute time is unstable")


def test_long_traces_are_cut_in_the_middle() -> None:
    found = samples([1.0] * 4107)
    text = list(trtexec.lines(found, timing(found), None))
    averages = [line for line in text if line.startswith("Average on")]
    assert len(averages) == 400 and text[202] == "... Omitting 10 lines"


def layers() -> Profile:
    return profile([LayerTimes("a", (1.0, 3.0, 2.0)), LayerTimes("b", (6.0, 6.0, 6.0))], 3, None)


def test_trtexecs_profile() -> None:
    found = samples([1.0] * 10)
    text = list(trtexec.lines(found, timing(found), layers()))
    start = text.index("=== Profile (3 iterations ) ===")
    assert text[start + 1].split() == ["Time(ms)", "Avg.(ms)", "Median(ms)", "Time(%)", "Layer"]
    assert [line.split() for line in text[start + 2 :]] == [
        ["6.00", "2.0000", "2.0000", "25.0", "a"],
        ["18.00", "6.0000", "6.0000", "75.0", "b"],
        ["24.00", "8.0000", "8.0000", "100.0", "Total"],
    ]


def test_exports_in_trtexecs_schemas() -> None:
    (one,) = export.times([sample(5, h2d=1, compute=2, d2h=3)])
    assert one == {
        "startEnqMs": 5, "endEnqMs": 5.1, "startH2dMs": 5, "endH2dMs": 6, "startComputeMs": 6, "endComputeMs": 8,
        "startD2hMs": 8, "endD2hMs": 11, "h2dMs": 1, "computeMs": 2, "d2hMs": 3, "latencyMs": 6,
    }  # fmt: skip
    assert export.layers(layers()) == [
        {"count": 3},
        {"name": "a", "timeMs": 6.0, "averageMs": 2.0, "medianMs": 2.0, "percentage": 25.0},
        {"name": "b", "timeMs": 18.0, "averageMs": 6.0, "medianMs": 6.0, "percentage": 75.0},
    ]


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (np.array([[1.5, np.nan], [np.inf, -2]], np.float32), [1.5, None, None, -2.0]),
        (np.array([[1, 2], [3, 4]], np.int64), [1, 2, 3, 4]),
        (np.array([[1, 2], [3, 4]], ml_dtypes.bfloat16), [1.0, 2.0, 3.0, 4.0]),
        (np.array([[True, False], [False, True]]), [True, False, False, True]),
    ],
)
def test_outputs_are_exported_as_numbers(array: Any, values: list[Any]) -> None:
    found = json.loads(export.text(export.outputs({"y": array})))
    assert found == [{"name": "y", "dimensions": "2x2", "values": values}]
