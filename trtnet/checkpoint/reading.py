"""open_checkpoint: from whatever holds weights to a Checkpoint."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.formats import sniffing
from trtnet.checkpoint.formats.ctranslate2_file import CTranslate2File
from trtnet.checkpoint.formats.distributed import METADATA, open_distributed
from trtnet.checkpoint.formats.exported_file import open_exported
from trtnet.checkpoint.formats.gguf_file import open_gguf
from trtnet.checkpoint.formats.npz_file import NpzFile
from trtnet.checkpoint.formats.safetensors_file import SafetensorsFile
from trtnet.checkpoint.formats.sharded import SHARD, open_sharded, open_shards
from trtnet.checkpoint.formats.shipped import located
from trtnet.checkpoint.formats.torch_file import open_torch
from trtnet.checkpoint.formats.torchscript_file import TorchScriptFile
from trtnet.checkpoint.formats.wts_file import WtsFile
from trtnet.checkpoint.memory import MappingCheckpoint, is_array, is_module
from trtnet.checkpoint.state_dicts import choose
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import an, counted

log = logging.getLogger("trtnet.checkpoint")

Source = str | os.PathLike[str] | Mapping[str, Any] | Checkpoint | Any
"""A path, a mapping of names to numpy arrays or torch tensors, a torch module, or an open checkpoint."""

_OPENERS: dict[str, Callable[[Path], Checkpoint]] = {
    sniffing.SAFETENSORS: SafetensorsFile,
    sniffing.NPZ: NpzFile,
    sniffing.GGUF: open_gguf,
    sniffing.TORCHSCRIPT: TorchScriptFile,
    sniffing.EXPORTED: open_exported,
    sniffing.WTS: WtsFile,
    sniffing.CTRANSLATE2: CTranslate2File,
}
# The files that Hugging Face folders keep their weights in, the better ones first.
_FOLDER = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin",
           "model.bin")  # fmt: skip
_INDEX = ".index.json"
_READABLE = (
    ".safetensors, PyTorch and TorchScript files (.pth, .pt, .ckpt, .bin, .pkl, .ts), .npz, .gguf, .wts,"
    " CTranslate2's model.bin,"
    f" *{_INDEX} and folders of torch.distributed.checkpoint"
)


def open_checkpoint(source: Source, key: str | None = None) -> Checkpoint:
    """Opens weights without reading them.

    source: a file, whose format is detected from its content: .safetensors; a file of torch.save or pickle.dump (needs
    torch; a state dict, the only one in a training checkpoint, or a whole module: no code in it is executed); a
    TorchScript or torch.export archive; .npz; .gguf (needs gguf; quantized blocks become float32); .wts;
    CTranslate2's model.bin; a sharded checkpoint's *.index.json. A folder: of Hugging Face, of CTranslate2, of shards,
    or of torch.distributed.checkpoint. A mapping of names to numpy arrays or torch tensors;
    ``"trtnet:lenet.safetensors"``, which is included in trtnet; a torch module (its state_dict()); an open Checkpoint,
    returned unchanged. key: the part of a training checkpoint to use, if it has several: ``"model_ema"``,
    ``"ema.module"``; for a folder of torch.distributed.checkpoint, the prefix of its keys.
    Returns a mapping of keys to arrays, each with its shape and dtype, read when it is used.
    Raises CheckpointError if it cannot be read as plain weights, DependencyError if torch is needed and missing.

    >>> import numpy as np, trtnet
    >>> checkpoint = trtnet.open_checkpoint({"fc.weight": np.ones((2, 3), np.float32)})
    >>> {key: checkpoint[key].shape for key in checkpoint}
    {'fc.weight': (2, 3)}
    >>> sorted(trtnet.open_checkpoint("trtnet:lenet.safetensors"))[:2]
    ['conv1.bias', 'conv1.weight']
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_path(located(source), key)
    if isinstance(source, Checkpoint):
        _require_no_key(source.name, "an open checkpoint", key)
        return source
    if isinstance(source, Mapping):
        name = f"a mapping of {counted(len(source), 'tensor')}"
        return MappingCheckpoint(name, _part(name, source, key))
    if is_module(source):
        return MappingCheckpoint(
            f"a live {type(source).__name__}", _part(type(source).__name__, source.state_dict(), key)
        )
    raise CheckpointError(
        f"{an(type(source).__name__)} holds no weights; pass a path, a mapping of names to tensors, or a torch module"
    )


def check_apart(source: Source, out: str | os.PathLike[str]) -> None:
    """Raises CheckpointError where `out` would replace what it is made of: the file, or one that a folder keeps."""
    if not isinstance(source, (str, os.PathLike)) or not Path(out).exists():
        return
    path, target = located(source), Path(out)
    whole = path if path.is_dir() else path.parent if path.name.endswith(_INDEX) else None
    is_kept = whole is not None and target.parent.samefile(whole) and is_kept_in_folders(target.name)
    if is_kept or (path.exists() and target.samefile(path)):
        raise CheckpointError(f"{target} would replace what is read from {source}: write to another file")


def is_kept_in_folders(name: str) -> bool:
    """Whether a folder of weights keeps them in a file of this name."""
    return name in _FOLDER or SHARD.match(name) is not None


def _part(name: str, loaded: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
    """The part that is asked for; without a key all of a mapping that has tensors in it."""
    if key is None and any(map(is_array, loaded.values())):
        return loaded
    return choose(name, loaded, key, is_array)


def _open_path(path: Path, key: str | None) -> Checkpoint:
    with _explained(path):
        if path.is_dir():
            return _open_folder(path, key)
    return _open_file(path, key)


def _open_folder(folder: Path, key: str | None) -> Checkpoint:
    inside = [folder / name for name in _FOLDER if (folder / name).is_file()]
    if inside:
        return _open_file(inside[0], key)
    if (folder / METADATA).is_file():
        return open_distributed(folder, key)
    shards = [found for file in sorted(folder.iterdir()) if (found := SHARD.match(file.name))]
    if len({(found[1], found[3], found[4]) for found in shards}) == 1:
        _require_no_key(folder, "a folder of shards", key)
        return open_shards(folder, [found[0] for found in shards], int(shards[0][3]), _open_file)
    raise CheckpointError(f"{folder} is a folder{_choices(folder)}")


def _open_file(path: Path, key: str | None = None) -> Checkpoint:
    _require_content(path)
    if path.name.endswith(_INDEX):
        _require_no_key(path, sniffing.INDEX, key)
        return open_sharded(path, _open_file)
    with _explained(path):
        kind = sniffing.sniff(path)
    said = sniffing.SUFFIXES.get(path.suffix.lower(), (kind,))
    if kind not in said:
        log.warning("%s is %s, despite its name", path, kind)
    if kind == sniffing.TORCH:
        return open_torch(path, key)
    _require_no_key(path, kind, key)
    return open_sharded(path, _open_file) if kind == sniffing.INDEX else _OPENERS[kind](path)


def _require_no_key(name: object, what: str, key: str | None) -> None:
    if key is not None:
        raise CheckpointError(f"{name} is {what}, which has no parts: open it without the key {key!r}")


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
    names = sorted(f.name for f in folder.iterdir() if f.suffix in sniffing.SUFFIXES or f.name.endswith(_INDEX))
    if not names:
        return f" without weights in it; trtnet reads {_READABLE}"
    # An index speaks for the shards beside it.
    names.sort(key=lambda name: not name.endswith(_INDEX))
    return f"; name a file in it: {', '.join(names[:5])}{', ...' if names[5:] else ''}"
