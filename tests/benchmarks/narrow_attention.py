"""Attention's products, and caches of keys and values, in 8 bits beside float16: time and error of each.

    python tests/benchmarks/narrow_attention.py [--json FILE]        on a GPU
    python tests/benchmarks/narrow_attention.py --check              without one: errors on the reference, and builds

Attention of ViT-B/16 at batch 32 and of a prompt of 2,048 tokens; one token of 8 sequences over caches of 4,096 tokens.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import benchmarks
from helpers.comparing import relative_l2
from helpers.definition.quantized_networks import LARGEST, Attention

import trtnet
from trtnet import nn, ops
from trtnet.builder import BuildConfig
from trtnet.reference.step import to_numpy
from trtnet.tools.bench.other_tools.against import in_turns
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import summarize

SHAPES = {"ViT-B/16, batch 32": (32, 12, 197, 64), "prompt of 2,048": (1, 32, 2048, 128)}
CACHE = (8, 8, 4096, 128)
Arrays = dict[str, torch.Tensor]


class Step(nn.Module):
    """One token: both caches are written, and attended to."""

    def forward(
        self,
        q: trtnet.Tensor,
        k: trtnet.Tensor,
        v: trtnet.Tensor,
        held: trtnet.Tensor,
        key: trtnet.Tensor,
        value: trtnet.Tensor,
    ) -> dict[str, trtnet.Tensor]:
        key, value = ops.kv_cache_update(key, k, held), ops.kv_cache_update(value, v, held)
        seen = ops.arange(key.shape[2], network=key.network) <= held.to("int64").reshape(-1, 1, 1, 1)
        return {"y": ops.scaled_dot_product_attention(q, key, value, seen), "new_key": key, "new_value": value}


def random(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).half()


def attention(shape: tuple[int, ...], kind: str, form: str) -> Any:
    said = None
    if kind in LARGEST:
        top = LARGEST[kind]
        scales = {"query_scale": 5 / shape[-1] ** 0.5 / top, "key_scale": 5 / top, "value_scale": 5 / top}
        said = {"": {"scheme": f"{kind}_attention", **scales, "probability_scale": 0.5 / top}}
    inputs = {name: trtnet.Input(shape, "float16") for name in "qkv"}
    return trtnet.define(Attention(), inputs, dtype="float16", quantization=said, forms={"attention": form})


def step(cache: tuple[int, ...], kind: str) -> Any:
    one = trtnet.Input((*cache[:2], 1, cache[3]), "float16")
    caches = {name: trtnet.Input(cache, "float16") for name in ("key", "value")}
    held = {"held": trtnet.Input((cache[0],), "int32")}
    said = (
        {name: {"scheme": f"{kind}_cache", "scale": 5 / LARGEST[kind]} for name in caches} if kind in LARGEST else None
    )
    return trtnet.define(Step(), dict.fromkeys("qkv", one) | held | caches, dtype="float16", quantization=said)


def variants() -> list[tuple[str, str]]:
    return [("float16", "fused"), ("int8", "products"), ("fp8", "products"), ("fp8", "fused")]


def inputs_of(network: Any, shape: tuple[int, ...]) -> Arrays:
    made: Arrays = {}
    for seed, info in enumerate(network.reference().inputs):
        if info.name == "held":
            made[info.name] = torch.full((shape[0],), shape[2] - 2, dtype=torch.int32)
        else:
            made[info.name] = random(tuple(info.shape), seed).to(getattr(torch, info.dtype))
    return made


def on_reference(network: Any, arrays: Arrays) -> np.ndarray[Any, Any]:
    result = network.reference()(**{name: to_numpy(x) for name, x in arrays.items()})
    return np.asarray(result["y"] if isinstance(result, tuple) else result, np.float32)


def check() -> None:
    """Errors of a small attention on the reference, and what is built ahead of time for Ada."""
    shape, config = (2, 4, 48, 64), BuildConfig(compute_capabilities=("8.9",))
    floats = None
    for kind, form in variants():
        network = attention(shape, kind, form)
        found = on_reference(network, inputs_of(network, shape))
        floats = found if floats is None else floats
        size, off = len(network.build(None, config).plan.data), relative_l2(found, floats)
        print(f"attention {kind} {form}: off by {off:.4f}, {size} bytes")
    for kind in ("float16", *LARGEST):
        print(f"caches {kind}: {len(step((2, 4, 64, 64), kind).build(None, config).plan.data)} bytes")


def timed(networks: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    calls: dict[str, Callable[[], Any]] = {}
    for name, network in networks.items():
        engine, arrays = network.build(), {key: x.cuda() for key, x in inputs_of(network, shape).items()}
        calls[name] = lambda engine=engine, arrays=arrays: engine(**arrays)
    times = in_turns(calls, 7, 20, torch_times)
    found = {name: {"ms": summarize(each).median} for name, each in times.items()}
    for name, row in found.items():
        print(f"  {name}: {row['ms']:.4f} ms")
    return found


def measure(_: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for title, shape in SHAPES.items():
        print(title)
        found[title] = timed({f"{kind} {form}": attention(shape, kind, form) for kind, form in variants()}, shape)
    print("one token of 8 sequences over 4,096")
    found["step"] = timed({kind: step(CACHE, kind) for kind in ("float16", *LARGEST)}, CACHE)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks.run(options, check, measure)


if __name__ == "__main__":
    main()
