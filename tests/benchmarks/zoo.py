"""Published models on a GPU: trtnet's engines, the ONNX parser's engine, torch.compile and torch eager.

    python tests/benchmarks/zoo.py build FOLDER [--only REGEX] [--jobs 16] [--seconds 500]
    python tests/benchmarks/zoo.py compile FOLDER [--only REGEX] [--jobs 8] [--seconds 500] [--patience 300] [--mode M]
    python tests/benchmarks/zoo.py time FOLDER [--only REGEX] [--seconds 500]
    python tests/benchmarks/zoo.py profile FOLDER [--only REGEX] [--batch 32] [--routes trtnet,onnx] [--depth 2]
    python tests/benchmarks/zoo.py table FOLDER      # zoo.json as Markdown, with the geometric means

float16, static shapes, batch 1 and 32, random weights with batch norms that have seen data. A process a row; `build`
and `compile` run many side by side, `time` one after another on each GPU of the machine, `profile` one after another.
All of them go on where they ended: a row that FOLDER has is not done again.

Inputs and results stay on the GPU; engines run as CUDA graphs, in turns with the others in one process; medians of CUDA
event times. "neutral": the engine with neutral forms, where the measured ones are others. "tuned": with the forms of
FOLDER/MODEL_BATCH.tuning.json, which tuning.py writes. torch.compile: mode max-autotune, or the default one where that
takes more than --patience seconds, or by --mode for all; "graphed" is its kernels as one CUDA graph, without the mode's
own. Processes that compile side by side take turns when they time kernels. Errors: relative L2 from torch in float32.
The floor is the larger of FLOP over 990 TFLOP/s and bytes over 4.8 TB/s (H200). While a row is timed, the next ones are
made ready, so that calls without a CUDA graph, which wait for Python, take longer than alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from helpers.zoo import compiled
from helpers.zoo.engines import attempt, build_row, facts, routes, stem, write_json
from helpers.zoo.families import FAMILIES, family
from helpers.zoo.jobs import KILLED, Job, seeing, side_by_side
from helpers.zoo.tables import profile_table, table
from helpers.zoo.timing import profile_row, time_row

from trtnet.support import backend

BATCHES = (1, 32)
CORES = 2
"""For each process that makes a row ready while one before it is timed."""
GO = "go\n"


def rows(only: str) -> Iterator[tuple[str, int]]:
    """(family, batch), those of batch 32 first: they take longest."""
    return ((name, batch) for batch in reversed(BATCHES) for name in FAMILIES if re.search(only, f"{name}:{batch}"))


def job(options: argparse.Namespace, kind: str, name: str, batch: int, limit: float, *further: str) -> Job:
    """This program for one row."""
    row = ("--row", name, str(batch), "--jobs", str(options.jobs))
    command = (sys.executable, __file__, f"{kind}-row", str(options.folder), *row, *further)
    gpu = [*FAMILIES].index(name) % max(1, torch.cuda.device_count())
    return Job(command, options.folder / "logs" / f"{stem(name, batch)}.{kind}.log", limit, gpu)


def build(options: argparse.Namespace) -> None:
    def is_built(name: str, batch: int) -> bool:
        known = [facts(options.folder, name, batch, route) for route in routes(options.folder, name, batch)]
        return all(each.get("skipped") != "not built" for each in known)

    jobs = [job(options, "build", *row, 400.0) for row in rows(options.only) if not is_built(*row)]
    report("built", jobs, side_by_side(jobs, options.jobs, options.seconds, partial(told, time.monotonic())))


def told(began: float, done: Job, code: int, took: float) -> None:
    """Says how a job ended."""
    how = "" if code == 0 else " past its limit" if code == KILLED else f" with exit code {code}: see {done.log}"
    print(f"{time.monotonic() - began:4.0f} s: {done.log.stem} ended in {took:.0f} s{how}", flush=True)


def report(what: str, jobs: list[Job], left: list[Job]) -> None:
    print(f"{what}: {len(jobs) - len(left)} rows; left: {', '.join(each.log.stem for each in left) or 'none'}")


def compile_all(options: argparse.Namespace) -> None:
    """max-autotune, then the default mode for what takes too long or fails."""
    began, missing = time.monotonic(), [
        row for row in rows(options.only) if "skipped" in compiled.state(options.folder, *row)
    ]  # fmt: skip
    why = () if options.mode == compiled.MODES[0] else ("--mode", options.mode, "--why", "chosen for all")
    jobs = {job(options, "compile", *row, options.patience, *why): row for row in missing}

    def ended(done: Job, code: int, took: float) -> Job | None:
        told(began, done, code, took)
        if code == 0 or done not in jobs or why:
            return None
        reason = f"max-autotune took more than {took:.0f} s" if code == KILLED else "max-autotune failed"
        return job(options, "compile", *jobs[done], 400.0, "--mode", compiled.MODES[1], "--why", reason)

    report("compiled", [*jobs], side_by_side([*jobs], options.jobs, options.seconds, ended))


class Timing:
    """Rows that wait, and those that were timed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder, self.until = options.folder, time.monotonic() + options.seconds
        self.file = options.folder / "zoo.json"
        known = json.loads(self.file.read_text()) if self.file.exists() else []
        self.found: list[dict[str, Any]] = [row for row in known if "ms" in row]
        done = {(row["family"], row["batch"]) for row in self.found}
        self.waiting = [row for row in rows(options.only) if row not in done]
        self.left: list[tuple[str, int]] = []
        self.ahead = max(2, (os.cpu_count() or 1) // (CORES * torch.cuda.device_count()))
        self._lock = threading.Lock()

    def next(self) -> tuple[str, int] | None:
        """The next row, as long as there is time."""
        with self._lock:
            return self.waiting.pop(0) if self.waiting and time.monotonic() < self.until else None

    def keep(self, row: dict[str, Any]) -> None:
        with self._lock:
            self.found.append(row)
            print(json.dumps(row), flush=True)
            write_json(self.file, self.found)

    def lane(self, gpu: int) -> None:
        """Rows one after another on a GPU; the next ones are made ready meanwhile."""
        ready: deque[tuple[tuple[str, int], subprocess.Popen[str]]] = deque()
        while True:
            while len(ready) < self.ahead and (row := self.next()):
                ready.append((row, making(self.folder, *row, gpu)))
            if not ready:
                return
            row, process = ready.popleft()
            found = answer(process, min(self.until - time.monotonic(), 180.0))
            if "skipped" in found and time.monotonic() >= self.until:
                self.left.append(row)
            else:
                self.keep({"family": row[0], "batch": row[1]} | found)


def time_all(options: argparse.Namespace) -> None:
    """Rows one after another on each GPU."""
    timing, gpus = Timing(options), torch.cuda.device_count()
    name = torch.cuda.get_device_name()
    print(f"{gpus} {name}, {backend.name()} {backend.version()}, torch {torch.__version__}", flush=True)
    with ThreadPoolExecutor(gpus) as lanes:
        list(lanes.map(timing.lane, range(gpus)))
    if left := [*timing.left, *timing.waiting]:
        print(f"left: {', '.join(stem(*row) for row in left)}")
    print(table(timing.found))


def making(folder: Path, name: str, batch: int, gpu: int) -> subprocess.Popen[str]:
    """The process of a row, which makes all its routes ready and waits for the word before it times them."""
    command = [sys.executable, __file__, "time-row", str(folder), "--row", name, str(batch)]
    log = (folder / "logs" / f"{stem(name, batch)}.time.log").open("w")
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=seeing(gpu)
    )


