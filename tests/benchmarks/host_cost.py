"""What a call costs beside the GPU's work: Python, copies from and to numpy, and the first inference of a process.

    python tests/benchmarks/host_cost.py [--json FILE]

ResNet-50, float16, random weights. Microseconds are medians; a session's call and the bare launch or execution take
turns, once with the GPU idle before each and once back to back. The loop that numpy is measured against keeps its
buffers and its context, and copies pageable memory by cudaMemcpyAsync. First inferences are those of new processes,
from the load of the plan to the result; the interpreter's and CUDA's start and imports come before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import trtnet
from trtnet.runtime import Engine
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support import backend

Call = Callable[[], Any]


def engine_of(batch: int) -> Engine:
    from benchmarks.latency import ours, torch_model

    return ours("resnet50", batch, torch_model("resnet50"))[0]


def in_turns(calls: dict[str, Call], rounds: int, in_a_row: int) -> dict[str, float]:
    """Median microseconds of a call; the GPU is idle when its turn begins."""
    import torch

    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            torch.cuda.synchronize()
            for _ in range(in_a_row):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    torch.cuda.synchronize()
    return {name: 1e6 * statistics.median(found) for name, found in times.items()}


def of_sessions() -> dict[str, dict[str, float]]:
    import torch

    engine = engine_of(1)
    image = torch.randn(1, 3, 224, 224, device="cuda", dtype=torch.float16)
    out = torch.empty(1, 1000, dtype=torch.float16, device="cuda")
    graph, plain = engine.session(), engine.session(cuda_graph=False)
    for _ in range(3):
        graph(image, out=out)
        plain(image, out=out)
    assert graph.no_cuda_graph == ""
    (bare,) = graph._launcher.graphs._graphs.values()
    stream = graph._order.stream(torch.cuda.current_stream().cuda_stream)
    context, own = plain._context._trt, plain._order.own.handle
    calls: dict[str, Call] = {
        "graph launch": lambda: bare.launch(stream),
        "session, graph": lambda: graph(image, out=out),
        "session, graph, new results": lambda: graph(image),
        "execute_async_v3": lambda: context.execute_async_v3(own),
        "session, no graph": lambda: plain(image, out=out),
    }
    return {"alone": in_turns(calls, 1000, 1), "in a row": in_turns(calls, 50, 20)}


class PageableLoop:
    """What a straightforward program on cuda-python does for each call."""

    def __init__(self, engine: Engine, given: np.ndarray, result: np.ndarray) -> None:
        from cuda.bindings import runtime

        self.cuda, self.given, self.result = runtime, given, result
        self.context = engine.open().engine.create_execution_context()
        self.stream = self.checked(runtime.cudaStreamCreate())
        self.memory = [self.checked(runtime.cudaMalloc(x.nbytes)) for x in (given, result)]
        for info, array, address in zip((*engine.inputs, *engine.outputs), (given, result), self.memory, strict=True):
            if info in engine.inputs:
                self.context.set_input_shape(info.name, array.shape)
            self.context.set_tensor_address(info.name, address)

    def checked(self, results: tuple[Any, ...]) -> Any:
        assert int(results[0]) == 0, results[0]
        return results[1] if len(results) > 1 else None

    def __call__(self) -> np.ndarray:
        kinds = self.cuda.cudaMemcpyKind
        (source, target), stream = self.memory, self.stream
        given, result = self.given, self.result
        copy = self.cuda.cudaMemcpyAsync
        self.checked(copy(source, given.ctypes.data, given.nbytes, kinds.cudaMemcpyHostToDevice, stream))
        assert self.context.execute_async_v3(int(stream))
        self.checked(copy(result.ctypes.data, target, result.nbytes, kinds.cudaMemcpyDeviceToHost, stream))
        self.checked(self.cuda.cudaStreamSynchronize(stream))
        return result


def of_numpy(batch: int) -> dict[str, float]:
    engine = engine_of(batch)
    image = np.random.default_rng(0).standard_normal((batch, 3, 224, 224)).astype(np.float16)
    result = np.empty((batch, 1000), np.float16)
    session, loop = engine.session(), PageableLoop(engine, image, result)
    for _ in range(3):
        np.testing.assert_allclose(session(image).astype(np.float32), loop().astype(np.float32), rtol=2e-2, atol=2e-2)
    calls = {"cuda-python, pageable": loop, "session": lambda: session(image)}
    return in_turns({**calls, "session, out=": lambda: session(image, out=result)}, 200, 1)


def first_inference(path: str) -> None:
    """In a new process: prints seconds of CUDA's start, of loading, of the first call and of the second."""
    image = np.zeros((1, 3, 224, 224), np.float16)
    begin = time.perf_counter()
    CudaDevice()
    start = time.perf_counter()
    session = trtnet.load(path).session()
    loaded = time.perf_counter()
    session(image)
    first = time.perf_counter()
    session(image)
    print(json.dumps([start - begin, loaded - start, first - loaded, time.perf_counter() - first]))


def of_first_inferences() -> dict[str, list[float]]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "resnet50.engine")
        engine_of(1).save(path)
        for name in ("without the cache", "with it", "with it again"):
            command = [sys.executable, __file__, "--first", path]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[name] = json.loads(done.stdout.splitlines()[-1])
        found["cache, MB"] = [sum(file.stat().st_size for file in Path(folder).glob("*.cache")) / 1e6]
    return found


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--first", metavar="ENGINE")
    options.add_argument("--json")
    chosen = options.parse_args()
    if chosen.first:
        first_inference(chosen.first)
        return
    import torch

    print(f"{torch.cuda.get_device_name()}, {backend.name()} {backend.version()}, torch {torch.__version__}")
    results: dict[str, Any] = {}
    with torch.inference_mode():
        results["microseconds of Python"] = of_sessions()
        results["microseconds from numpy to numpy"] = {f"batch {n}": of_numpy(n) for n in (1, 32)}
    results["seconds: start of CUDA, load, first call, second"] = of_first_inferences()
    for title, found in results.items():
        print(title)
        for name, value in found.items():
            print(f"  {name}: {json.dumps(value)}", flush=True)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
