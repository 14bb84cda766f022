"""Random networks of a few layers through engines, beside the reference and torch: a search for wrong kernels.

    python tests/gpu/random_networks.py --seconds 240 --jobs 12 [--seed 0] [--dtypes float32,float16]
    python tests/gpu/random_networks.py --check --seconds 60     # builds, and the reference beside torch: without a GPU

Each process takes a network after another; one that ends, as kernels may make it, is noted, and another begins behind
it. What differs is made small by leaving layers out as long as it does. An engine differs that is more than four times
as far from torch in float32 as the reference is, and more than 1e-3 (float16 2e-2, bfloat16 1e-1). Ends with 1 if any
does.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from helpers.comparing import relative_l2
from helpers.definition.random_networks import Case, drawn, expected

import trtnet
from trtnet.support.errors import TrtnetError

WITHIN = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}


def named(found: Any) -> dict[str, torch.Tensor]:
    both = {"y": found} if isinstance(found, torch.Tensor) else {name: found[name] for name in ("y", "middle")}
    return {name: y.float().cpu() for name, y in both.items()}


def outcome(case: Case, on_gpu: bool) -> tuple[str, str]:
    """(what became of it, more of that)."""
    try:
        network = case.network()
    except RuntimeError:
        return "not a network", ""
    wanted = expected(case, network)
    if wanted is None:
        return "not finite, or tells nothing", ""
    defined = trtnet.define(network, {"x": trtnet.Input(("batch", *case.image))}, dtype=case.dtype)
    x = case.inputs().to(getattr(torch, case.dtype))
    usual = named(defined.reference()(x))
    try:
        engine, found = defined.build({"batch": 2 if case.fixed else (1, 2, 4)}), usual
        if on_gpu:
            with engine:
                found = named(engine(x.cuda()))
    except TrtnetError as error:
        return "refused", str(error)
    for name, y in wanted.items():
        near, far = relative_l2(usual[name], y), relative_l2(found[name], y)
        if not far <= max(WITHIN[case.dtype], 4 * near):
            return "different", f"{name}: {far:.3g}, the reference {near:.3g}"
    return "right", ""


def smallest(case: Case, what: str, on_gpu: bool) -> Case:
    """With as few layers as show the same."""
    index = 0
    while index < len(case.steps):
        less = case.without(index)
        if less.steps and outcome(less, on_gpu)[0] == what:
            case = less
        else:
            index += 1
    return case


def work(seeds: range, options: argparse.Namespace) -> None:
    """A process: a line of JSON before each seed, and one after it."""
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    for seed in seeds:
        case = drawn(seed, options.dtypes.split(","))
        print(json.dumps({"begun": seed}), flush=True)
        what, more = outcome(case, not options.check)
        small = smallest(case, what, not options.check) if what in ("different", "refused") else case
        text = f"{small.image} {small.dtype} {'fixed' if small.fixed else 'dynamic'}{' tapped' if small.tapped else ''}"
        layers = small.network().described() if what in ("different", "refused") else ""
        print(json.dumps({"seed": seed, "what": what, "more": more, "layers": f"{text}\n{layers}"}), flush=True)


class Worker:
    """A process that works on every `step`-th seed from `first` on; a new one where it ends."""

    def __init__(self, first: int, step: int, arguments: list[str]) -> None:
        self.next, self.step, self.arguments, self.begun = first, step, arguments, first
        self.words = ""
        self.start()

    def start(self) -> None:
        command = [sys.executable, __file__, *self.arguments, "--work", f"{self.next}:{self.next + 10**6}:{self.step}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def news(self) -> list[dict[str, Any]]:
        assert self.process.stdout is not None
        found = []
        for line in self.process.stdout:
            if line.startswith("{"):
                found.append(json.loads(line))
                self.begun = found[-1].get("begun", self.begun)
            else:
                self.words = line.strip()
        if self.process.poll() is not None:
            more = f"exit code {self.process.returncode}: {self.words}"
            found.append({"seed": self.begun, "what": "the process ended", "more": more, "layers": ""})
            self.next = self.begun + self.step
            self.start()
        return [each for each in found if "seed" in each]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtypes", default="float32,float16")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(range(*map(int, options.work.split(":"))), options)
        return 0
    passed_on = ["--dtypes", options.dtypes, *(["--check"] if options.check else [])]
    workers = [Worker(options.seed + i, options.jobs, passed_on) for i in range(options.jobs)]
    count: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        for each in (each for worker in workers for each in worker.news()):
            count[each["what"]] += 1
            if each["what"] in ("different", "refused", "the process ended"):
                print(f"seed {each['seed']}: {each['what']}, {each['more'][:600]}\n  {each['layers']}", flush=True)
        time.sleep(0.2)
    for worker in workers:
        worker.process.kill()
    print(", ".join(f"{n} {what}" for what, n in count.most_common()))
    return 1 if count["different"] or count["the process ended"] else 0


if __name__ == "__main__":
    sys.exit(main())
