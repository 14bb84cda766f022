"""The same model by other tools on the same GPU, in the same process, in turns with trtnet's engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtnet.runtime import Engine
from trtnet.support.call_interface import by_name
from trtnet.support.errors import TrtnetError
from trtnet.tools.bench.other_tools.onnx_route import onnx_engine
from trtnet.tools.bench.other_tools.routes import ROUTES
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import Summary, summarize

Call = Callable[[], Any]
"""Runs a model once, its inputs and outputs in place on the GPU, and returns its first output."""
Timer = Callable[[Call, int], list[float]]
"""Milliseconds of so many calls."""

TRTNET = "trtnet"
NAMES = {
    "torch": "torch, eager",
    "compile": "torch.compile, max-autotune",
    "onnx": "ONNX parser's engine, CUDA graph",
    TRTNET: "trtnet, CUDA graph",
}


@dataclass(frozen=True)
class Rival:
    """One way to run the model.

    times: milliseconds between CUDA events around a call. difference: relative L2 of the first output from eager
    torch's in the same dtype.
    """

    route: str
    times: Summary
    difference: float

    @property
    def name(self) -> str:
        return NAMES[self.route]


def compare(
    engine: Engine, model: Any, tensors: Mapping[str, Any], chosen: Sequence[str], rounds: int = 10, count: int = 30
) -> tuple[Rival, ...]:
    """Times of the chosen routes and of the engine, in rounds of so many calls of each.

    model: a torch module on the CPU in the engine's dtype, called with the tensors in order. tensors: the engine's
    inputs by name, on the GPU. Raises what exporting and building raise.
    """
    import torch

    with torch.inference_mode():
        ready: dict[str, Call] = {TRTNET: engine_call(engine, tensors)}
        given = list(tensors.values())
        if "onnx" in chosen:
            built = onnx_engine(model, [tensor.cpu() for tensor in given])
            ready["onnx"] = engine_call(built, dict(zip((one.name for one in built.inputs), given, strict=True)))
        model.cuda()
        eager = torch_call(model, given)
        if "torch" in chosen:
            ready["torch"] = eager
        if "compile" in chosen:
            ready["compile"] = torch_call(torch.compile(model, mode="max-autotune"), given)
        expected = eager().float()
        differences = {route: relative_l2(call().float(), expected) for route, call in ready.items()}
        times = in_turns(ready, rounds, count, torch_times)
    return tuple(Rival(route, summarize(times[route]), differences[route]) for route in sorted(ready, key=_order))


def engine_call(engine: Engine, tensors: Mapping[str, Any]) -> Call:
    """Calls of one session, into the same outputs, so that they are CUDA graphs.

    Raises TrtnetError if there is no graph: its time would not be the engine's.
    """
    session = engine.session()
    outputs = by_name(session(**tensors), engine.outputs)
    first = next(iter(outputs.values()))
    for _ in range(3):
        session(**tensors, out=outputs)
    if session.no_cuda_graph:
        raise TrtnetError(f"the engine's calls do not run as CUDA graphs: {session.no_cuda_graph}")

    def call() -> Any:
        session(**tensors, out=outputs)
        return first

    return call


def torch_call(model: Any, tensors: Sequence[Any]) -> Call:
    """Calls of a torch module, after one that compiles what is to compile."""
    first_tensor(model(*tensors))
    return lambda: first_tensor(model(*tensors))


def first_tensor(result: Any) -> Any:
    """The first output of a torch module: of a tensor, a sequence, or a mapping (transformers' outputs are one)."""
    while not hasattr(result, "dtype"):
        result = next(iter(result.values())) if isinstance(result, Mapping) else result[0]
    return result


def in_turns(calls: Mapping[str, Call], rounds: int, count: int, timer: Timer) -> dict[str, list[float]]:
    """Times by name. Each round times every one of them, so that what changes on the GPU meanwhile changes all."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name] += timer(call, count)
    return times


def relative_l2(found: Any, expected: Any) -> float:
    """||found - expected|| / ||expected||, of torch tensors; infinite where they have other shapes."""
    if found.shape != expected.shape:
        return float("inf")
    return float((found.double() - expected.double()).norm() / expected.double().norm().clamp_min(1e-30))


def _order(route: str) -> int:
    return (*ROUTES, TRTNET).index(route)
