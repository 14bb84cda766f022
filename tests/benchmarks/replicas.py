"""ResNet-50 from uint8 images on several GPUs of one host: replicas in one process, and a process a GPU.

    python tests/benchmarks/replicas.py [--devices 0 1] [--batch 32] [--depth 3] [--seconds 4] [--json FILE]

The engine of tests/benchmarks/pipeline.py, float16, random weights. Threads: one process, ``engine.replicas`` and their
pipeline. Processes: a pipeline on each GPU, at the same time; each loads the saved engine. All results of a first pass
are compared with those of one GPU's session. Failures: of a replica that was closed in one process, and of a process
that is killed; all calls of the others must be right.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pipeline import SIDE, batches_of, build, throughput
from helpers.gpu.ranks import together

import trtnet
from trtnet.support import backend

IMAGES = 1 << 30
"""Bytes of different images that a measurement goes round."""


def images(batch: int) -> list[np.ndarray]:
    return batches_of(max(8, IMAGES // (batch * 3 * SIDE * SIDE)), batch)


def error_of(found: Any, expected: np.ndarray) -> float:
    """Relative L2."""
    a, b = np.asarray(found, np.float32), expected.astype(np.float32)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def in_threads(path: str, devices: Sequence[int], batch: int, depth: int, seconds: float) -> dict[str, Any]:
    """Images a second of one GPU and of all, by one process; the largest error; what a closed replica does."""
    engine, given = trtnet.load(path), images(batch)
    first = given[:40]
    session = engine.session()
    expected = [session(image) for image in first]
    replicas = engine.replicas(devices)
    checks = {
        "pipeline": list(replicas.pipeline(first, depth)),
        "calls": [replicas(image) for image in first],
        "submitted": [pending.result() for pending in [replicas.submit(image) for image in first]],
    }
    errors = {name: max(map(error_of, found, expected)) for name, found in checks.items()}
    rates = {
        "one GPU": throughput(engine.pipeline(itertools.cycle(given), depth), seconds, 20, batch),
        "replicas": throughput(replicas.pipeline(itertools.cycle(given), depth), seconds, 20, batch),
    }
    return {"images per second": rates, "largest error": errors, "failure": one_fails(engine, devices, first, expected)}


def one_fails(engine: Any, devices: Sequence[int], given: Sequence[Any], expected: Sequence[Any]) -> dict[str, int]:
    """Calls after the last replica was closed: right, failed with ClosedError, wrong."""
    replicas = engine.replicas(devices)
    for image in given[: len(devices)]:
        replicas(image)
    replicas.engines[-1].close()
    counts = {"right": 0, "failed": 0, "wrong": 0}
    for image, want in zip(given, expected, strict=True):
        try:
            counts["right" if error_of(replicas(image), want) < 1e-3 else "wrong"] += 1
        except trtnet.ClosedError:
            counts["failed"] += 1
    return counts


def in_process(
    rank: int,
    ranks: int,
    _: str,
    path: str,
    devices: Sequence[int],
    folder: str,
    batch: int,
    depth: int,
    seconds: float,
) -> dict[str, Any]:
    """One GPU's share, measured while the other processes measure theirs."""
    engine, given = trtnet.load(path, device=devices[rank]), images(batch)
    session = engine.session()
    expected = [session(image) for image in given[:40]]
    errors = map(error_of, engine.pipeline(given[:40], depth), expected)
    largest = max(errors)
    results = engine.pipeline(itertools.cycle(given), depth)
    throughput(results, 0.5, 20, batch)
    (Path(folder) / f"ready{rank}").touch()
    while len(list(Path(folder).glob("ready*"))) < ranks:
        time.sleep(0.001)
    digest = np.stack([each[:, :8] for each in expected[:4]])
    return {"images per second": throughput(results, seconds, 0, batch), "largest error": largest, "logits": digest}


def in_processes(path: str, devices: Sequence[int], batch: int, depth: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = together(in_process, len(devices), path, devices, folder, batch, depth, seconds, timeout=120)
    if failed := [str(each) for each in found if isinstance(each, Exception)]:
        return {"failed": failed}
    return {
        "images per second": [each["images per second"] for each in found],
        "sum": sum(each["images per second"] for each in found),
        "largest error": [each["largest error"] for each in found],
        "between the GPUs": [error_of(each["logits"], found[0]["logits"]) for each in found],
    }


def killed_or_right(rank: int, ranks: int, _: str, path: str, devices: Sequence[int], batch: int) -> dict[str, int]:
    """The last process kills itself in the middle; the others count their right results."""
    engine, given = trtnet.load(path, device=devices[rank]), images(batch)[:40]
    session = engine.session()
    expected = [session(image) for image in given]
    if rank == ranks - 1:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    end, right, wrong = time.monotonic() + 3, 0, 0
    while time.monotonic() < end:
        for found, want in zip(engine.pipeline(given, 3), expected, strict=True):
            good = error_of(found, want) < 1e-3
            right, wrong = right + good, wrong + (not good)
    return {"right": right, "wrong": wrong}


def one_is_killed(path: str, devices: Sequence[int], batch: int) -> list[Any]:
    found = together(killed_or_right, len(devices), path, devices, batch, timeout=120)
    return [str(each) if isinstance(each, Exception) else each for each in found]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--devices", type=int, nargs="+", default=[0, 1])
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--depth", type=int, default=3)
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--json")
    chosen = options.parse_args()
    settings = chosen.devices, chosen.batch, chosen.depth, chosen.seconds
    results: dict[str, Any] = {"backend": f"{backend.name()} {backend.version()}", "batch": chosen.batch}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "resnet50.engine")
        build(chosen.batch, "float16").build().save(path)
        parts = {
            "threads": functools.partial(in_threads, path, *settings),
            "processes": functools.partial(in_processes, path, *settings),
            "one process killed": functools.partial(one_is_killed, path, chosen.devices, chosen.batch),
        }
        for name, part in parts.items():
            results[name] = part()
            print(f"{name}: {json.dumps(results[name], indent=2)}", flush=True)
    one, together_ = results["threads"]["images per second"].values()
    results["times one GPU"] = {"threads": together_ / one, "processes": results["processes"].get("sum", 0) / one}
    print(json.dumps(results["times one GPU"]))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
