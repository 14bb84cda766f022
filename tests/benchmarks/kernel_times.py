"""The kernels that a model of the zoo runs on a GPU: those of trtnet's engine beside those of torch.compile.

    python tests/benchmarks/kernel_times.py torchvision:vit_b_16 32 [--form KIND=FORM]... [--calls 10] [--most 30]

float16, static shapes, torch.compile in its default mode. By torch's profiler, which names each kernel, those for
products and convolutions with their tiles, too: microseconds and launches of a call, the most expensive first. A kernel
that waits for another one of its engine is timed as long as it waits, so alone on the GPU is the way to read them.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from helpers.zoo.compiled import compiled
from helpers.zoo.engines import halves
from helpers.zoo.families import FAMILIES, family
from helpers.zoo.timing import by_name
from torch.profiler import ProfilerActivity, profile

from trtnet.tools.bench.other_tools.against import engine_call
from trtnet.tools.targets.forms_choice import forms_choice

Kernel = tuple[str, float, float]
"""Its name, the microseconds and the launches of a call."""


def per_call(events: Iterable[tuple[str, float]], calls: int) -> list[Kernel]:
    """events: a name and microseconds of each launch. The most expensive kernel is the first one."""
    times: dict[str, list[float]] = defaultdict(list)
    for name, microseconds in events:
        times[name].append(microseconds)
    found = [(name, sum(each) / calls, len(each) / calls) for name, each in times.items()]
    return sorted(found, key=lambda kernel: -kernel[1])


def kernels(call: Callable[[], object], calls: int) -> list[Kernel]:
    """Those of a call, which is warm."""
    call()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
    events = [event for event in found.events() if event.device_type.name == "CUDA"]
    return per_call(((event.name, event.device_time_total) for event in events), calls)


def show(route: str, found: list[Kernel], most: int) -> None:
    total, launches = sum(each[1] for each in found), sum(each[2] for each in found)
    print(f"{route}: {total:.1f} us in {launches:.0f} kernels")
    for name, microseconds, count in found[:most]:
        print(f"  {microseconds:8.1f} us  {count:5.1f} x {microseconds / count:7.1f}  {name[:150]}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("family", choices=FAMILIES, metavar="FAMILY")
    options.add_argument("batch", type=int)
    options.add_argument("--form", action="append", default=[], help="as the commands of trtnet take them")
    options.add_argument("--calls", type=int, default=10)
    options.add_argument("--most", type=int, default=30, help="so many kernels of each are shown")
    chosen = options.parse_args()
    if not torch.cuda.is_available():
        options.error("it needs a GPU")
    made = family(chosen.family)
    forms = forms_choice(chosen.form, approximations=False).forms
    inputs = halves(made.inputs(chosen.batch))
    given = [x.cuda() for x in inputs]
    with torch.inference_mode(), made.define(inputs, "float16", forms).build() as engine:
        ours = engine_call(engine, by_name(engine, given))
        show("trtnet", kernels(ours, chosen.calls), chosen.most)
        theirs = compiled(made.original.half().cuda(), "default", given)
        show("torch.compile", kernels(theirs, chosen.calls), chosen.most)


if __name__ == "__main__":
    main()
