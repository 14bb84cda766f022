"""torch.compile of a row: compiled in a process of its own, into inductor's cache on disk, which others read."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from helpers.zoo.engines import halves, stem, write_json
from helpers.zoo.families import Family, first

MODES = ("max-autotune", "default")
"""The first one makes CUDA graphs, the second one does not."""
WITHOUT_GRAPHS = {"max-autotune": "max-autotune-no-cudagraphs", "default": "default"}
"""The mode that makes the same kernels and no CUDA graphs."""


def use_cache(folder: Path, threads: int | None = None) -> None:
    """Inductor's and Triton's caches are in the folder. threads: of inductor's compiler, in this process."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder.resolve() / "inductor")
    os.environ["TRITON_CACHE_DIR"] = str(folder.resolve() / "triton")
    os.environ["TORCHINDUCTOR_FX_GRAPH_CACHE"] = "1"
    if threads:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = str(threads)


def state_file(folder: Path, name: str, batch: int) -> Path:
    return folder / f"{stem(name, batch)}.compiled.json"


def state(folder: Path, name: str, batch: int) -> dict[str, Any]:
    """The mode and the seconds of a row that was compiled; why it was not, as "skipped"."""
    file = state_file(folder, name, batch)
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"skipped": "not compiled"}
    return found


def compiled(model: torch.nn.Module, mode: str, inputs: Sequence[torch.Tensor]) -> Callable[[], torch.Tensor]:
    """Calls of a module that is compiled, or was. model, inputs: in float16 on the GPU."""
    function = torch.compile(model, mode=mode, dynamic=False)
    for _ in range(3):  # the first one compiles, the second one may record CUDA graphs
        function(*inputs)
    torch.cuda.synchronize()
    return lambda: first(function(*inputs))


def captured(call: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """The same calls as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()

    def replayed() -> torch.Tensor:
        graph.replay()
        return result

    return replayed


def compile_row(folder: Path, made: Family, batch: int, mode: str, why: str = "") -> None:
    """Compiles a row and says so in its file. why: of another mode than max-autotune."""
    benchmarks_take_turns(folder / f"gpu{os.environ.get('CUDA_VISIBLE_DEVICES', '')}.lock")
    began = time.perf_counter()
    model, inputs = made.original.half().cuda(), [x.cuda() for x in halves(made.inputs(batch))]
    with torch.inference_mode():
        compiled(model, mode, inputs)
        seconds = time.perf_counter() - began
        if WITHOUT_GRAPHS[mode] != mode:
            compiled(model, WITHOUT_GRAPHS[mode], inputs)  # whose kernels were tuned just now
    found = {"mode": mode, "seconds": seconds, "why": why}
    write_json(state_file(folder, made.name, batch), found)
    print(made.name, batch, found, flush=True)


def benchmarks_take_turns(lock: Path) -> None:
    """Processes that choose kernels by their times do so one after another: others on the GPU would change them."""
    from torch._inductor.runtime import benchmarking

    kind: Any = type(benchmarking.benchmarker)
    alone = kind.benchmark_gpu

    def benchmark_gpu(self: Any, *arguments: Any, **options: Any) -> Any:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return alone(self, *arguments, **options)

    kind.benchmark_gpu = benchmark_gpu
