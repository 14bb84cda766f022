"""Where attention's products in int8 differ between an engine and the reference: which rounding explains it.

    python tests/benchmarks/attention_rounding.py [--json FILE]        on a GPU
    python tests/benchmarks/attention_rounding.py --check              without one: what each rounding would make

Emulates in torch how codes are computed (divided by the scale, multiplied by its reciprocal in float16, and that
product rounded to float16) and how the sums of queries and keys become scores, and compares each emulation with the
engine. The networks differ in their scales (as calibrated, powers of two, with a reciprocal that is nearly exact in
float16) and in the dtype that is quantized (float16, float32).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import benchmarks
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.tools.bench.other_tools.against import in_turns
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import summarize

SHAPE = (4, 8, 197, 64)
LARGEST = {"query": 0.7, "key": 4.5, "probability": 0.3, "value": 4.5}
Scales = Mapping[str, float]
Arrays = dict[str, torch.Tensor]


def half(x: torch.Tensor | float) -> torch.Tensor:
    return torch.as_tensor(x).half().float()


# scales


def calibrated(largest: float) -> float:
    return largest / 127


def power_of_two(largest: float) -> float:
    return float(2.0 ** math.ceil(math.log2(largest / 127)))


def exact_reciprocal(largest: float, room: float = 1.03) -> float:
    """The float16 up to 3 % above the calibrated one whose reciprocal loses least in float16."""
    first = np.float16(largest / 127)
    tried = [float(first)]
    while tried[-1] < room * tried[0]:
        tried.append(float(np.nextafter(np.float16(tried[-1]), np.float16(np.inf))))
    return min(tried, key=lambda scale: abs(float(np.float16(1 / scale)) * scale - 1))


SCALES = {
    "as calibrated": dict.fromkeys(LARGEST, calibrated),
    "powers of two": dict.fromkeys(LARGEST, power_of_two),
    "powers of two for queries and keys": dict.fromkeys(LARGEST, calibrated)
    | dict.fromkeys(("query", "key"), power_of_two),
    "nearly exact reciprocals": dict.fromkeys(LARGEST, exact_reciprocal),
}
"""How the scale of each operand is chosen."""


# networks


class Products(nn.Module):
    """Attention whose operands are quantized from a dtype."""

    def __init__(self, scales: Scales, dtype: str) -> None:
        self.scales, self.dtype = scales, dtype
        self.inputs = {name: trtnet.Input(SHAPE, "float16") for name in "qkv"}

    def rounded(self, x: trtnet.Tensor, name: str) -> trtnet.Tensor:
        scale = self.scales[name]
        codes = ops.quantize(x.to(self.dtype), ops.as_tensor(np.array(scale, self.dtype)))
        return ops.dequantize(codes, ops.as_tensor(np.array(scale, np.float16)), dtype="float16")

    def forward(self, q: trtnet.Tensor, k: trtnet.Tensor, v: trtnet.Tensor) -> trtnet.Tensor:
        query = self.rounded(q * SHAPE[-1] ** -0.5, "query")
        scores = query @ self.rounded(k, "key").mT
        return self.rounded(ops.softmax(scores, -1), "probability") @ self.rounded(v, "value")


def networks() -> dict[str, tuple[Scales, str, Any]]:
    """(scales, the dtype that is quantized, the network) by a name."""
    found = {}
    for name, choose in SCALES.items():
        scales = {operand: choose[operand](largest) for operand, largest in LARGEST.items()}
        for dtype in ("float16", "float32"):
            found[f"{name}, from {dtype}"] = scales, dtype, trtnet.define(Products(scales, dtype), dtype="float16")
    return found


# emulations


Rounding = Callable[[torch.Tensor], torch.Tensor]


def divided(x: torch.Tensor, scale: torch.Tensor, to: Rounding) -> torch.Tensor:
    return x / scale


def times_reciprocal(x: torch.Tensor, scale: torch.Tensor, to: Rounding) -> torch.Tensor:
    return x * to(1 / scale)


def times_reciprocal_rounded(x: torch.Tensor, scale: torch.Tensor, to: Rounding) -> torch.Tensor:
    return to(x * to(1 / scale))


CODES = {
    "x / s": divided,
    "x * round(1 / s)": times_reciprocal,
    "round(x * round(1 / s))": times_reciprocal_rounded,
}
"""How codes are computed before they are integers; round: to the dtype that is quantized."""


def operands_in_half(a: torch.Tensor, b: torch.Tensor, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return half(half(a * s) @ half(b * t).mT)


def sums_times_scale(a: torch.Tensor, b: torch.Tensor, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return half((a @ b.mT) * (s * t))


def in_float32(a: torch.Tensor, b: torch.Tensor, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return (a @ b.mT) * (s * t)


SCORES = {
    "of dequantized operands": operands_in_half,
    "sums times scales": sums_times_scale,
    "in float32": in_float32,
}


def emulated(x: Arrays, scales: Scales, to: Rounding, of_inputs: str, of_probabilities: str, how: str) -> torch.Tensor:
    """[batch, heads, length, dim] as a kernel with these roundings computes it. to: rounds to what is quantized."""

    def codes(y: torch.Tensor, name: str, how: str) -> torch.Tensor:
        return CODES[how](y, to(torch.tensor(scales[name])), to).round().clamp(-128, 127)

    query, key, probability, value = (half(scales[name]) for name in LARGEST)
    q, k, v = (x[name].float() for name in "qkv")
    left, right = codes(half(q * SHAPE[-1] ** -0.5), "query", of_inputs), codes(k, "key", of_inputs)
    weights = torch.softmax(SCORES[how](left, right, query, key), -1)
    weights = codes(weights if how == "in float32" else half(weights), "probability", of_probabilities)
    return half(weights @ codes(v, "value", of_inputs) * (probability * value))


def emulations(x: Arrays, scales: Scales, dtype: str) -> dict[str, torch.Tensor]:
    """By how the codes of queries, keys and values are computed, those of probabilities, and the scores."""
    to = half if dtype == "float16" else torch.Tensor.float
    return {
        f"codes {a}; of probabilities {b}; scores {c}": emulated(x, scales, to, a, b, c)
        for c in SCORES for a in CODES for b in CODES
    }  # fmt: skip


def arrays() -> Arrays:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(SHAPE, generator=generator).half() for name in "qkv"}


def on_reference(network: Any, x: Arrays) -> torch.Tensor:
    result = network.reference()(**{name: each.numpy() for name, each in x.items()})
    return torch.from_numpy(np.asarray(result, np.float32))


def nearest(found: torch.Tensor, x: Arrays, scales: Scales, dtype: str) -> dict[str, float]:
    """The distance of each emulation, the nearest first."""
    off = {name: relative_l2(each, found) for name, each in emulations(x, scales, dtype).items()}
    return dict(sorted(off.items(), key=lambda pair: pair[1]))


def check() -> None:
    """How far emulations are from the reference, which divides, and rounds dequantized operands."""
    x = arrays()
    exact = torch.nn.functional.scaled_dot_product_attention(*(x[name].float() for name in "qkv"))
    for name, (scales, dtype, network) in networks().items():
        found = on_reference(network, x)
        print(f"{name}: the reference is off by {relative_l2(found, exact):.4f} from attention in float32")
        for how, off in nearest(found, x, scales, dtype).items():
            if how.endswith("sums times scales"):
                print(f"  {off:.2e}  {how}")


def measure(_: argparse.Namespace) -> dict[str, Any]:
    x, found, made = arrays(), dict[str, Any](), networks()
    device = {name: each.cuda() for name, each in x.items()}
    engines = {name: network.build() for name, (_, _, network) in made.items()}
    calls = {name: lambda engine=engine: engine(**device) for name, engine in engines.items()}
    times = in_turns(calls, 7, 20, torch_times)
    exact = torch.nn.functional.scaled_dot_product_attention(*(x[name].float() for name in "qkv"))
    for name, (scales, dtype, network) in made.items():
        result, wanted = engines[name](**device).float().cpu(), on_reference(network, x)
        row = found[name] = {
            "ms": summarize(times[name]).median, "from_reference": relative_l2(result, wanted),
            "from_float32": relative_l2(result, exact), "emulations": nearest(result, x, scales, dtype),
        }  # fmt: skip
        print(
            f"{name}: {row['ms']:.4f} ms; off by {row['from_reference']:.2e} from the reference,"
            f" {row['from_float32']:.2e} from attention in float32; the nearest emulations:"
        )
        for how, distance in [*row["emulations"].items()][:6]:
            print(f"  {distance:.2e}  {how}")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks.run(options, check, measure)


if __name__ == "__main__":
    main()
