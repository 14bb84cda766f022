"""Every form of every kind of operation on a GPU: time and error, in typical networks.

    python tests/benchmarks/forms.py FOLDER [--only REGEX] [--jobs 16] [--limit 150] [--json FILE]
    python tests/benchmarks/forms.py FOLDER --build     # builds alone, which needs no GPU

float16, static shapes, random weights. Engines are built and their kernels compiled in parallel processes, then timed
as CUDA graphs in one process, the forms of a network in turns; medians of CUDA event times, the spread between the
10th and the 90th percentile in percent. Errors: relative L2 from torch in float32, without TensorFloat-32. After
--limit seconds no further network is begun; those that are left out are listed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.benchmarks import begin, save
from helpers.ops.form_networks import Row, rows

import trtnet
from trtnet.ops.formulations import APPROXIMATIONS, FORMS
from trtnet.tools.bench.other_tools.against import engine_call, in_turns, relative_l2
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import percentile, summarize


def forms_of(kind: str) -> tuple[str, ...]:
    return (*FORMS[kind], *APPROXIMATIONS.get(kind, ()))


def label(row: Row) -> str:
    return f"{row.kind} {row.name} {'x'.join(map(str, row.shapes[0]))}"


def file_of(folder: Path, row: Row, form: str) -> Path:
    return folder / f"{re.sub(r'[^a-zA-Z0-9]+', '_', label(row))}_{form}.engine"


def build(folder: Path, which: int, form: str) -> str:
    """One engine, with its kernels compiled where there is a GPU; "" or why there is none."""
    torch.set_num_threads(1)
    row = list(rows())[which]
    inputs = row.inputs()
    declared = {name: trtnet.Input(tuple(x.shape)) for name, x in inputs.items()}
    try:
        network = trtnet.define(
            row.model(), declared, dtype="float16", forms={row.kind: form}, approximations=form not in FORMS[row.kind]
        )
        save(network.build(), file_of(folder, row, form), inputs)
    except trtnet.TrtnetError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
    return ""


def build_all(folder: Path, chosen: list[int], jobs: int) -> dict[tuple[int, str], str]:
    """Why engines are missing, by row and form."""
    folder.mkdir(parents=True, exist_ok=True)
    every = list(rows())
    tasks = [(which, form) for which in chosen for form in forms_of(every[which].kind)]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        futures = {task: pool.submit(build, folder, *task) for task in tasks}
        return {task: future.result() for task, future in futures.items()}


@torch.inference_mode()
def timed(folder: Path, row: Row, missing: dict[str, str], rounds: int = 7, calls: int = 20) -> list[dict[str, Any]]:
    """Times and errors of the forms of one network."""
    inputs = {name: x.cuda() for name, x in row.inputs().items()}
    expected = row.model().cuda()(*(x.float() for x in inputs.values()))
    engines = {form: trtnet.load(file_of(folder, row, form)) for form, why in missing.items() if not why}
    calls_of = {form: engine_call(engine, inputs) for form, engine in engines.items()}
    errors = {form: relative_l2(call().float().reshape(expected.shape), expected) for form, call in calls_of.items()}
    times = in_turns(calls_of, rounds, calls, torch_times)
    for engine in engines.values():
        engine.close()
    found = []
    for form, why in missing.items():
        result = {"kind": row.kind, "network": row.name, "shape": row.shapes[0], "form": form, "skipped": why}
        if not why:
            ordered = sorted(times[form])
            median = summarize(ordered).median
            spread = 100 * (percentile(ordered, 90) - percentile(ordered, 10)) / median
            result |= {"ms": median, "spread": spread, "error": errors[form]}
        found.append(result)
    return found


def table(results: list[dict[str, Any]]) -> str:
    """As Markdown; times beside the neutral form's, which is the first of each network."""
    lines = ["| kind | network | shape | form | us | of neutral | spread | error |", "| --- " * 8 + "|"]
    neutral = 0.0
    for each in results:
        neutral = each.get("ms", 0.0) if each["form"] == FORMS[each["kind"]][0] else neutral
        head = f"| {each['kind']} | {each['network']} | {'x'.join(map(str, each['shape']))} | {each['form']} |"
        if each["skipped"]:
            lines.append(f"{head} {each['skipped']} | | | |")
            continue
        ratio = f"{each['ms'] / neutral:.3f}" if neutral else ""
        lines.append(f"{head} {1e3 * each['ms']:.1f} | {ratio} | {each['spread']:.0f} % | {each['error']:.1e} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--only", default="", help="regular expression of 'kind network shape'")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--limit", type=float, default=150.0)
    options.add_argument("--json", type=Path)
    options.add_argument("--build", action="store_true")
    given = options.parse_args()
    began = time.monotonic()
    every = list(rows())
    chosen = [which for which, row in enumerate(every) if re.search(given.only, label(row))]
    missing = build_all(given.folder, chosen, given.jobs)
    print(f"built {len(missing)} engines in {time.monotonic() - began:.0f} s", flush=True)
    if given.build:
        print("\n".join(f"{label(every[which])} {form}: {why}" for (which, form), why in missing.items() if why))
        return
    begin()
    results: list[dict[str, Any]] = []
    for which in chosen:
        if time.monotonic() - began > given.limit:
            print(f"left out after {given.limit:.0f} s: {label(every[which])}", flush=True)
            continue
        results += timed(
            given.folder, every[which], {form: why for (row, form), why in missing.items() if row == which}
        )
        if given.json:
            given.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
