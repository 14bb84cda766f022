"""Reading what torch.save wrote, as weights and nothing else."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtnet.checkpoint.memory import MappingCheckpoint
from trtnet.errors import CheckpointError, DependencyError

CONTAINERS = ("state_dict", "model_state_dict", "model", "ema")
"""Where training scripts put the state dict in what they save."""


def open_torch(path: Path) -> MappingCheckpoint:
    """Opens a file of torch.save, memory-mapped where its format allows (torch 1.6 and later).

    The state dict is the file's object, or sits in it under exactly one of :data:`CONTAINERS`.
    Raises CheckpointError if the file is damaged, holds more than plain weights, or no state dict;
    DependencyError without torch.
    """
    return MappingCheckpoint(str(path), _state_dict(path, _load(path)))


def _load(path: Path) -> object:
    try:
        import torch
    except ImportError as error:
        raise DependencyError(
            f"reading {path} needs torch: pip install 'trtnet[torch]'\n"
            f"or convert the file to .safetensors on a machine that has torch: trtnet convert"
        ) from error
    mapped = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    # On a damaged file torch raises almost anything: RuntimeError, EOFError, KeyError, AssertionError, ...
    except Exception as error:
        raise CheckpointError(_explain(path, error)) from error


def _explain(path: Path, error: Exception) -> str:
    words = str(error)
    forbidden = re.search(r"GLOBAL ([\w.]+)", words)
    if forbidden is None and "weights_only" not in words and "Weights only" not in words:
        return f"{path} cannot be read by torch ({_first_line(error)}): damaged or cut short. Download it again."
    what = f"it asks for {forbidden.group(1)}" if forbidden else f"torch says: {_first_line(error)}"
    return (
        f"{path} is not plain weights: {what}.\n"
        f"A pickle can run any code when it is loaded, so trtnet loads with weights_only=True, and nothing of"
        f" this file was executed.\nIf you trust where it comes from, load it with torch yourself and save"
        f" its weights: torch.save(model.state_dict(), ...)."
    )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]


def _state_dict(path: Path, loaded: object) -> Mapping[str, Any]:
    if not isinstance(loaded, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(loaded).__name__}, not a state dict. Save it with"
            f" torch.save(model.state_dict(), ...)."
        )
    inside = [name for name in CONTAINERS if isinstance(loaded.get(name), Mapping)]
    if len(inside) > 1:
        raise CheckpointError(
            f"{path} has several state dicts: {', '.join(inside)}. Choose one: pass"
            f" torch.load(path, weights_only=True)[{inside[0]!r}] in place of the path."
        )
    state: Mapping[str, Any] = loaded[inside[0]] if inside else loaded
    return state
