"""open_checkpoint: from whatever holds weights to a Checkpoint."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.gguf_file import GGUFFile
from trtnet.checkpoint.memory import MappingCheckpoint, is_module
from trtnet.checkpoint.npz_file import NpzFile
from trtnet.checkpoint.safetensors_file import SafetensorsFile
from trtnet.checkpoint.sharded import open_sharded
from trtnet.checkpoint.torch_file import open_torch
from trtnet.checkpoint.torchscript_file import TorchScriptFile
from trtnet.errors import CheckpointError

Source = str | os.PathLike[str] | Mapping[str, Any] | Checkpoint | Any
"""A path, a mapping of names to numpy arrays or torch tensors, a torch module, or an open checkpoint."""

_SAFETENSORS = "a safetensors file"
_TORCH = "a PyTorch file"
_NPZ = "an .npz file"
_GGUF = "a GGUF file"
_TORCHSCRIPT = "a TorchScript archive"

_OPENERS: dict[str, tuple[str, Callable[[Path], Checkpoint]]] = {
    ".safetensors": (_SAFETENSORS, SafetensorsFile),
    ".pth": (_TORCH, open_torch),
    ".pt": (_TORCH, open_torch),
    ".ckpt": (_TORCH, open_torch),
    ".bin": (_TORCH, open_torch),
    ".npz": (_NPZ, NpzFile),
    ".gguf": (_GGUF, GGUFFile),
}
# The files that Hugging Face folders keep their weights in, the better ones first.
_FOLDER = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
_INDEX = ".index.json"
_READABLE = f"{', '.join(_OPENERS)} and *{_INDEX}"

_MAGIC = (
    (b"\x80", _TORCH),
    (b"\x93NUMPY", "a single .npy array, which has no name: save it with numpy.savez(path, name=array)"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the weights: run `git lfs pull`"),
    (b"<!DOCTYPE", "a web page, not the weights: the download went wrong"),
    (b"<html", "a web page, not the weights: the download went wrong"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"GGUF", _GGUF),
)


def open_checkpoint(source: Source) -> Checkpoint:
    """Opens weights without reading them.

    source: a path to .safetensors, to .pth, .pt, .ckpt or .bin (needs torch; a state dict, or one inside a
    training checkpoint; or a TorchScript archive, which needs no torch), to .npz, to .gguf (needs gguf; floating
    tensors), to a sharded checkpoint's *.index.json, or to a Hugging Face folder with one of these; a mapping of names
    to numpy arrays or torch tensors; a live torch module (its state_dict()); an open Checkpoint, returned as it is.
    Raises CheckpointError if it cannot be read as plain weights, DependencyError if it needs torch and there
    is none.
    """
    if isinstance(source, Checkpoint):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source))
    if isinstance(source, Mapping):
        return MappingCheckpoint(f"a mapping of {len(source)} tensors", source)
    if is_module(source):
        return MappingCheckpoint(f"a live {type(source).__name__}", source.state_dict())
    raise CheckpointError(
        f"a {type(source).__name__} holds no weights; pass a path, a mapping of names to tensors, or a torch module"
    )


def _open_path(path: Path) -> Checkpoint:
    with _explained(path):
        inside = [path / name for name in _FOLDER if (path / name).is_file()] if path.is_dir() else []
    path = inside[0] if inside else path
    if path.name.endswith(_INDEX):
        _require_content(path)
        return open_sharded(path, _open_file)
    return _open_file(path)


def _open_file(path: Path) -> Checkpoint:
    _require_content(path)
    if path.suffix.lower() not in _OPENERS:
        raise CheckpointError(f"{path}: trtnet reads {_READABLE}, chosen by the file's name")
    expected, opener = _OPENERS[path.suffix.lower()]
    found = _sniff(path)
    if found == _TORCHSCRIPT and expected == _TORCH:
        return TorchScriptFile(path)
    # Content that is nobody's goes to the reader too: it says best what is wrong with it.
    if found not in (expected, None):
        raise CheckpointError(f"{path} is not {expected} as its name says, but {found}{_renaming(found)}")
    return opener(path)


def _require_content(path: Path) -> None:
    with _explained(path):
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder{_choices(path)}")
        # opening a pipe would wait for who writes into it
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path} is a pipe, a device or a socket: write it to a file")
        with path.open("rb") as file:
            empty = not file.read(1)
    if empty:
        raise CheckpointError(f"{path} is empty (0 bytes). Download or write it again.")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    # ValueError: a name that no file can have, such as an index may hold
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"cannot read the checkpoint {path}: {getattr(error, 'strerror', '') or error}"
        ) from error


def _choices(folder: Path) -> str:
    names = sorted(f.name for f in folder.iterdir() if f.suffix in _OPENERS or f.name.endswith(_INDEX))
    if not names:
        return f" without weights in it; trtnet reads {_READABLE}"
    # An index speaks for the shards beside it.
    names.sort(key=lambda name: not name.endswith(_INDEX))
    return f"; name a file in it: {', '.join(names[:5])}{', ...' if names[5:] else ''}"


def _sniff(path: Path) -> str | None:
    """What the file is by its first bytes; None where they are of no format or usual mistake we know."""
    with path.open("rb") as file:
        start = file.read(32)
    # A length under 2**40, then the brace of its JSON. Asked first, since a length may begin like a pickle.
    if start[5:9] == b"\0\0\0{":
        return _SAFETENSORS
    if start.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    return next((what for magic, what in _MAGIC if start.startswith(magic)), None)


def _sniff_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.rpartition("/")[2] for name in archive.namelist()}
    # zipfile raises half a dozen types on a damaged directory.
    except Exception as error:
        return f"a zip archive, damaged or cut short ({error}): download it again"
    if "constants.pkl" in members:
        return _TORCHSCRIPT
    if "data.pkl" in members:
        return _TORCH
    if any(name.endswith(".npy") for name in members):
        return _NPZ
    return "a zip archive without weights in it"


def _renaming(found: str | None) -> str:
    suffixes = [suffix for suffix, (what, _) in _OPENERS.items() if what == found]
    return f": rename it to end in {' or '.join(suffixes)}" if suffixes else ""
