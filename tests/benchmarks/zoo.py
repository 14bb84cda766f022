"""Published PyTorch modules on a GPU: trtnet's engines, the ONNX parser's engine and torch eager, accuracy and time.

    python tests/benchmarks/zoo.py build FOLDER [--only REGEX] [--share 0/16]    # many side by side
    python tests/benchmarks/zoo.py time FOLDER [--only REGEX] [--json FILE]      # one after another
    python tests/benchmarks/zoo.py table FILE                                    # as Markdown

float16, static shapes, batch 1 and 32, images of the published size, random weights with batch norms that have seen
data. Inputs and results stay on the GPU; engines run as CUDA graphs, in turns with eager torch in one process; medians
of CUDA event times. "neutral": the engine with neutral forms, where the measured ones are others. Errors: relative L2
from torch in float32. The floor is the larger of FLOP over 990 TFLOP/s and bytes over 4.8 TB/s (H200).
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals
from helpers.definition.published import flat, randomize

import trtnet
from trtnet.graph.layers.work import count
from trtnet.ops.formulations import FORMS
from trtnet.support import backend
from trtnet.tools.bench.gpus import GPUS
from trtnet.tools.bench.other_tools.against import engine_call, in_turns, relative_l2
from trtnet.tools.bench.other_tools.onnx_route import exported, plan
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import summarize

FAMILIES = (
    "torchvision:resnet50", "torchvision:vgg16", "torchvision:resnet18", "torchvision:googlenet",
    "torchvision:efficientnet_b0", "torchvision:vit_b_16", "torchvision:regnet_y_400mf", "torchvision:alexnet",
    "torchvision:resnext50_32x4d", "torchvision:squeezenet1_1", "torchvision:densenet121",
    "torchvision:shufflenet_v2_x1_0", "torchvision:mobilenet_v2", "torchvision:mobilenet_v3_large",
    "torchvision:mnasnet1_0", "torchvision:convnext_tiny", "torchvision:swin_t", "timm:mixer_s32_224",
    "timm:levit_128s", "timm:mobilevit_xxs", "timm:hrnet_w18_small", "timm:edgenext_xx_small", "timm:poolformer_s12",
    "timm:pvt_v2_b0", "timm:deit_tiny_patch16_224", "timm:repvgg_a0", "timm:efficientvit_b0", "timm:convmixer_768_32",
    "torchvision:inception_v3", "torchvision:efficientnet_v2_s",
)  # fmt: skip
BATCHES = (1, 32)
ROUTES = ("onnx", "trtnet", "neutral")
NEUTRAL = {kind: names[0] for kind, names in FORMS.items()}
PEAKS = GPUS["NVIDIA H200"]


def model_of(family: str) -> tuple[torch.nn.Module, tuple[int, ...]]:
    """The module with its random weights, always the same on one machine, and the size of its images."""
    library, _, name = family.partition(":")
    torch.manual_seed(0)
    if library == "timm":
        model = importlib.import_module("timm").create_model(name).eval()
        size = tuple(model.pretrained_cfg["input_size"])
    else:
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = getattr(originals.import_torchvision().models, name)(**options).eval()
        size = (3, 299, 299) if name == "inception_v3" else (3, 224, 224)
    randomize(model, {"x": torch.randn(4, *size, generator=torch.Generator().manual_seed(1))}, by_name=False)
    return model, size


def images(batch: int, size: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(batch, *size, generator=torch.Generator().manual_seed(2)).half()


def tasks(only: str) -> Iterator[tuple[str, int, str]]:
    return (
        (family, batch, route)
        for route in ROUTES
        for batch in BATCHES
        for family in FAMILIES
        if re.search(only, family)
    )


def file_of(folder: Path, family: str, batch: int, route: str) -> Path:
    return folder / f"{family.replace(':', '_')}_{batch}_{route}.engine"


def build(folder: Path, family: str, batch: int, route: str) -> dict[str, Any]:
    """Builds and saves one engine, and compiles its kernels where there is a GPU."""
    model, size = model_of(family)
    image = images(batch, size)
    began = time.perf_counter()
    if route == "onnx":
        from trtnet.reference.onnx import parse

        parsed = parse(exported(model.half(), [image]))
        facts = {"define": time.perf_counter() - began}
        built = plan(parsed, {info.name: tuple(image.shape) for info in parsed.reference().inputs})
    else:
        network = defined(model, image, route)
        if network is None:
            return {"skipped": "the measured forms are the neutral ones"}
        work = count(network.trt)
        floor = 1e3 * max(work.flops / PEAKS.flops["float16"], work.minimum_bytes / PEAKS.bandwidth)
        facts = {"define": time.perf_counter() - began, "floor": floor, "layers": network.trt.num_layers}
        built = network.build().plan
    facts["seconds"] = time.perf_counter() - began
    built.save(file_of(folder, family, batch, route))
    if torch.cuda.is_available():
        engine = trtnet.load(file_of(folder, family, batch, route))
        engine(image.cuda())
        engine.close()
    return facts


def defined(model: torch.nn.Module, image: torch.Tensor, route: str) -> Any:
    """The network; None for neutral forms where the others are the same."""
    inputs = {"x": trtnet.Input(tuple(image.shape))}
    network = trtnet.define(model, inputs, dtype="float16")
    if route == "trtnet":
        return network
    used = {kind: name for kinds in network.describe().forms.values() for kind, name in kinds.items()}
    if all(FORMS[kind][0] == name for kind, name in used.items()):
        return None
    return trtnet.define(model, inputs, dtype="float16", forms={kind: NEUTRAL[kind] for kind in used})


def build_share(folder: Path, only: str, share: str) -> None:
    part, parts = (int(n) for n in share.split("/"))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for which, (family, batch, route) in enumerate(tasks(only)):
        if which % parts == part:
            facts = attempt(lambda f=family, b=batch, r=route: build(folder, f, b, r))
            file_of(folder, family, batch, route).with_suffix(".facts.json").write_text(json.dumps(facts))
            print(family, batch, route, facts, flush=True)


def attempt(function: Any) -> dict[str, Any]:
    try:
        with torch.inference_mode():
            found: dict[str, Any] = function()
            return found
    except Exception as error:  # a row that fails is a row of the table
        return {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}


def row(folder: Path, family: str, batch: int, rounds: int = 5, calls: int = 20) -> dict[str, Any]:
    """Times and errors of one family at one batch."""
    model, size = model_of(family)
    image = images(batch, size).cuda()
    expected = first(model.cuda()(image.float()))
    half = model.half()
    facts = {route: facts_of(folder, family, batch, route) for route in ROUTES}
    calls_of = {"eager": lambda: first(half(image))}
    skipped = {route: facts[route]["skipped"] for route in ROUTES if "skipped" in facts[route]}
    for route in (route for route in ROUTES if route not in skipped):
        engine = trtnet.load(file_of(folder, family, batch, route))
        try:
            calls_of[route] = engine_call(engine, {engine.inputs[0].name: image})
        except Exception as error:
            skipped[route] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    errors = {route: relative_l2(call().float(), expected) for route, call in calls_of.items()}
    times = {route: summarize(each) for route, each in in_turns(calls_of, rounds, calls, torch_times).items()}
    return {
        "family": family, "batch": batch, "floor": facts["trtnet"].get("floor"), "skipped": skipped,
        "ms": {route: each.median for route, each in times.items()}, "error": errors,
        "define": {route: facts[route].get("define") for route in ROUTES},
    }  # fmt: skip


def facts_of(folder: Path, family: str, batch: int, route: str) -> dict[str, Any]:
    file = file_of(folder, family, batch, route).with_suffix(".facts.json")
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"skipped": "not built"}
    return found


def first(result: Any) -> torch.Tensor:
    found: torch.Tensor = flat(result)[0]
    return found


def time_all(folder: Path, only: str, file: Path | None) -> None:
    print(f"{torch.cuda.get_device_name()}, {backend.name()} {backend.version()}, torch {torch.__version__}")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows: list[dict[str, Any]] = []
    for family in (family for family in FAMILIES if re.search(only, family)):
        for batch in BATCHES:
            found = attempt(lambda f=family, b=batch: row(folder, f, b))
            rows.append({"family": family, "batch": batch} | found)
            print(json.dumps(rows[-1]), flush=True)
            if file:
                file.write_text(json.dumps(rows, indent=1) + "\n")
    table(rows)


def table(rows: list[dict[str, Any]]) -> None:
    """The rows as Markdown, with the geometric means of the times beside the ONNX parser's engine and eager torch."""
    print(
        "| model | batch | trtnet | neutral forms | ONNX parser's engine | torch eager | floor"
        " | error: trtnet, ONNX, eager |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for each in rows:
        if "ms" not in each:
            print(f"| {each['family']} | {each['batch']} | {each['skipped']} | | | | | |")
            continue
        times = [number(each["ms"].get(route)) for route in ("trtnet", "neutral", "onnx", "eager")]
        errors = ", ".join(number(each["error"].get(route), 1) for route in ("trtnet", "onnx", "eager"))
        print(f"| {each['family']} | {each['batch']} | {' | '.join(times)} | {number(each['floor'])} | {errors} |")
    for other in ("onnx", "eager"):
        ratios = [
            each["ms"]["trtnet"] / each["ms"][other] for each in rows if {"trtnet", other} <= set(each.get("ms", ()))
        ]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"trtnet beside {other}: geometric mean {mean:.3f}, worst {max(ratios):.3f}, of {len(ratios)} rows")


def number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}e}" if digits == 1 else f"{value:.{digits}f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("command", choices=("build", "time", "table"))
    options.add_argument("folder", type=Path)
    options.add_argument("--only", default="")
    options.add_argument("--share", default="0/1")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    if chosen.command == "build":
        build_share(chosen.folder, chosen.only, chosen.share)
    elif chosen.command == "time":
        time_all(chosen.folder, chosen.only, chosen.json)
    else:
        table(json.loads(chosen.folder.read_text()))


if __name__ == "__main__":
    main()
