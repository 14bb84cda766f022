"""Small valid checkpoints of every format: all dtypes, no elements, no dimensions, the last tensor empty."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from helpers.whispers import write_model_bin

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
TORCH_ONLY = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu")


def state() -> dict[str, torch.Tensor]:
    """Tensors of every dtype, some that share a storage, some without elements, the last one too."""
    wide = torch.arange(12, dtype=torch.float32).reshape(3, 4) + 0.5
    found = {"empty.first": torch.zeros(0, 3), "wide": wide, "turned": wide.t(), "part": wide[:, 1:3]}
    for name in (*DTYPES, *TORCH_ONLY):
        found[f"of.{name}"] = (torch.arange(3) + 1).to(getattr(torch, name))
    return found | {"scalar": torch.tensor(7.25), "count": torch.tensor(3), "empty.last": torch.zeros(2, 0)}


def apart() -> dict[str, torch.Tensor]:
    """The same where each tensor must have its own elements."""
    return {name: value.clone().contiguous() for name, value in state().items()}


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    found = {name: value.numpy() for name, value in apart().items() if value.dtype.is_complex or _has_numpy(value)}
    last = found.pop("empty.last")
    bf = np.arange(3).astype(ml_dtypes.bfloat16)
    return {**found, "bf": bf, "big": np.arange(3, dtype=">f4"), "empty.last": last}


def _has_numpy(value: torch.Tensor) -> bool:
    return str(value.dtype).removeprefix("torch.") in DTYPES


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 3)
        self.register_buffer("none", torch.zeros(0, 2))
        self.register_buffer("count", torch.tensor(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) + self.count


def write_safetensors(folder: Path) -> Path:
    from safetensors.torch import save_file

    save_file(apart(), folder / "x.safetensors", {"format": "pt"})
    return folder / "x.safetensors"


def write_npz(folder: Path) -> Path:
    np.savez(folder / "x.npz", **arrays())
    return folder / "x.npz"


def write_packed_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "y.npz", **arrays())
    return folder / "y.npz"


def write_torch(folder: Path) -> Path:
    torch.save(state(), folder / "x.pth")
    return folder / "x.pth"


def write_training(folder: Path) -> Path:
    """Not plain weights: read as data."""
    torch.save({"model": state(), "best": np.float64(1.5)}, folder / "train.pth")
    return folder / "train.pth"


def write_old(folder: Path) -> Path:
    torch.save(state(), folder / "old.pth", _use_new_zipfile_serialization=False)
    return folder / "old.pth"


def write_old_training(folder: Path) -> Path:
    content = {"model": state(), "best": np.float64(1.5)}
    torch.save(content, folder / "oldtrain.pth", _use_new_zipfile_serialization=False)
    return folder / "oldtrain.pth"


def write_pickled_arrays(folder: Path) -> Path:
    import pickle

    plain = {name: value for name, value in arrays().items() if name != "bf"}
    (folder / "x.pkl").write_bytes(pickle.dumps(plain, 4))
    return folder / "x.pkl"


def write_torchscript(folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Small()), folder / "x.ts")
    return folder / "x.ts"


def write_exported(folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Small().eval(), (torch.ones(2, 2),)), folder / "x.pt2")
    return folder / "x.pt2"


def write_wts(folder: Path) -> Path:
    lines = ["4", "a 0", "b.weight 2 3f800000 c0200000", "c 1 00000000", "d 3 7f7fffff 3e99999a 3e4ccccd"]
    (folder / "x.wts").write_text("\n".join(lines) + "\n")
    return folder / "x.wts"


def write_ctranslate2(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    content = {
        "a/weight": rng.normal(size=(3, 4)).astype(np.float32),
        "a/empty": np.zeros((0, 2), np.float32),
        "b/weight": rng.integers(-100, 100, (3, 4)).astype(np.int8),
        "b/weight_scale": rng.uniform(1, 2, 3).astype(np.float32),
        "c": rng.normal(size=3).astype(ml_dtypes.bfloat16),
        "d": rng.normal(size=5).astype(np.float16),
        "n": np.int16(6),
        "z": np.zeros((2, 0), np.int32),
    }
    return write_model_bin(folder / "model.bin", content, {"e/weight": "a/weight"})


def write_gguf(folder: Path, big: bool = False) -> Path:
    import gguf

    path = folder / f"x{'b' * big}.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE)
    writer.add_uint32("llama.block_count", 2)
    writer.add_array("tokens", ["a", "bc", ""])
    writer.add_array("types", [1, 2, 3])
    for name in ("float32", "float64", "float16", "int8", "int16", "int32", "int64"):
        writer.add_tensor(name, np.arange(6).astype(name).reshape(2, 3))
    if not big:
        kind = gguf.GGMLQuantizationType.Q8_0
        values = np.arange(64, dtype=np.float32).reshape(2, 32)
        writer.add_tensor("q", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("last", np.ones(1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_big_gguf(folder: Path) -> Path:
    return write_gguf(folder, big=True)


def write_distributed(folder: Path) -> Path:
    """The folder; what is in it is damaged file by file."""
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        dcp.save({"model": {k: v for k, v in apart().items() if "float8" not in k}}, checkpoint_id=folder / "dcp")
    return folder / "dcp"


def write_sharded(folder: Path) -> Path:
    """An index and two shards."""
    from safetensors.torch import save_file

    inner = folder / "sharded"
    inner.mkdir()
    parts = [{"a": torch.ones(2), "e": torch.zeros(0)}, {"b": torch.arange(3), "z": torch.zeros(2, 0)}]
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for name, part in zip(names, parts, strict=True):
        save_file(part, inner / name)
    weight_map = {key: name for name, part in zip(names, parts, strict=True) for key in part}
    index = {"metadata": {"total_size": 32}, "weight_map": weight_map}
    (inner / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    return inner


FILES = {
    "safetensors": write_safetensors, "npz": write_npz, "packed npz": write_packed_npz, "torch": write_torch,
    "training": write_training, "old torch": write_old, "old training": write_old_training,
    "pickled arrays": write_pickled_arrays, "torchscript": write_torchscript, "exported": write_exported,
    "wts": write_wts, "ctranslate2": write_ctranslate2, "gguf": write_gguf, "big-endian gguf": write_big_gguf,
}  # fmt: skip
"""What writes a file of each format into a folder."""
CHECKED = ("npz", "packed npz", "training", "torchscript", "exported", "torch")
"""Those whose every byte of content has a checksum."""
