"""What trtexec exports, in its schemas: ``--exportTimes``, ``--exportProfile``, ``--exportOutput``.

As NVIDIA/TensorRT samples/common/sampleReporting.cpp writes them, so that what reads trtexec's files reads these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support.files import atomic_write
from trtnet.support.plain import plain
from trtnet.tools.bench.profile import Profile
from trtnet.tools.bench.timed_inference import TimedInference


def times(samples: Sequence[TimedInference]) -> list[dict[str, float]]:
    """An object an inference, in milliseconds."""
    return [
        {
            "startEnqMs": sample.enqueue[0],
            "endEnqMs": sample.enqueue[1],
            "startH2dMs": sample.h2d[0],
            "endH2dMs": sample.h2d[1],
            "startComputeMs": sample.compute[0],
            "endComputeMs": sample.compute[1],
            "startD2hMs": sample.d2h[0],
            "endD2hMs": sample.d2h[1],
            "h2dMs": sample.h2d_ms,
            "computeMs": sample.compute_ms,
            "d2hMs": sample.d2h_ms,
            "latencyMs": sample.latency_ms,
        }
        for sample in samples
    ]


def layers(profile: Profile) -> list[dict[str, Any]]:
    """The number of executions, then an object a layer."""
    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "timeMs": row.time_ms,
            "averageMs": row.average_ms,
            "medianMs": row.median_ms,
            "percentage": row.percentage,
        }
        for row in profile.layers
    ]
    return [{"count": profile.executions}, *rows]


def outputs(arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
    """An object an output: its values in C order. NaN and infinities are null, which JSON has no numbers for."""
    return [
        {"name": name, "dimensions": "x".join(map(str, array.shape)), "values": _values(array)}
        for name, array in arrays.items()
    ]


def _values(array: np.ndarray[Any, Any]) -> list[Any]:
    if array.dtype.kind in "biu":
        return array.ravel().tolist()
    values = array.astype(np.float64).ravel()
    return [value if finite else None for value, finite in zip(values.tolist(), np.isfinite(values), strict=True)]


def text(document: Any) -> str:
    """A document as JSON."""
    return json.dumps(plain(document), indent=1, allow_nan=False) + "\n"


def write(path: Path, content: str) -> None:
    """Writes a file, whole or not at all. Raises TrtnetError if it cannot be written."""
    with atomic_write(path) as file:
        file.write(content.encode())
