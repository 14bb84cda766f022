"""ResNet-50 from uint8 images on one GPU: a Triton server and a Ray Serve deployment beside an engine's pipeline.

    python tests/benchmarks/serving.py triton ray [--batch 32] [--instances 1 2 3] [--clients 8] [--seconds 5]
    python tests/benchmarks/serving.py build --engine r50.engine        # where there is torch, for its weights
    python tests/benchmarks/serving.py triton --engine r50.engine       # where there is none

Whole batches of images travel: to Triton by gRPC from processes, in memory that they share with the server, to Ray
Serve by its handle, in Ray's shared memory, from tasks of several processes. Each first answer is compared with a
call in this process. Exits with 1 for a wrong one. --reference --side 32 tries it without a GPU. Needs nvidia-pytriton
(see tests/helpers/tools/triton_server.py) and tritonclient; ray[serve].
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from trtnet.tools.export.triton.models import served
from trtnet.tools.export.triton.repository import publish
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.function import Function
from trtnet.tools.targets.networks import Choices

HERE = Path(__file__).parent
WARM_UP = 4.0
"""Seconds before a measurement begins."""
TASKS = 4
"""Clients of Ray Serve in one process."""


@dataclass(frozen=True)
class Asked:
    """What is measured. target, choices: the engine's file, or the model on the reference."""

    target: str
    choices: Choices
    batch: int
    side: int
    clients: int
    seconds: float

    @property
    def images(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return [rng.integers(0, 256, (self.batch, 3, self.side, self.side), np.uint8) for _ in range(8)]

    def rate(self, count: int, seconds: float) -> float:
        """Images a second, of so many batches."""
        return count * self.batch / seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="+", choices=("build", "triton", "ray"))
    parser.add_argument("--engine", type=Path)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--instances", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--reference", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target, choices = model(folder, options)
        asked = Asked(target, choices, options.batch, options.side, options.clients, options.seconds)
        expected, pipeline = in_this_process(asked)
        show("engine.pipeline", pipeline, pipeline)
        for count in options.instances if "triton" in options.what else []:
            show(f"Triton, {count} instances", triton(asked, folder, count, expected), pipeline)
        for count in options.instances if "ray" in options.what else []:
            show(f"Ray Serve, {count} replicas", ray_serve(asked, count, expected), pipeline)


def show(what: str, rate: float, pipeline: float) -> None:
    print(f"{what:22} {rate:10,.0f} images/s  {rate / pipeline:6.1%} of the pipeline", flush=True)


def model(folder: Path, options: argparse.Namespace) -> tuple[str, Choices]:
    """The engine's file, which is made if there is none; or the model for the reference."""
    engine = options.engine or folder / "r50.engine"
    if engine.exists():
        return str(engine), Choices()
    from benchmarks.pipeline import build, weights_of
    from safetensors.numpy import save_file

    if not options.reference:
        build(options.batch, "float16", options.side).build().save(engine)
        return str(engine), Choices()
    save_file({key: np.asarray(value) for key, value in weights_of().items()}, folder / "r50.safetensors")
    shape = f"image={options.batch},3,{options.side},{options.side}:uint8"
    choices = Choices(str(folder / "r50.safetensors"), arguments=["dtype=float32"], inputs=[shape])
    return f"{HERE / 'pipeline.py'}:FromBytes", choices


def in_this_process(asked: Asked) -> tuple[np.ndarray, float]:
    """The answer to the first images, and the images a second of the pipeline (of calls, on the reference)."""
    called = Function(asked.target, asked.choices).open()
    expected = np.asarray(called(asked.images[0]))
    batches = itertools.cycle(asked.images)
    if not hasattr(called, "pipeline"):
        return expected, timed(asked, lambda: called(next(batches)))
    results = called.pipeline(batches, 3)
    rate = timed(asked, lambda: next(results))
    results.close()
    called.close()
    return expected, rate


def timed(asked: Asked, step: Callable[[], Any]) -> float:
    """Images a second of steps of a batch each, one after another."""
    for seconds in (WARM_UP, asked.seconds):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            step()
            count += 1
        rate = asked.rate(count, time.perf_counter() - began)
    return rate


def check(found: np.ndarray, expected: np.ndarray) -> None:
    distance = np.linalg.norm(found.astype(np.float32) - expected) / np.linalg.norm(expected.astype(np.float32))
    if not distance < 1e-3:
        raise SystemExit(f"a wrong answer: relative L2 {distance}")


