"""The differential test that searches: random programs of one operation or layer, by torch and by trtnet.

    python tests/ops/search.py --minutes 20 --seed 7                 every row in turn, until the time is over
    python tests/ops/search.py --cases 50000 --jobs 2                so many cases
    python tests/ops/search.py --only softmax,getitem --cases 500    some rows; --family images: one family
    python tests/ops/search.py --gpu --cases 5000 --dtype float16    through engines, in batches of cases a network
    python tests/ops/search.py --write cases.json --cases 5000       cases for another machine or version, which
    python tests/ops/search.py --gpu --read cases.json               runs them; neither needs hypothesis

Prints a table of outcomes by family, and each finding minimized, as a program that runs as it stands. It ends with 1 if
anything was different or crashed. --refusals lists what trtnet alone refused, by row; --json FILE holds all.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32
os.environ.setdefault("OMP_NUM_THREADS", "1")

from ops.searching.families import TABLE
from ops.searching.report import Reports, as_json, print_report
from ops.searching.table import some_cases

ROUND = 40
"""Cases of a row before the next row's turn."""


def main() -> int:
    options = _options()
    rows = _rows(options.only, options.family)
    if not rows:
        print(f"no such row or family; rows: {', '.join(TABLE)}")
        return 2
    logging.disable(logging.WARNING)
    if options.write:
        return _write(rows, options)
    if options.gpu or options.engines_by_reference:
        return _through_engines(rows, options)
    reports = _search(rows, options)
    print_report(reports, Console(width=130), refusals=options.refusals)
    if options.json:
        options.json.write_text(json.dumps(as_json(reports), indent=1))
    return 1 if any(report.findings for report in reports.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long (or at --cases)")
    parser.add_argument("--cases", type=int, default=0, help="stop at so many cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of rows, with commas between")
    parser.add_argument("--family", default="", help="names of families, with commas between")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--refusals", action="store_true", help="list what trtnet alone refused, or accepted")
    parser.add_argument("--json", type=Path, help="a file for all counts, messages and findings")
    parser.add_argument("--gpu", action="store_true", help="through engines")
    parser.add_argument(
        "--engines-by-reference", action="store_true", help="as --gpu, the reference in the engine's place"
    )
    parser.add_argument("--dtype", default="", help="with --gpu and --write: only this float")
    parser.add_argument("--batch", type=int, default=50, help="with --gpu: cases in a network")
    parser.add_argument("--write", type=Path, help="write cases to a file")
    parser.add_argument("--read", type=Path, help="with --gpu: run the cases of a file")
    options = parser.parse_args()
    if not (options.minutes or options.cases):
        options.cases = 5000
    return options


def _rows(only: str, family: str) -> list[str]:
    names, families = set(filter(None, only.split(","))), set(filter(None, family.split(",")))
    return [n for n, row in TABLE.items() if (n in names or row.family in families) or not (names or families)]


def _turns(rows: list[str], options: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    """(row, cases, seed), over and over; the last round is shortened to what is left."""
    left, turn = options.cases or sys.maxsize, 0
    while left > 0:
        share = min(ROUND, -(-left // len(rows)))
        for row in rows:
            if left <= 0:
                return
            yield row, min(share, left), options.seed * 1_000_003 + turn
            left -= share
        turn += 1


def _search(rows: list[str], options: argparse.Namespace) -> Reports:
    from ops.searching.hunting import hunt

    reports, end = Reports(), time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress, ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        task = progress.add_task("cases", total=options.cases or None)
        running: set[Future] = set()
        for row, cases, seed in _turns(rows, options):
            while len(running) >= 2 * options.jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    progress.update(task, advance=reports.add(future.result()))
            if time.monotonic() > end:
                break
            progress.update(task, description=f"{row:24.24} {reports.found} found")
            running.add(pool.submit(hunt, row, cases, seed, reports.known(row)))
        for future in running:
            progress.update(task, advance=reports.add(future.result()))
    return reports


def _write(rows: list[str], options: argparse.Namespace) -> int:
    each = -(-(options.cases or 5000) // len(rows))
    cases = [case for row in rows for case in some_cases(row, each, options.seed, options.dtype)]
    options.write.write_text(json.dumps([case.data() for case in cases]))
    print(f"{len(cases)} cases of {len(rows)} rows in {options.write}")
    return 0


def _through_engines(rows: list[str], options: argparse.Namespace) -> int:
    from ops.searching import engines
    from ops.searching.case import Case

    if options.read:
        cases = [Case.of(data) for data in json.loads(options.read.read_text())]
        cases = [case for case in cases if case.op in rows and options.dtype in ("", case.dtype)]
    else:
        each = -(-(options.cases or 5000) // len(rows))
        cases = [case for row in rows for case in some_cases(row, each, options.seed, options.dtype)]
    found = engines.search(
        cases[: options.cases or None], options.batch, options.jobs, fake=options.engines_by_reference
    )
    engines.print_table(found, Console(width=130))
    if options.json:
        options.json.write_text(json.dumps([result.data() for result in found], indent=1))
    counts = Counter(result.kind for result in found)
    return 1 if any(counts[kind] for kind in engines.FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
