"""ResNet-50 from numpy images: the pipeline's throughput against what the GPU alone and what PCIe allow.

    python tests/benchmarks/pipeline.py [--batch 32] [--depth 3] [--seconds 5] [--dtype float16] [--json FILE]

The engine takes uint8 [batch, 3, 224, 224], casts and normalizes them; random weights, a static batch, one process.
GPU: its CUDA graph launched back to back, nothing copied. PCIe: the images' way from page-locked memory, nothing
computed. Session: calls one after another. Pipelines: from whole batches, and from single images that are gathered;
both read 2 GB of different images, so that no cache holds them, and every result of a first pass is compared with the
session's. The limit is the lower one of GPU and PCIe.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals

import trtnet
from trtnet import models, nn
from trtnet.runtime import Engine
from trtnet.runtime.serving.shared_context import Stages
from trtnet.runtime.serving.slot import Slot
from trtnet.support import backend

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 224


class FromBytes(nn.Module):
    """image [batch, 3, height, width], uint8, channels RGB -> logits [batch, 1000]."""

    def __init__(self, dtype: str) -> None:
        self.resnet = models.resnet50()
        self.dtype = dtype

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        scale = np.array([1 / (255 * one) for one in STD], np.float32).reshape(1, 3, 1, 1)
        shift = np.array([-mean / one for mean, one in zip(MEAN, STD, strict=True)], np.float32).reshape(1, 3, 1, 1)
        x = image.to("float32") * scale + shift
        return self.resnet(x.to(self.dtype))


def build(batch: int, dtype: str, side: int = SIDE) -> trtnet.DefinedNetwork:
    inputs = {"image": trtnet.Input((batch, 3, side, side), "uint8")}
    return trtnet.define(FromBytes(dtype), inputs, weights_of(), dtype=dtype)


def weights_of() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    original = originals.randomize(originals.import_torchvision().models.resnet50().eval())
    return {f"resnet.{key}": value for key, value in original.state_dict().items()}


def batches_of(count: int, batch: int, side: int = SIDE) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (batch, 3, side, side), np.uint8) for _ in range(count)]


def on_the_gpu(engine: Engine, image: np.ndarray, repeats: int = 300, rounds: int = 5) -> tuple[float, float]:
    """Images a second that the GPU computes, and that arrive over PCIe; medians of rounds."""
    opened = engine.open()
    stages = Stages(opened)
    slot, device = Slot(stages), opened.device

    def rate(step: Callable[[], None], stream: Any) -> float:
        start = device.record(stream)
        for _ in range(repeats):
            step()
        return 1e3 * repeats * len(image) / device.elapsed(start, device.record(stream))

    slot.fill({"image": image})
    slot.upload()
    for _ in range(10):
        slot.compute()
    assert slot.no_cuda_graph == "", slot.no_cuda_graph
    computed = statistics.median(rate(slot.compute, stages.compute) for _ in range(rounds))
    return computed, statistics.median(rate(slot.upload, stages.upload) for _ in range(rounds))


def throughput(results: Iterator[Any], seconds: float, warm_up: int, images: int) -> float:
    """Images a second of an endless pipeline. images: those in a result."""
    for _ in range(warm_up):
        next(results)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(results)
        count += images
    return count / (time.perf_counter() - start)


def compare(engine: Engine, batches: list[np.ndarray], depth: int) -> None:
    """Every result of one pass against a session's."""
    session = engine.session()
    expected = [session(image) for image in batches]
    singles = engine.pipeline(itertools.chain.from_iterable(batches), depth, batch=len(batches[0]))
    for whole, want in zip(engine.pipeline(batches, depth), expected, strict=True):
        for found in (whole, np.stack(list(itertools.islice(singles, len(want))))):
            error = np.linalg.norm(found.astype(np.float32) - want) / np.linalg.norm(want.astype(np.float32))
            assert error < 1e-3, f"relative L2 {error}"


def called(engine: Engine, batches: Iterable[np.ndarray]) -> Iterator[Any]:
    session = engine.session()
    return (session(image) for image in batches)


def measure(engine: Engine, batches: list[np.ndarray], depth: int, seconds: float) -> dict[str, float]:
    """Images a second."""
    size = len(batches[0])
    computed, arrived = on_the_gpu(engine, batches[0])
    images = itertools.chain.from_iterable(itertools.cycle(batches))
    singles = engine.pipeline(images, depth, batch=size)
    return {
        "GPU": computed,
        "PCIe": arrived,
        "session": throughput(called(engine, itertools.cycle(batches)), seconds, 20, size),
        "pipeline": throughput(engine.pipeline(itertools.cycle(batches), depth), seconds, 20, size),
        "pipeline of samples": throughput(singles, seconds, 20 * size, 1),
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--depth", type=int, default=3)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--dtype", default="float16")
    options.add_argument("--json")
    chosen = options.parse_args()
    engine = build(chosen.batch, chosen.dtype).build()
    name = engine.open().device.name
    print(f"{name}, {backend.name()} {backend.version()}, ResNet-50 {chosen.dtype}, batch {chosen.batch}", flush=True)
    batches = batches_of((2 << 30) // (chosen.batch * 3 * SIDE * SIDE), chosen.batch)
    compare(engine, batches[:50], chosen.depth)
    found = measure(engine, batches, chosen.depth, chosen.seconds)
    limit = min(found["GPU"], found["PCIe"])
    for kind, rate in found.items():
        print(f"{kind:20} {rate:10,.0f} images/s  {1e3 * chosen.batch / rate:7.3f} ms a batch  {rate / limit:6.1%}")
    if chosen.json:
        settings = {"gpu": name, "batch": chosen.batch, "depth": chosen.depth, "dtype": chosen.dtype}
        Path(chosen.json).write_text(json.dumps({**settings, "images_per_second": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
