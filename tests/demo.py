"""`make demo`: published weights, a TensorRT engine, a photograph, the right answer, and the proof beside PyTorch.

Writes demo.json: top5 and top5_torch (name and probability each), rel_l2, plan_bytes, seconds.
"""

from __future__ import annotations

import json
import os
import time
from importlib.util import find_spec
from pathlib import Path

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32

import numpy as np
import torch
from helpers import originals
from PIL import Image
from rich.console import Console
from rich.table import Table

import trtnet
from trtnet import models
from trtnet.support.errors import DependencyError, DeviceError
from trtnet.support.files import atomic_write
from trtnet.weights import efficientnet_lite0

console = Console()
DIMS = {"batch": (1, 1, 8)}


def photograph() -> tuple[str, np.ndarray]:
    """matplotlib's portrait of Grace Hopper: [1, 3, 224, 224] float32, (RGB - 127) / 128 as EfficientNet-Lite wants."""
    matplotlib = find_spec("matplotlib")
    if matplotlib is None or not matplotlib.submodule_search_locations:
        raise DependencyError("the photograph comes with matplotlib: pip install 'trtnet[viz]'")
    path = Path(matplotlib.submodule_search_locations[0]) / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    image = image.crop((0, 0, side, side)).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None]
    return path.name, (pixels - 127) / 128


def top5(logits: np.ndarray) -> list[dict[str, float | str]]:
    """The five likeliest classes with their probabilities."""
    probabilities = torch.softmax(torch.from_numpy(logits[0].astype(np.float32)), 0)
    values, indices = probabilities.topk(5)
    names = originals.imagenet_classes()
    return [{"name": names[i], "probability": float(p)} for p, i in zip(values, indices, strict=True)]


def pytorch(weights: Path, image: np.ndarray) -> np.ndarray:
    """The logits of the published PyTorch architecture."""
    from safetensors.torch import load_file

    model = originals.efficientnet_lite0()
    model.load_state_dict(load_file(weights))
    with torch.inference_mode():
        return model.eval()(torch.from_numpy(image)).numpy()


def run(network: trtnet.DefinedNetwork, engine: trtnet.Engine, image: np.ndarray) -> tuple[str, np.ndarray]:
    """(where it ran, logits): the engine on a GPU, the built network on the CPU reference otherwise."""
    inputs = image.astype(network.dtype.numpy)
    try:
        return "TensorRT engine on the GPU", engine(inputs)
    except DeviceError:
        return "built network on the CPU reference", network.reference()(inputs)


def show(title: str, ours: list[dict[str, float | str]], theirs: list[dict[str, float | str]], seen_by: str) -> None:
    table = Table(title=title)
    for column in (seen_by, "", "PyTorch float32", ""):
        table.add_column(column)
    for a, b in zip(ours, theirs, strict=True):
        table.add_row(str(a["name"]), f"{a['probability']:.4f}", str(b["name"]), f"{b['probability']:.4f}")
    console.print(table)


def main() -> None:
    start = time.perf_counter()
    weights = efficientnet_lite0.safetensors()
    name, image = photograph()
    expected = pytorch(weights, image)
    result: dict[str, object] = {"top5_torch": top5(expected)}
    for dtype in ("float16", "float32"):
        network = trtnet.define(models.efficientnet_lite0(), weights=weights, dtype=dtype)
        began = time.perf_counter()
        engine = network.build(DIMS)
        built = time.perf_counter() - began
        where, logits = run(network, engine, image)
        difference = np.abs(logits.astype(np.float32) - expected)
        rel_l2 = float(np.linalg.norm(logits.astype(np.float32) - expected) / np.linalg.norm(expected))
        show(f"{name}, EfficientNet-Lite0 {dtype}", top5(logits), top5(expected), where)
        plan_bytes = len(engine.plan.data)
        console.print(f"plan of {plan_bytes:,} bytes, {network.trt.num_layers} layers, built in {built:.2f} s")
        console.print(f"largest difference of a logit {difference.max():.2e}, relative L2 {rel_l2:.2e}\n")
        result |= {"top5": top5(logits), "rel_l2": rel_l2, "plan_bytes": plan_bytes}
    result["seconds"] = time.perf_counter() - start
    with atomic_write("demo.json") as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")
    console.print(f"demo.json written, {result['seconds']:.1f} s in all")


if __name__ == "__main__":
    main()
