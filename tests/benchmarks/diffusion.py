"""Stable Diffusion 1.5 on a GPU: a call of the denoiser, or of the decoder, by trtnet, torch eager and torch.compile.

    python tests/benchmarks/diffusion.py [--case unet:2:64]... [--routes eager,compile,onnx,trtnet] [--plans FOLDER]
    python tests/benchmarks/diffusion.py --check        # the same on the CPU, of two small blocks, nothing timed

A case is unet or vae, the batch, and the height and width of the latents; guidance doubles a batch. float16, random
weights of the published sizes, static shapes, inputs and results in place on the GPU. torch's routes are the modules in
tests/helpers/diffusion.py, which equal diffusers', in channels_last; max-autotune for torch.compile, or --mode. CUDA
graphs for engines; rounds alternate; medians of CUDA event times. Errors are the relative L2 from torch in float32.
--plans keeps the plans that are built, which takes minutes each; build them alone with --routes "" on any machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import PEAK_BYTES, PEAK_FLOPS, medians
from helpers import originals
from helpers.benchmarks import run
from helpers.comparing import relative_l2
from helpers.diffusion import FORMS, SD15, SD15_VAE, SMALL_VAE, AutoencoderKL, UNet, randomized

import trtnet
from trtnet import models
from trtnet.graph.layers.work import count
from trtnet.runtime import Engine
from trtnet.tools.bench.other_tools.against import engine_call
from trtnet.tools.bench.other_tools.onnx_route import onnx_engine
from trtnet.weights import rules

WORDS, WIDTH = 77, 768
ROUTES = "eager,compile,trtnet"


def original(kind: str, sizes: dict[str, Any], device: str) -> torch.nn.Module:
    """With random weights, made where they are used."""
    with torch.device(device):
        made = UNet(**sizes) if kind == "unet" else AutoencoderKL(**sizes)
    return randomized(made, generator=torch.Generator(device).manual_seed(0))


def inputs_of(kind: str, batch: int, size: int, width: int = WIDTH) -> dict[str, torch.Tensor]:
    """By the names of ours, float32 and int64, on the CPU."""
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(batch, 4, size, size, generator=generator)
    if kind == "vae":
        return {"latents": latents}
    text = torch.randn(batch, WORDS, width, generator=generator)
    return {"sample": latents, "timestep": torch.full((batch,), 981), "encoder_hidden_states": text}


def network_of(
    kind: str, sizes: dict[str, Any], model: torch.nn.Module, given: dict[str, torch.Tensor], dtype: str
) -> Any:
    """Of these shapes. The decoder's factor of the latents is 1, as in the modules of torch."""
    ours = models.stable_diffusion_unet(**sizes) if kind == "unet" else models.vae_decoder(**sizes, scaling_factor=1.0)
    declared = {
        name: trtnet.Input(tuple(x.shape), None if x.is_floating_point() else "int64") for name, x in given.items()
    }
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    return trtnet.define(ours, declared, state if kind == "unet" else rules("vae_decoder").apply(state), dtype=dtype)


def planned(file: Path | None, network: Callable[[], Any]) -> tuple[Engine, dict[str, float]]:
    """The engine, and how many seconds defining and building took: none of a file that is there."""
    if file and file.exists():
        return trtnet.load(file), {}
    began = time.perf_counter()
    defined = network()
    took = {"define s": time.perf_counter() - began, "layers": defined.trt.num_layers}
    work = count(defined.trt)
    took["floor"] = 1e3 * max(work.flops / PEAK_FLOPS, work.minimum_bytes / PEAK_BYTES)
    engine = defined.build()
    took["build s"] = time.perf_counter() - began - took["define s"]
    took["plan MB"] = len(engine.plan.data) / 1e6
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        engine.save(file)
    return engine, took


def case(text: str, chosen: Sequence[str], plans: Path | None, mode: str) -> dict[str, Any]:
    kind, batch, size = text.split(":")
    sizes, given = SD15 if kind == "unet" else SD15_VAE, inputs_of(kind, int(batch), int(size))
    has_gpu = torch.cuda.is_available()
    model = original(kind, sizes, "cuda" if has_gpu else "cpu")
    expected = model(*(x.cuda() for x in given.values())).float() if has_gpu else None
    half, floats = model.half(), {name: x.half() if x.is_floating_point() else x for name, x in given.items()}
    file = plans / f"{text.replace(':', '_')}.engine" if plans else None
    engine, found = planned(file, lambda: network_of(kind, sizes, half, given, "float16"))
    if not has_gpu or not chosen:
        return {"case": text, **found}
    held = {name: x.cuda() for name, x in floats.items()}
    calls: dict[str, Callable[[], Any]] = {}
    if "trtnet" in chosen:
        began = time.perf_counter()
        calls["trtnet"] = engine_call(engine, held)
        found["first calls s"] = time.perf_counter() - began
    if "onnx" in chosen:
        other = onnx_engine(half.cpu(), list(floats.values()))
        calls["onnx"] = engine_call(other, dict(zip((x.name for x in other.inputs), held.values(), strict=True)))
    half = half.cuda().to(memory_format=torch.channels_last)
    if "eager" in chosen:
        calls["eager"] = lambda: half(*held.values())
    if "compile" in chosen:
        compiled, began = torch.compile(half, mode=None if mode == "default" else mode), time.perf_counter()
        for _ in range(3):  # the first one compiles, the second one records CUDA graphs
            compiled(*held.values())
        torch.cuda.synchronize()
        found["compile s"] = time.perf_counter() - began
        calls["compile"] = lambda: compiled(*held.values())
    errors = {f"error of {name}": relative_l2(call().float(), expected) for name, call in calls.items()}
    return {"case": text, **found, **errors, **medians(calls, rounds=5, calls=20)}


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, printed."""
    results = {}
    for text in chosen.case or ["unet:2:64", "vae:1:64"]:
        results[text] = case(text, [each for each in chosen.routes.split(",") if each], chosen.plans, chosen.mode)
        print({key: round(v, 4) if isinstance(v, float) else v for key, v in results[text].items()}, flush=True)
    return results


def check() -> None:
    """Networks, engines and modules of small sizes on the CPU: ours gives torch's result, and the plan is kept."""
    for kind, sizes in (("unet", FORMS["like 1.5"]), ("vae", SMALL_VAE)):
        model, given = original(kind, sizes, "cpu"), inputs_of(kind, 2, 8, 12)
        network = network_of(kind, sizes, model, given, "float32")
        error = relative_l2(network.reference()(*given.values()), model(*given.values()))
        _, took = planned(None, lambda k=kind, s=sizes, m=model, g=given: network_of(k, s, m.half(), g, "float16"))  # type: ignore[misc]
        print(kind, f"relative L2 {error:.1e}", {key: round(value, 3) for key, value in took.items()})
        assert error <= 1e-5 and took["plan MB"] > 0


def main() -> None:
    originals.import_torchvision()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--case", action="append")
    options.add_argument("--routes", default=ROUTES)
    options.add_argument("--plans", type=Path)
    options.add_argument("--mode", default="max-autotune", choices=("max-autotune", "default"))
    run(options, check, measured)


if __name__ == "__main__":
    main()
