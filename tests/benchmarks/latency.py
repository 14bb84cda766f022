"""Time of one inference on the GPU: trtnet's engine against the ONNX parser's, torch eager and torch.compile.

    python tests/benchmarks/latency.py [--case resnet50:1]... [--routes eager,compile,...] [--json FILE]

One process, float16, random weights, static shapes, inputs and results in place on the GPU; CUDA graphs for all
engines, max-autotune for torch.compile. The route "tensorrt" is Torch-TensorRT, and says why where it is not installed
or fails. Rounds alternate; medians of CUDA event times. The floor is the time that the GPU's peak products (990 TFLOP/s
dense float16, H200) or its memory (4.8 TB/s) need at least, whichever is longer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals
from helpers.benchmarks import reason
from helpers.torch_tensorrt_route import compiled

import trtnet
from trtnet import models
from trtnet.graph.layers.work import count
from trtnet.runtime import Engine
from trtnet.support import backend
from trtnet.tools.bench.gpus import GPUS
from trtnet.tools.bench.other_tools.against import engine_call, in_turns
from trtnet.tools.bench.other_tools.onnx_route import onnx_engine
from trtnet.tools.bench.peaks import torch_times

CASES = ["resnet50:1", "resnet50:8", "resnet50:32", "resnet50:128", "vit_b_16:1", "vit_b_16:32"]
PEAK_FLOPS, PEAK_BYTES = GPUS["NVIDIA H200"].flops["float16"], GPUS["NVIDIA H200"].bandwidth


def torch_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = getattr(originals.import_torchvision().models, name)().eval()
    if name.startswith("resnet"):
        return originals.randomize(model)
    torch.nn.init.normal_(model.heads.head.weight, std=0.02)  # torchvision's is zero
    return model


def ours(name: str, batch: int, model: torch.nn.Module) -> tuple[Engine, float]:
    """The engine, and its floor in milliseconds."""
    inputs = {"image": trtnet.Input((batch, 3, 224, 224))}
    network = trtnet.define(getattr(models, name)(), inputs, model.state_dict(), dtype="float16")
    work = count(network.trt)
    return network.build(), 1e3 * max(work.flops / PEAK_FLOPS, work.minimum_bytes / PEAK_BYTES)


def called(engine: Engine, image: torch.Tensor) -> Callable[[], Any]:
    return engine_call(engine, {engine.inputs[0].name: image})


def medians(routes: dict[str, Callable[[], Any]], rounds: int = 10, calls: int = 30) -> dict[str, float]:
    """Milliseconds between CUDA events around a call."""
    return {name: statistics.median(times) for name, times in in_turns(routes, rounds, calls, torch_times).items()}


def case(name: str, batch: int, chosen: list[str]) -> dict[str, Any]:
    with torch.inference_mode(False):  # Torch-TensorRT exports it
        model, gpu = torch_model(name), torch_model(name).half().cuda()
    image = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.float16)
    engine, floor = ours(name, batch, model)
    routes: dict[str, Callable[[], Any]] = {}
    if "onnx" in chosen:
        routes["onnx"] = called(onnx_engine(model.half().cpu(), [image.cpu()]), image)
    expected = gpu(image).float()
    if "trtnet" in chosen:
        routes["trtnet"] = called(engine, image)
    if "eager" in chosen:
        routes["eager"] = lambda: gpu(image)
    if "compile" in chosen:
        best = torch.compile(gpu, mode="max-autotune")
        routes["compile"] = lambda: best(image)
    if "tensorrt" in chosen:
        try:
            made = compiled(gpu, [image])
            made(image)
            routes["tensorrt"] = lambda: made(image)
        except Exception as error:  # another tool's: said, and the others are timed
            print(f"tensorrt: skipped, {reason(error)}", flush=True)
    for route in routes.values():
        found = route().float()
        error = float((found - expected).norm() / expected.norm())
        assert error < 2e-2, f"relative L2 {error}"
    return {"case": f"{name} batch {batch}", "floor": floor, **medians(routes)}


@torch.inference_mode()
def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--case", action="append")
    options.add_argument("--routes", default="eager,compile,tensorrt,onnx,trtnet")
    options.add_argument("--json")
    chosen = options.parse_args()
    print(f"{torch.cuda.get_device_name()}, {backend.name()} {backend.version()}, torch {torch.__version__}")
    results: list[dict[str, Any]] = []
    for text in chosen.case or CASES:
        name, _, batch = text.partition(":")
        results.append(case(name, int(batch), chosen.routes.split(",")))
        print({key: round(v, 3) if isinstance(v, float) else v for key, v in results[-1].items()}, flush=True)
        if chosen.json:
            Path(chosen.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
