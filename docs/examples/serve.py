"""Builds an engine and answers concurrent requests in batches: `python serve.py`.

Without a GPU the engine is built all the same (with TensorRT-RTX), and the CPU reference answers. It prints:

    lenet.engine: ... KiB
    20 answers from ...
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

import trtnet
from trtnet.models import lenet


async def answer(engine: trtnet.Engine, images: list[np.ndarray]) -> list[np.ndarray]:
    """A result for each image. The batcher runs requests of the same 2 milliseconds together."""
    async with engine.batcher(max_batch=8, max_delay=0.002) as batcher:
        return await asyncio.gather(*(batcher(image) for image in images))


def main() -> None:
    network = trtnet.define(lenet(), weights="trtnet:lenet.safetensors", dtype="float16")
    network.build(dims={"batch": (1, 8, 8)}).save("lenet.engine")
    print(f"lenet.engine: {Path('lenet.engine').stat().st_size >> 10} KiB")
    rng = np.random.default_rng(0)
    images = [rng.random((1, 28, 28)).astype(np.float16) for _ in range(20)]
    expected = network.reference()(np.stack(images))
    try:
        with trtnet.load("lenet.engine") as engine:
            results, where = asyncio.run(answer(engine, images)), "the GPU"
    except trtnet.DeviceError:
        results, where = list(expected), "the CPU reference"
    trtnet.compare(
        lambda image: np.stack(results), lambda image: expected, {"image": np.stack(images)}
    ).raise_if_failed()
    print(f"{len(results)} answers from {where}")


if __name__ == "__main__":
    main()
