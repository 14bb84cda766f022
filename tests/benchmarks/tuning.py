"""What ``trtnet tune`` finds by itself, from the neutral forms: published PyTorch modules, float16.

    python tests/benchmarks/tuning.py FOLDER [--case resnet50:32]... [--budget SECONDS] [--jobs N] [--resume]

The models are those of ``zoo.py``, ``resnet50:32`` or ``minilm:1``, and ``qwen2:1``, a decode step of Qwen2-0.5B; with
random weights. Writes MODEL_BATCH.tuning.json in the folder, for the tuned engines of ``zoo.py``. As a command:
``trtnet tune tests/benchmarks/tuning.py:resnet50 --declare x=batch,3,224,224 --dim batch=32 --dtype float16``.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from helpers.zoo.families import IMAGES, TOKENS, family

from trtnet.support.text.printing import PlainConsole
from trtnet.tools.targets.networks import Choices
from trtnet.tools.tune.processes.subject import Named
from trtnet.tools.tune.report import picture
from trtnet.tools.tune.tune import How, run

CASES = (
    "resnet50:32", "resnet50:128", "resnet18:32", "vgg16:32", "googlenet:32", "efficientnet_b0:32", "vit_b_16:32",
    "qwen2:1",
)  # fmt: skip
LENGTHS = TOKENS | {"qwen2": 1}
"""How many tokens the inputs of models of trtnet have."""


def _module(name: str) -> torch.nn.Module:
    return family(name).original


globals().update({name.partition(":")[2]: partial(_module, name) for name in IMAGES})
"""The factories that commands name."""


def case(folder: Path, text: str, options: argparse.Namespace) -> None:
    name, _, batch = text.partition(":")
    full = next((each for each in IMAGES if each.partition(":")[2] == name), "")
    file = folder / f"{name}_{batch}.tuning.json"
    began = time.perf_counter()
    if full:
        size = ",".join(map(str, family(full).shapes[0]))
        target = f"{Path(__file__).resolve()}:{name}"
        choices = Choices(None, "float16", [f"batch={batch}"], inputs=[f"x=batch,{size}"])
    else:
        lengths = [f"length={LENGTHS[name]}"] if name in LENGTHS else []
        target, choices = name, Choices(None, "float16", [f"batch={batch}", *lengths])
    how = How(
        options.budget, (0,), options.jobs, file, options.resume and file.exists(), progress=sys.stderr.isatty(),
    )  # fmt: skip
    found = run(Named(target, choices), name, {}, {}, how)
    PlainConsole(width=160).print(picture(found, file))
    print(f"{text}: {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--case", action="append")
    options.add_argument("--budget", type=float, default=170)
    options.add_argument("--jobs", type=int, default=0)
    options.add_argument("--resume", action="store_true")
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for text in chosen.case or CASES:
        case(chosen.folder, text, chosen)


if __name__ == "__main__":
    main()
