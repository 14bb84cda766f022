"""Definition and build of ResNet-50: trtnet against torch.onnx.export, the ONNX parser and the same build.

    python tests/benchmarks/build_time.py [--rounds 5] [--dtype float16] [--json FILE]

One process, rounds alternate; medians and their ratio. Both routes start from the same PyTorch weights in memory and
end with a serialized plan of the same backend with the same profile.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals

import trtnet
from trtnet import models
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.diagnostics import logger

LOW, BEST, HIGH = 1, 8, 32


def ours(original: torch.nn.Module, dtype: str) -> dict[str, float]:
    """Seconds of trtnet's stages, and the plan's size."""
    start = time.perf_counter()
    network = trtnet.define(models.resnet50(), weights=original, dtype=dtype)
    defined = time.perf_counter()
    engine = network.build({"batch": (LOW, BEST, HIGH)})
    built = time.perf_counter()
    return {"define": defined - start, "build": built - defined, "total": built - start, "bytes": len(engine.plan.data)}


def onnx(original: torch.nn.Module, dtype: str) -> dict[str, float]:
    """Seconds of the ONNX route's stages, and the plan's size."""
    start = time.perf_counter()
    model = original.to(getattr(torch, dtype))
    example = torch.zeros(BEST, 3, 224, 224, dtype=getattr(torch, dtype))
    file = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model, (example,), dynamic_shapes=({0: torch.export.Dim("batch", max=64)},), dynamo=True
        )
    program.save(file)
    exported = time.perf_counter()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(file.getvalue()):
        raise SystemExit(f"the ONNX parser refused the model: {parser.get_error(0).desc()}")
    parsed = time.perf_counter()
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.clear_flag(trt.BuilderFlag.TF32)
    name = network.get_input(0).name
    profile.set_shape(name, *((batch, 3, 224, 224) for batch in (LOW, BEST, HIGH)))
    config.add_optimization_profile(profile)
    plan = bytes(builder.build_serialized_network(network, config))
    built = time.perf_counter()
    stages = {"export": exported - start, "parse": parsed - exported, "build": built - parsed}
    return stages | {"total": built - start, "bytes": len(plan)}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--dtype", default="float16")
    options.add_argument("--json")
    chosen = options.parse_args()
    routes = {"trtnet": ours, "ONNX": onnx}
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in routes}
    state = originals.randomize(originals.resnet("resnet50")).state_dict()
    for _ in range(chosen.rounds):
        for name, route in routes.items():
            original = originals.resnet("resnet50").eval()
            original.load_state_dict(state)
            measured[name].append(route(original, chosen.dtype))
    medians = {
        name: {stage: statistics.median(row[stage] for row in rows) for stage in rows[0]}
        for name, rows in measured.items()
    }
    ratio = medians["ONNX"]["total"] / medians["trtnet"]["total"]
    versions = f"{backend.name()} {backend.version()}, torch {torch.__version__}"
    print(f"ResNet-50 {chosen.dtype}, batch {LOW}:{BEST}:{HIGH}, {versions}")
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, median of {chosen.rounds} rounds")
    for name, stages in medians.items():
        seconds = ", ".join(f"{stage} {value:.2f} s" for stage, value in stages.items() if stage != "bytes")
        print(f"{name:7} {seconds}, plan {stages['bytes']:,.0f} bytes")
    print(f"trtnet is {ratio:.1f} times as fast")
    if chosen.json:
        Path(chosen.json).write_text(json.dumps({"medians": medians, "ratio": ratio}, indent=2) + "\n")


if __name__ == "__main__":
    main()
