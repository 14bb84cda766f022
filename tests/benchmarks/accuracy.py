"""Accuracy of 16-bit engines: trtnet's, the ONNX parser's and torch's own half precision, beside torch in float32.

    python tests/benchmarks/accuracy.py build FOLDER [--only REGEX] [--share 0/16] [--routes R] [--batch 8]
    python tests/benchmarks/accuracy.py check FOLDER [--only REGEX] [--share 0/1] [--limit 150] [--json FILE]
    python tests/benchmarks/accuracy.py table FILE...                                   # as Markdown

`build` is run many times side by side, each with a share. The families of zoo.py, float16 and bfloat16, static
shapes. Weights are random, batch norms calibrated: they have seen four batches of random inputs in training mode, with
running means over all of them. Errors: relative L2 from torch in float32, without TensorFloat-32. "native": trtnet's
float16 engine where no product is summed in float32 (accumulation=native). The gate: trtnet's error is at most 1.2
times the smaller one of the ONNX engine's and torch's; the exit code is 1 where a row fails. After --limit seconds no
further row is begun; these are listed, and count as failed. Milliseconds are medians of CUDA event times, engines as
CUDA graphs, in turns.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.zoo.engines import attempt
from helpers.zoo.families import FAMILIES, Family, family as made_family, first
from helpers.zoo.tables import number
from helpers.zoo.timing import by_name

import trtnet
from trtnet.builder import Plan
from trtnet.support import backend
from trtnet.tools.bench.other_tools.against import engine_call, in_turns, relative_l2
from trtnet.tools.bench.other_tools.onnx_route import exported, plan
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import summarize

DTYPES = ("float16", "bfloat16")
FORMS = {"trtnet": {}, "native": {"accumulation": "native"}}
"""Of the engines that are not the ONNX parser's."""
ROUTES = (*FORMS, "onnx")
BATCHES, WORST = 4, 1.2


def calibrated(name: str, batch: int) -> tuple[Family, list[torch.Tensor]]:
    """The model in float32, its batch norms calibrated, and inputs that it has not seen."""
    made = made_family(name)
    model = made.original
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.inference_mode():
        for seed in range(BATCHES if norms else 0):
            model(*made.inputs(batch, seed=7 + seed))
    model.eval()
    return made, list(made.inputs(batch, seed=7 + BATCHES))


def narrowed(inputs: Sequence[torch.Tensor], dtype: str) -> list[torch.Tensor]:
    """Floats in a dtype."""
    return [x.to(getattr(torch, dtype)) if x.is_floating_point() else x for x in inputs]


def tasks(only: str) -> Iterator[tuple[str, str]]:
    """(family, dtype), those of one family together."""
    return ((family, dtype) for family in FAMILIES for dtype in DTYPES if re.search(only, f"{family}:{dtype}"))


def file_of(folder: Path, family: str, dtype: str, route: str) -> Path:
    return folder / f"{family.replace(':', '_')}_{dtype}_{route}.engine"


def build(folder: Path, family: str, dtype: str, routes: Sequence[str], batch: int) -> dict[str, Any]:
    """The engines of a row, and the weights and images that `check` takes. Of bfloat16 there is no native one."""
    made, inputs = calibrated(family, batch)
    torch.save(
        {"state": made.original.state_dict(), "inputs": inputs}, folder / f"{family.replace(':', '_')}_{dtype}.pt"
    )
    given, found = narrowed(inputs, dtype), {}
    for route in (route for route in ROUTES if route in routes and (route != "native" or dtype == "float16")):
        file = file_of(folder, family, dtype, route)
        found[route] = attempt(lambda r=route, f=file: save(planned(made, given, dtype, r), f, given))  # type: ignore[misc]
    return found


def planned(made: Family, inputs: Sequence[torch.Tensor], dtype: str, route: str) -> Plan:
    """The engine of a route. The ONNX parser's is the last one: the module is in the dtype from there on."""
    if route != "onnx":
        return made.define(inputs, dtype, FORMS[route]).build().plan
    made.original.to(getattr(torch, dtype))
    return parsed(made, inputs)


def parsed(made: Family, inputs: Sequence[torch.Tensor]) -> Plan:
    """The ONNX parser's engine."""
    from trtnet.reference.onnx import parse

    found = parse(exported(made.original, inputs))
    names = (info.name for info in found.reference().inputs)
    return plan(found, {name: tuple(x.shape) for name, x in zip(names, inputs, strict=True)})


def save(built: Plan, file: Path, inputs: Sequence[torch.Tensor]) -> dict[str, Any]:
    built.save(file)
    if torch.cuda.is_available():
        with trtnet.load(file) as engine:
            engine(*(x.cuda() for x in inputs))
    return {}


