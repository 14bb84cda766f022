"""Reading a large safetensors file into arrays: trtnet against safetensors.torch.load_file and torch.load(mmap=True).

    python tests/benchmarks/checkpoint.py [--gigabytes 2] [--rounds 3] [--json FILE]

Every reader runs in a process of its own, so that its peak memory is its own; the file is in the disk cache for all.
"copy" has every tensor in memory of the process, one at a time, as a TensorRT build has; "cast" as float32.
"anonymous" is memory that cannot be dropped and read again, as a mapped file's pages can. The cost of a text format
(tensorrtx's .wts: 8 hexadecimal digits and a space a value) is measured on a million values.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MEGABYTES = 64
READER = """
import resource, sys, time
kind, path = sys.argv[1:]
import numpy as np
if kind != "trtnet": import torch
if kind == "safetensors": from safetensors.torch import load_file
if kind == "trtnet": from trtnet.checkpoint import cast, open_checkpoint
def anonymous():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"): return int(line.split()[1]) * 1024
base, peak = anonymous(), 0
start = time.perf_counter()
if kind == "trtnet": tensors = open_checkpoint(path)
if kind == "safetensors": tensors = load_file(path)
if kind == "torch": tensors = torch.load(path, weights_only=True, mmap=True)
opened = time.perf_counter()
for key in tensors:
    value = np.array(tensors[key]) if kind == "trtnet" else tensors[key].clone()
    peak = max(peak, anonymous() - base)
    del value
copied = time.perf_counter()
total = 0.0
for key in tensors:
    value = cast(tensors[key], "float32", key) if kind == "trtnet" else tensors[key].float().numpy()
    total += float(value.reshape(-1)[::1024].sum())
    del value
done = time.perf_counter()
print(opened - start, copied - opened, peak, done - copied, total)
"""


def files(folder: Path, gigabytes: float) -> dict[str, Path]:
    """The same float16 tensors in both formats."""
    import torch
    from safetensors.torch import save_file

    count = round(gigabytes * 1024 / MEGABYTES)
    state = {f"layers.{i}.weight": torch.full((MEGABYTES << 9, 1024), i % 7).half() for i in range(count)}
    save_file(state, folder / "w.safetensors")
    torch.save(state, folder / "w.pth")
    return {"trtnet": folder / "w.safetensors", "safetensors": folder / "w.safetensors", "torch": folder / "w.pth"}


def measure(kind: str, path: Path) -> list[float]:
    command = [sys.executable, "-c", READER, kind, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(x) for x in result.stdout.split()]


def text_format() -> tuple[float, float]:
    """(seconds to read a million values as hexadecimal text, bytes a value)."""
    values = np.random.default_rng(0).standard_normal(1_000_000).astype(">f4")
    digits = values.tobytes().hex()
    text = " ".join(digits[i : i + 8] for i in range(0, len(digits), 8)) + " "
    start = time.perf_counter()
    found = np.array([int(word, 16) for word in text.split()], np.uint32).view(np.float32)
    seconds = time.perf_counter() - start
    assert found.size == values.size
    return seconds, len(text) / values.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    given = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = files(Path(folder), given.gigabytes)
        size = paths["trtnet"].stat().st_size
        start = time.perf_counter()
        with paths["trtnet"].open("rb") as file:
            while file.read(1 << 24):
                pass
        floor = time.perf_counter() - start
        rounds = {kind: [measure(kind, path) for _ in range(given.rounds)] for kind, path in paths.items()}
        assert len({runs[0][4] for runs in rounds.values()}) == 1, "the readers do not agree"
    print(f"{size / 1e9:.2f} GB of float16, {platform.machine()}, Python {platform.python_version()}")
    print(f"reading the file and doing nothing with it: {floor:.2f} s ({size / floor / 1e9:.1f} GB/s)")
    for kind, runs in rounds.items():
        opened, copied, peak, cast = (statistics.median(run[i] for run in runs) for i in range(4))
        results[kind] = {"open": opened, "copy": copied, "peak_anonymous": peak, "cast": cast}
        times = (
            f"open {opened * 1e3:6.1f} ms, copy {copied:5.2f} s ({size / copied / 1e9:.1f} GB/s), cast {cast:5.2f} s"
        )
        print(f"{kind:12} {times}, anonymous {peak / 1e6:6.0f} MB")
    seconds, width = text_format()
    ours = (results["trtnet"]["open"] + results["trtnet"]["copy"]) / (size / 2 / 1e6)
    print(f"a million parameters: {ours * 1e3:.2f} ms, 2 bytes each; as text {seconds:.2f} s, {width:.0f} bytes each")
    results["text"] = {"seconds": seconds, "bytes": width}
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
