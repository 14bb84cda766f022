"""What benchmarks share: engines in files, the first line, the options of those of decoders."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

import trtnet
from trtnet.support import backend

TURN = FileLock(Path(tempfile.gettempdir()) / "trtnet_benchmarks.lock")
"""Held while something is timed: benchmarks that run side by side build together, and time one after another."""


def save(built: Any, file: Path, inputs: dict[str, torch.Tensor]) -> None:
    """Saves an engine's plan, and compiles its kernels where there is a GPU."""
    built.save(file)
    if torch.cuda.is_available():
        engine = trtnet.load(file)
        engine(**{name: x.cuda() for name, x in inputs.items()})
        engine.close()


def begin() -> None:
    """Prints what the numbers are of; torch computes without TensorFloat-32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(machine())


def reason(error: Exception) -> str:
    """Why a route is skipped: the kind of an error and its first line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def machine() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{gpu}, {backend.name()} {backend.version()}, torch {torch.__version__}"


@torch.inference_mode()
def run(
    options: argparse.ArgumentParser, check: Callable[[], None], measure: Callable[[argparse.Namespace], dict[str, Any]]
) -> None:
    """A benchmark with --check, which times nothing and needs no GPU, and --json for what it measures."""
    options.add_argument("--check", action="store_true")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    if chosen.check:
        check()
        return
    print(machine())
    found = measure(chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")
