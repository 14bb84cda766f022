"""Reading what torch.save wrote, as weights and nothing else."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from pathlib import Path

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.formats.pickled.machine import DEEPEST_TUPLE, Machine
from trtnet.checkpoint.formats.pickled.storages import LARGEST_PICKLE, FileStorages, ZipStorages
from trtnet.checkpoint.formats.pickled_file import open_pickled
from trtnet.checkpoint.memory import MappingCheckpoint, is_array
from trtnet.checkpoint.state_dicts import choose
from trtnet.support.errors import CheckpointError, DependencyError

_TUPLES = (b"\x85", b"\x86", b"\x87", b"t")
"""The opcodes that make a tuple."""


def open_torch(path: Path, key: str | None = None) -> Checkpoint:
    """Opens a file of torch.save, memory-mapped where its format allows (torch 1.6 and later).

    torch.load(weights_only=True) reads it. A file with other objects in it, which torch then refuses (whole modules,
    arguments of a training script), is read as data: of classes that are not known there are notes, and nothing that it
    names is imported or executed. The state dict is the file's object, or the only one in it; key: the path of the one
    to take, such as ``"model_ema"``.
    Raises CheckpointError if the file is damaged or holds no state dict, or several; DependencyError without torch.
    """
    try:
        loaded = _load(path)
    except CheckpointError as refused:
        return _open_as_data(path, key, refused)
    return MappingCheckpoint(str(path), choose(str(path), loaded, key, is_array))


def _open_as_data(path: Path, key: str | None, refused: CheckpointError) -> Checkpoint:
    try:
        return open_pickled(path, zipfile.is_zipfile(path), key)
    except CheckpointError as error:
        raise CheckpointError(f"{error}\n{refused.__cause__ and _explain(refused.__cause__)}") from refused.__cause__


def _load(path: Path) -> object:
    try:
        import torch
    except ImportError as error:
        raise DependencyError(
            f"reading {path} needs torch: pip install 'trtnet[torch]'\n"
            f"or convert the file to .safetensors on a machine that has torch: trtnet convert"
        ) from error
    mapped = zipfile.is_zipfile(path)
    _require_shallow(path, mapped)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    # On a damaged file torch raises almost anything: RuntimeError, EOFError, KeyError, AssertionError, ...
    except Exception as error:
        raise CheckpointError(f"torch cannot read {path}") from error


def _require_shallow(path: Path, zipped: bool) -> None:
    """Raises CheckpointError for a pickle with tuples in each other so deep that torch's reader would crash.

    It takes the hash of what is a key of a dict, and Python's hash of a deep tuple overflows the stack of C.
    """
    try:
        content = ZipStorages(path).content("data.pkl", 1 << 40) if zipped else path.read_bytes()[:LARGEST_PICKLE]
        if sum(map(content.count, _TUPLES)) > DEEPEST_TUPLE:
            if zipped:
                Machine({}, lambda identity: identity).run(io.BytesIO(content))
            else:
                FileStorages(path, {}).close()
    # a damaged file raises almost anything
    except Exception as error:
        raise CheckpointError(f"torch would not read {path}") from error


def _explain(error: BaseException) -> str:
    """Why torch did not read it either."""
    words = str(error)
    forbidden = re.search(r"GLOBAL ([\w.]+)", words)
    if forbidden is None and "weights_only" not in words and "Weights only" not in words:
        return f"torch says: {_first_line(error)}"
    what = f"it asks for {forbidden.group(1)}" if forbidden else "it has other objects than tensors"
    return f"The file is not plain weights: {what}. It was read as data: nothing of it was executed."


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]