# Triton
def triton(asked: Asked, folder: Path, instances: int, expected: np.ndarray) -> float:
    from helpers.tools.triton_server import Server

    at = folder / f"of{instances}"
    at.mkdir()
    serving = Serving(max_batch_size=0, instances=instances, warmup=True)
    publish(served(asked.target, asked.choices, python=True), at / "models", "r50", serving)
    context = multiprocessing.get_context("spawn")
    with Server(at / "models", at) as server, context.Pool(asked.clients) as pool:
        began = time.time() + 3  # when all clients have started
        made = [(asked, server.grpc, number, began + WARM_UP, expected) for number in range(asked.clients)]
        return asked.rate(sum(pool.starmap(triton_client, made)), asked.seconds)


def triton_client(asked: Asked, port: int, number: int, began: float, expected: np.ndarray) -> int:
    """How many batches one client had answered in the time of all. The arrays are in memory shared with the server."""
    import tritonclient.grpc as grpc
    from tritonclient.utils import InferenceServerException, np_to_triton_dtype, shared_memory

    client, image = grpc.InferenceServerClient(f"127.0.0.1:{port}"), asked.images[number % 8]
    names = {"image": image.nbytes, "output": expected.nbytes}
    regions = {}
    for name, size in names.items():
        regions[name] = shared_memory.create_shared_memory_region(
            f"{name}{number}", f"/r50_{port}_{name}{number}", size
        )
        client.register_system_shared_memory(f"{name}{number}", f"/r50_{port}_{name}{number}", size)
    given = grpc.InferInput("image", image.shape, np_to_triton_dtype(image.dtype))
    given.set_shared_memory(f"image{number}", image.nbytes)
    wanted = grpc.InferRequestedOutput("output")
    wanted.set_shared_memory(f"output{number}", expected.nbytes)

    def call() -> None:
        shared_memory.set_shared_memory_region(regions["image"], [image])
        client.infer("r50", [given], outputs=[wanted])

    try:
        call()
        if number == 0:
            found = shared_memory.get_contents_as_numpy(regions["output"], expected.dtype, expected.shape)
            check(found, expected)
        count = 0
        while (now := time.time()) < began + asked.seconds:
            call()
            count += now >= began
        return count
    except InferenceServerException as error:  # which cannot be sent to another process
        raise RuntimeError(str(error)) from None
    finally:
        for name in names:
            client.unregister_system_shared_memory(f"{name}{number}")
        for region in regions.values():
            shared_memory.destroy_shared_memory_region(region)


# Ray Serve
def ray_serve(asked: Asked, replicas: int, expected: np.ndarray) -> float:
    import ray
    from ray import serve

    function = Function(asked.target, asked.choices)
    gpus, environment = int(function.is_engine) / replicas, {"PYTHONPATH": ":".join(sys.path)}
    ray.init(
        num_cpus=16, num_gpus=int(function.is_engine), include_dashboard=False, log_to_driver=False,
        runtime_env={"env_vars": environment},
    )  # fmt: skip
    serve.start(proxy_location="Disabled")
    options = {"num_gpus": gpus}
    deployment = serve.deployment(num_replicas=replicas, max_ongoing_requests=64, ray_actor_options=options)(Deployed)
    handle = serve.run(deployment.bind(function))
    try:
        check(handle.remote(asked.images[0]).result(), expected)
        processes, began = max(1, asked.clients // TASKS), time.time() + 5  # when all clients have started
        client = ray.remote(num_cpus=0)(ray_client)
        return asked.rate(
            sum(ray.get([client.remote(asked, began + WARM_UP) for _ in range(processes)])), asked.seconds
        )
    finally:
        serve.shutdown()
        ray.shutdown()


class Deployed:
    """The engine in a replica of Ray Serve: calls run as the engine's options say, others wait."""

    def __init__(self, function: Function) -> None:
        self.called = function.open()

    async def __call__(self, image: np.ndarray) -> np.ndarray:
        if hasattr(self.called, "acall"):
            return np.asarray(await self.called.acall(image))
        return np.asarray(await asyncio.to_thread(self.called, image))


def ray_client(asked: Asked, began: float) -> int:
    """How many batches the tasks of one process had answered in the time of all, each with one request at a time."""
    from ray import serve

    handle, counts = serve.get_app_handle("default"), [0] * TASKS

    async def client(number: int) -> None:
        image = asked.images[number % 8]
        while (now := time.time()) < began + asked.seconds:
            await handle.remote(image)
            counts[number] += now >= began

    async def clients() -> None:
        await asyncio.gather(*map(client, range(TASKS)))

    asyncio.run(clients())
    return sum(counts)


if __name__ == "__main__":
    main()
