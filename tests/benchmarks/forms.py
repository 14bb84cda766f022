"""Which forms of operations are the fastest here: what ``trtnet.ops.formulations.MEASURED`` says.

    python tests/benchmarks/forms.py [--case vit_b_16:32]... [--json FILE]

Every combination of the forms that a model has, float16, random weights, as CUDA graphs in one process, in turns;
medians of CUDA event times. Decoding is measured by ``tests/benchmarks/decode.py --forms``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import called, medians, torch_model

import trtnet
from trtnet import models
from trtnet.ops.formulations import FORMS
from trtnet.support import backend

KINDS = {"vit_b_16": ("attention", "gelu", "patches")}


def combinations(name: str) -> list[dict[str, str]]:
    kinds = KINDS[name]
    return [dict(zip(kinds, chosen, strict=True)) for chosen in itertools.product(*(FORMS[kind] for kind in kinds))]


@torch.inference_mode()
def case(name: str, batch: int) -> dict[str, float]:
    state = torch_model(name).state_dict()
    image = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.float16)
    inputs = {"image": trtnet.Input((batch, 3, 224, 224))}
    routes = {}
    for forms in combinations(name):
        network = trtnet.define(getattr(models, name)(), inputs, state, dtype="float16", forms=forms)
        routes[" ".join(forms.values())] = called(network.build(), image)
    return medians(routes)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--case", action="append")
    options.add_argument("--json")
    chosen = options.parse_args()
    print(f"{torch.cuda.get_device_name()}, {backend.name()} {backend.version()}, torch {torch.__version__}")
    results = {}
    for text in chosen.case or ["vit_b_16:1", "vit_b_16:32"]:
        name, _, batch = text.partition(":")
        results[text] = case(name, int(batch))
        for forms, milliseconds in sorted(results[text].items(), key=lambda item: item[1]):
            print(f"{text:>12} {milliseconds:7.3f} ms  {forms}", flush=True)
        if chosen.json:
            Path(chosen.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