def answer(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """What the process of a row found, or why it found nothing in this time."""
    try:
        if seconds > 0:
            output, _ = process.communicate(GO, timeout=seconds)
            lines = output.splitlines()
            if process.returncode == 0 and lines:
                row: dict[str, Any] = json.loads(lines[-1])
                return row
            return {"skipped": f"its process ended with exit code {process.returncode}"}
    except subprocess.TimeoutExpired:
        pass
    process.kill()
    process.wait()
    return {"skipped": f"no answer within {seconds:.0f} s"}


def profile_all(options: argparse.Namespace) -> None:
    began, file = time.monotonic(), options.folder / "profiles.json"
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    done = {(row["family"], row["batch"], row["route"]) for row in found if "us" in row}
    found = [row for row in found if "us" in row]
    for name, batch in rows(options.only):
        for route in options.routes.split(","):
            if batch != options.batch or (name, batch, route) in done:
                continue
            if time.monotonic() - began > options.seconds:
                print(f"left: {name}, {batch}, {route}", flush=True)
                continue
            row = attempt(lambda n=name, b=batch, r=route: profile_row(options.folder, family(n), b, r, options.depth))  # type: ignore[misc]
            found.append({"family": name, "batch": batch, "route": route} | row)
            print(profile_table(found[-1]), flush=True)
            write_json(file, found)


def one_row(options: argparse.Namespace) -> None:
    """What the processes of rows do."""
    name, batch = options.row[0], int(options.row[1])
    torch.set_num_threads(2)
    compiled.use_cache(options.folder, threads=max(1, (os.cpu_count() or 1) // options.jobs))
    made = family(name)
    if options.command == "build-row":
        build_row(options.folder, made, batch)
    elif options.command == "compile-row":
        compiled.compile_row(options.folder, made, batch, options.mode, options.why)
    else:
        print(json.dumps(attempt(lambda: time_row(options.folder, made, batch, its_turn))), flush=True)


def its_turn() -> None:
    """Waits for the word of the process that times rows. Ends this one if there is none."""
    if sys.stdin.readline() != GO:
        raise SystemExit("no turn for this row")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {"build": build, "compile": compile_all, "time": time_all, "profile": profile_all}
    hidden = ("build-row", "compile-row", "time-row")
    options.add_argument("command", choices=(*commands, "table", *hidden))
    options.add_argument("folder", type=Path)
    options.add_argument("--only", default="", help="regular expression of family:batch")
    options.add_argument("--jobs", type=int, default=8)
    options.add_argument("--seconds", type=float, default=500.0, help="after which it ends, and goes on another time")
    options.add_argument("--patience", type=float, default=300.0)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--routes", default="trtnet,onnx")
    options.add_argument("--depth", type=int, default=2)
    options.add_argument("--row", nargs=2)
    options.add_argument("--mode", choices=compiled.MODES, default=compiled.MODES[0])
    options.add_argument("--why", default="")
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.command in hidden:
        one_row(chosen)
    elif chosen.command == "table":
        print(table(json.loads((chosen.folder / "zoo.json").read_text())))
    else:
        (chosen.folder / "logs").mkdir(exist_ok=True)
        commands[chosen.command](chosen)


if __name__ == "__main__":
    main()
