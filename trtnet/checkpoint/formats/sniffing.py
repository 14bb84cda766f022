"""What a file is by its content, whatever its name says."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from trtnet.checkpoint.formats.ctranslate2_file import begins_like
from trtnet.support.errors import CheckpointError

SAFETENSORS = "a safetensors file"
TORCH = "a PyTorch file"
NPZ = "an .npz file"
GGUF = "a GGUF file"
TORCHSCRIPT = "a TorchScript archive"
EXPORTED = "an archive of torch.export"
WTS = "a .wts file of tensorrtx"
CTRANSLATE2 = "a model.bin of CTranslate2"
INDEX = "an index of shards"

SUFFIXES = {
    ".safetensors": (SAFETENSORS,),
    ".npz": (NPZ,),
    ".gguf": (GGUF,),
    ".wts": (WTS,),
    ".pt2": (EXPORTED,),
    **dict.fromkeys((".pth", ".pt", ".ckpt", ".pkl", ".tar"), (TORCH, TORCHSCRIPT)),
    ".bin": (TORCH, TORCHSCRIPT, CTRANSLATE2),
    **dict.fromkeys((".jit", ".ts", ".torchscript"), (TORCHSCRIPT,)),
}
"""What a suffix says of the content."""


class _Other(NamedTuple):
    """A kind of file without weights, or none that can be read as it is. start: its first bytes."""

    start: bytes
    what: str


_OTHERS = (
    _Other(b"\x93NUMPY", "a single .npy array, which has no name: save it with numpy.savez(path, name=array)"),
    _Other(b"\x89HDF\r\n", "an HDF5 file: read it with h5py and pass the arrays by their names"),
    _Other(b"version https://git-lfs", "a Git LFS pointer, not the weights: run `git lfs pull`"),
    _Other(b"\x1f\x8b", "a gzip archive: unpack it first"),
    _Other(b"BZh", "a bzip2 archive: unpack it first"),
    _Other(b"\xfd7zXZ", "an xz archive: unpack it first"),
    _Other(b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    _Other(b"7z\xbc\xaf", "a 7z archive: unpack it first"),
)
_BEGINS = 48


def sniff(path: Path) -> str:
    """Which of the kinds above a file is. Raises CheckpointError for what is none, saying what it begins with."""
    with path.open("rb") as file:
        start = file.read(4096)
    if kind := _kind(path, start):
        return kind
    other = next((other.what for other in _OTHERS if start.startswith(other.start)), None)
    if start[257:262] == b"ustar":
        other = "a tar archive: unpack it first"
    if start[1:4] == b"trt":
        other = f"an engine of TensorRT: look at it with trtnet inspect {path}"
    if other:
        raise CheckpointError(f"{path} is not a checkpoint, but {other}")
    raise CheckpointError(f"{path} is not a checkpoint: it begins with {_begins(start)}")


def _kind(path: Path, start: bytes) -> str | None:
    named = SUFFIXES.get(path.suffix.lower(), ())
    # A length under 2**40, then the brace of its JSON. Asked first, since a length may begin like a pickle.
    if start[5:9] == b"\0\0\0{" or (SAFETENSORS in named and start[8:9] == b"{"):
        return SAFETENSORS
    if start.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if start.startswith(b"GGUF"):
        return GGUF
    if begins_like(start):
        return CTRANSLATE2
    if start.lstrip().startswith(b"{") and b'"weight_map"' in _whole_text(path):
        return INDEX
    if re.match(rb"\d{1,9}\s*\n(?:\S+ \d+( [0-9a-fA-F]{1,8})*\s|$)", start):
        return WTS
    # protocols 0 and 1, which Python 2 wrote, have no sign of their own
    if re.match(rb"\x80[\x02-\x05]", start) or (path.suffix.lower() in (".pkl", ".pickle") and start[:1] in b"(c]}"):
        return TORCH
    # a header that is no JSON object, as its reader will say
    return SAFETENSORS if SAFETENSORS in named and start[2:8] == bytes(6) and start[8:9] in b"[ " else None


def _whole_text(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size < 1 << 28 else b""


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2] if "/" in name else name for name in archive.namelist()}
    # zipfile raises half a dozen types on a damaged directory.
    except Exception as error:
        raise CheckpointError(f"{path} is a zip archive, damaged or cut short ({error}): download it again") from error
    if "constants.pkl" in members:
        return TORCHSCRIPT
    if "archive_format" in members or any(name.startswith("serialized_") for name in members):
        return EXPORTED
    if "data.pkl" in members:
        return TORCH
    if any(name.endswith(".npy") for name in members):
        return NPZ
    raise CheckpointError(f"{path} is not a checkpoint, but a zip archive without weights in it")


def _begins(start: bytes) -> str:
    """The first bytes in words."""
    if not start.strip(b"\0"):
        return f"zeros, {len(start):,} of them: the download went wrong"
    text = start.decode("utf-8", "ignore").strip()
    printable = sum(c.isprintable() or c.isspace() for c in text) >= 0.95 * len(text) and len(text) > len(start) * 0.9
    if not printable or not text:
        return f"the bytes {start[:16].hex(' ')}"
    words = " ".join(text.split())[:_BEGINS]
    if re.match(r"<!doctype|<html|<head|<\?xml", text, re.IGNORECASE):
        return f"{words!r}, a web page: the download went wrong"
    if text[0] in "{[":
        return f"{words!r}, JSON text, as servers answer with"
    return f"the text {words!r}"