def build_share(folder: Path, only: str, share: str, routes: Sequence[str], batch: int) -> None:
    part, parts = (int(n) for n in share.split("/"))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for which, (family, dtype) in enumerate(tasks(only)):
        if which % parts == part:
            began = time.monotonic()
            facts = attempt(lambda f=family, d=dtype: build(folder, f, d, routes, batch))
            print(family, dtype, facts, f"{time.monotonic() - began:.0f} s", flush=True)


@torch.inference_mode()
def row(folder: Path, family: str, dtype: str) -> dict[str, Any]:
    """The errors and milliseconds of one family in one dtype."""
    model = made_family(family).original
    held = torch.load(folder / f"{family.replace(':', '_')}_{dtype}.pt", weights_only=True)
    model.load_state_dict(held["state"])
    inputs = [x.cuda() for x in narrowed(held["inputs"], dtype)]
    expected = first(model.cuda()(*(x.float() if x.is_floating_point() else x for x in inputs)))
    half = model.to(getattr(torch, dtype))
    calls: dict[str, Any] = {"torch": lambda: first(half(*inputs))}
    files = {route: file_of(folder, family, dtype, route) for route in ROUTES}
    with ExitStack() as engines:
        for route in (route for route, file in files.items() if file.exists()):
            engine = engines.enter_context(trtnet.load(files[route]))
            calls[route] = engine_call(engine, by_name(engine, inputs))
        errors = {route: relative_l2(call().float(), expected) for route, call in calls.items()}
        times = in_turns(calls, 5, 20, torch_times)
    skipped = {route: "not built" for route in ("trtnet", "onnx") if route not in calls}
    return {"error": errors, "ms": {route: summarize(each).median for route, each in times.items()}, "skipped": skipped}


def check_all(folder: Path, only: str, share: str, limit: float, file: Path | None) -> list[dict[str, Any]]:
    print(f"{torch.cuda.get_device_name()}, {backend.name()} {backend.version()}, torch {torch.__version__}")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    part, parts = (int(n) for n in share.split("/"))
    began, results = time.monotonic(), []
    for which, (family, dtype) in enumerate(tasks(only)):
        if which % parts != part:
            continue
        late = time.monotonic() - began > limit
        found = {"skipped": "no time left"} if late else attempt(lambda f=family, d=dtype: row(folder, f, d))
        results.append({"family": family, "dtype": dtype} | found)
        print(json.dumps(results[-1]), flush=True)
        if file:
            file.write_text(json.dumps(results, indent=1) + "\n")
    return results


def ratio(each: dict[str, Any]) -> float | None:
    """trtnet's error by the smaller one of the others; None where one of them is unknown."""
    errors = each.get("error", {})
    others = [errors[name] for name in ("onnx", "torch") if name in errors]
    return errors["trtnet"] / min(others) if "trtnet" in errors and others else None


def table(results: list[dict[str, Any]]) -> bool:
    """The rows as Markdown, and whether all pass."""
    columns = (*ROUTES, "torch")
    print(f"| model | dtype | {' | '.join(columns)} | of the better | ms: {' | '.join(columns)} | |")
    print(f"| --- | --- | {'--- | ' * (2 * len(columns) + 2)}")
    passes = True
    for each in results:
        found, errors = ratio(each), each.get("error", {})
        verdict = "" if found is not None and found <= WORST else "**fails**"
        passes &= not verdict
        numbers = " | ".join(number(errors.get(name), 1) for name in columns)
        times = " | ".join(f"{each['ms'][name]:.3f}" if name in each.get("ms", {}) else "" for name in columns)
        why = each["skipped"] if isinstance(each["skipped"], str) else ", ".join(map(" ".join, each["skipped"].items()))
        beside = "" if found is None else f"{found:.2f}"
        print(f"| {each['family']} | {each['dtype']} | {numbers} | {beside} | {times} | {verdict} {why} |")
    return passes and bool(results)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("command", choices=("build", "check", "table"))
    options.add_argument("places", type=Path, nargs="+")
    options.add_argument("--only", default="", help="regular expression of family:dtype")
    options.add_argument("--routes", default=",".join(ROUTES))
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--share", default="0/1")
    options.add_argument("--limit", type=float, default=150.0)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    if given.command == "build":
        build_share(given.places[0], given.only, given.share, given.routes.split(","), given.batch)
        return
    if given.command == "check":
        results = check_all(given.places[0], given.only, given.share, given.limit, given.json)
    else:
        results = [each for file in given.places for each in json.loads(file.read_text())]
    sys.exit(0 if table(results) else 1)


if __name__ == "__main__":
    main()
