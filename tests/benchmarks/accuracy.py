"""Accuracy of 16-bit engines: trtnet's, the ONNX parser's and torch's own half precision, beside torch in float32.

    python tests/benchmarks/accuracy.py build FOLDER [--only REGEX] [--share 0/16]      # many side by side
    python tests/benchmarks/accuracy.py check FOLDER [--only REGEX] [--share 0/1] [--limit 150] [--json FILE]
    python tests/benchmarks/accuracy.py table FILE...                                   # as Markdown

The families of zoo.py, float16 and bfloat16, batch 8, static shapes. Weights are random, batch norms calibrated: they
have seen four batches of random inputs in training mode, with running means over all of them. Errors: relative L2 from
torch in float32, without TensorFloat-32. The gate: trtnet's is at most 1.2 times the smaller one of the ONNX engine's
and torch's; the exit code is 1 where a row fails. After --limit seconds no further row is begun; these are listed, and
count as failed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.zoo.engines import attempt
from helpers.zoo.families import FAMILIES, Family, family as made_family, first
from helpers.zoo.tables import number

import trtnet
from trtnet.support import backend
from trtnet.tools.bench.other_tools.against import relative_l2
from trtnet.tools.bench.other_tools.onnx_route import exported, plan

DTYPES = ("float16", "bfloat16")
ROUTES = ("trtnet", "onnx")
BATCH, BATCHES, WORST = 8, 4, 1.2


def calibrated(name: str) -> tuple[Family, list[torch.Tensor]]:
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
            model(*made.inputs(BATCH, seed=7 + seed))
    model.eval()
    return made, list(made.inputs(BATCH, seed=7 + BATCHES))


def narrowed(inputs: Sequence[torch.Tensor], dtype: str) -> list[torch.Tensor]:
    """Floats in a dtype."""
    return [x.to(getattr(torch, dtype)) if x.is_floating_point() else x for x in inputs]


def tasks(only: str) -> Iterator[tuple[str, str]]:
    """(family, dtype), those of one family together."""
    return ((family, dtype) for family in FAMILIES if re.search(only, family) for dtype in DTYPES)


def file_of(folder: Path, family: str, dtype: str, route: str) -> Path:
    return folder / f"{family.replace(':', '_')}_{dtype}_{route}.engine"


def build(folder: Path, family: str, dtype: str) -> dict[str, Any]:
    """Both engines of a row, and the weights and images that `check` takes."""
    made, inputs = calibrated(family)
    torch.save(
        {"state": made.original.state_dict(), "inputs": inputs}, folder / f"{family.replace(':', '_')}_{dtype}.pt"
    )
    given = narrowed(inputs, dtype)
    ours = attempt(partial(save, folder, family, dtype, "trtnet", made, given))
    made.original.to(getattr(torch, dtype))
    theirs = attempt(partial(save, folder, family, dtype, "onnx", made, given))
    return {"trtnet": ours, "onnx": theirs}


def save(
    folder: Path, family: str, dtype: str, route: str, made: Family, inputs: Sequence[torch.Tensor]
) -> dict[str, Any]:
    if route == "trtnet":
        built = made.define(inputs, dtype).build().plan
    else:
        from trtnet.reference.onnx import parse

        parsed = parse(exported(made.original, inputs))
        names = (info.name for info in parsed.reference().inputs)
        built = plan(parsed, {name: tuple(x.shape) for name, x in zip(names, inputs, strict=True)})
    built.save(file_of(folder, family, dtype, route))
    if torch.cuda.is_available():
        engine = trtnet.load(file_of(folder, family, dtype, route))
        engine(*(x.cuda() for x in inputs))
        engine.close()
    return {}


def build_share(folder: Path, only: str, share: str) -> None:
    part, parts = (int(n) for n in share.split("/"))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for which, (family, dtype) in enumerate(tasks(only)):
        if which % parts == part:
            began = time.monotonic()
            facts = attempt(lambda f=family, d=dtype: build(folder, f, d))
            print(family, dtype, facts, f"{time.monotonic() - began:.0f} s", flush=True)


@torch.inference_mode()
def row(folder: Path, family: str, dtype: str) -> dict[str, Any]:
    """The errors of one family in one dtype."""
    model = made_family(family).original
    held = torch.load(folder / f"{family.replace(':', '_')}_{dtype}.pt", weights_only=True)
    model.load_state_dict(held["state"])
    inputs = [x.cuda() for x in narrowed(held["inputs"], dtype)]
    expected = first(model.cuda()(*(x.float() if x.is_floating_point() else x for x in inputs)))
    half = model.to(getattr(torch, dtype))
    errors, skipped = {"torch": relative_l2(first(half(*inputs)).float(), expected)}, {}
    for route in ROUTES:
        file = file_of(folder, family, dtype, route)
        if not file.exists():
            skipped[route] = "not built"
            continue
        engine = trtnet.load(file)
        errors[route] = relative_l2(first(engine(*inputs)).float(), expected)
        engine.close()
    return {"error": errors, "skipped": skipped}


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
    print("| model | dtype | trtnet | ONNX parser's engine | torch | of the better | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    passes = True
    for each in results:
        found, errors = ratio(each), each.get("error", {})
        verdict = "" if found is not None and found <= WORST else "**fails**"
        passes &= not verdict
        numbers = " | ".join(number(errors.get(name), 1) for name in ("trtnet", "onnx", "torch"))
        why = each["skipped"] if isinstance(each["skipped"], str) else ", ".join(map(" ".join, each["skipped"].items()))
        beside = "" if found is None else f"{found:.2f}"
        print(f"| {each['family']} | {each['dtype']} | {numbers} | {beside} | {verdict} {why} |")
    return passes and bool(results)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("command", choices=("build", "check", "table"))
    options.add_argument("places", type=Path, nargs="+")
    options.add_argument("--only", default="")
    options.add_argument("--share", default="0/1")
    options.add_argument("--limit", type=float, default=150.0)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    if given.command == "build":
        build_share(given.places[0], given.only, given.share)
        return
    if given.command == "check":
        results = check_all(given.places[0], given.only, given.share, given.limit, given.json)
    else:
        results = [each for file in given.places for each in json.loads(file.read_text())]
    sys.exit(0 if table(results) else 1)


if __name__ == "__main__":
    main()
