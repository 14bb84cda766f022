"""`trtnet batch` over 200 shards while its workers and its driver are killed and its disk is full for a while.

    python tests/serving/prove_batch.py [--ray] [--shards 200]

Exits with 0 if the results are those of an undisturbed run, each row once. The results are on a tmpfs of 24 MB, which
is filled up for a while; mounting it needs root.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pyarrow import parquet

ROWS = 50
SIZE = 24
COMMAND = ("-m", "trtnet", "batch", "lenet", "--weights", "trtnet:lenet.safetensors", "--keep", "id")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--shards", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "in", options.shards)
        how = ["--ray", "--workers", "2"] if options.ray else ["--workers", "2"]
        began = time.monotonic()
        finish(start(folder, folder / "calm", how))
        print(f"undisturbed: {time.monotonic() - began:.1f} s", flush=True)
        disk = folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(disk)], check=True)
        try:
            disturb(folder, disk, how, options.shards)
            check(folder / "calm", disk / "out", options.shards)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def write(folder: Path, shards: int) -> None:
    folder.mkdir()
    for index in range(shards):
        images = np.random.default_rng(index).integers(0, 256, (ROWS, 28, 28), np.uint8)
        np.savez(folder / f"{index:03}.npz", image=images, id=np.arange(ROWS) + ROWS * index)


def disturb(folder: Path, disk: Path, how: list[str], shards: int) -> None:
    """Kills and fills by a fixed order of chances, until a run ends by itself with every shard done."""
    out, chance = disk / "out", random.Random(0)
    plan = ["worker", "driver", "full", "worker", "full", "driver", "driver", "worker"]
    began, runs = time.monotonic(), 0
    while True:
        runs += 1
        driver = start(folder, out, how)
        goal = done(out) + shards // 15
        while plan and driver.poll() is None:
            time.sleep(0.1 * chance.random())
            if done(out) < goal:
                continue
            what, goal = plan.pop(0), done(out) + shards // 15
            print(f"{what} at {done(out)} shards", flush=True)
            if what == "worker":
                os.kill(chance.choice(sorted(workers(driver.pid))), signal.SIGKILL)
            elif what == "driver":
                driver.kill()
            else:
                fill(disk, driver)
        code = driver.wait()
        print(f"run {runs} ended with {code} at {done(out)} shards", flush=True)
        if code == 0:
            break
    assert not plan, f"too early: {plan}"
    print(f"disturbed: {runs} runs, {time.monotonic() - began:.1f} s", flush=True)


def fill(disk: Path, driver: subprocess.Popen[bytes]) -> None:
    """Leaves no room until the run has ended because of it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while driver.poll() is None:
            try:
                file.write(bytes(4096))
            except OSError:
                time.sleep(0.01)
    assert driver.returncode == 2, f"a full disk ended it with {driver.returncode}"
    filler.unlink()


def start(folder: Path, out: Path, how: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, *COMMAND, "--in", str(folder / "in"), "--out", str(out), *how]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"})


def finish(driver: subprocess.Popen[bytes]) -> None:
    assert driver.wait() == 0, driver.returncode


def done(out: Path) -> int:
    return len(list(out.glob("*.parquet")))


def workers(driver: int) -> Iterator[int]:
    """The processes of a driver that work: spawned by Python, or Ray's actors."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for pid in parents:
        above = pid
        while above in parents and above != driver:
            above = parents[above]
        line = Path(f"/proc/{pid}/cmdline").read_bytes() if above == driver and pid != driver else b""
        if b"spawn_main" in line or b"ray::Map" in line or b"ray::_Map" in line:
            yield pid


def check(calm: Path, found: Path, shards: int) -> None:
    names = [path.name for path in sorted(calm.glob("*.parquet"))]
    assert names == [path.name for path in sorted(found.glob("*.parquet"))] and len(names) == shards
    assert not list((found / ".trtnet").glob("staged/*")), "what is not finished was left"
    seen: list[int] = []
    for name in names:
        expected, got = parquet.read_table(calm / name), parquet.read_table(found / name)
        assert expected.schema == got.schema and expected.drop(["output"]) == got.drop(["output"])
        np.testing.assert_allclose(got["output"].to_pylist(), expected["output"].to_pylist(), rtol=0, atol=1e-5)
        seen += got["id"].to_pylist()
    assert sorted(seen) == list(range(shards * ROWS)), "a row is missing, or is there twice"
    print(f"equal: {shards} shards, {len(seen)} rows, each once", flush=True)


if __name__ == "__main__":
    main()
