"""Hugging Face folders, TorchScript archives, GGUF files, and what strict=False skips."""

from __future__ import annotations

import json
import pickle
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import trtnet
from trtnet import nn
from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import CheckpointError, WeightsError


def test_a_folder_is_its_best_file(tmp_path: Path) -> None:
    save_file({"w": np.ones(2, np.float32)}, tmp_path / "model.safetensors")
    torch.save({"w": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    assert open_checkpoint(tmp_path)["w"].tolist() == [1, 1]
    save_file({"w": np.full(2, 5, np.float32)}, tmp_path / "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "model-1.safetensors"}}))
    assert open_checkpoint(str(tmp_path))["w"].tolist() == [5, 5]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 2)
        self.norm = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
        self.halves = torch.nn.Parameter(torch.tensor([1.5, -2.0]).half())
        self.turned = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.jit.save(torch.jit.trace(Net().eval(), torch.randn(1, 2, 4, 4)), tmp_path / "net.pt")
    return tmp_path / "net.pt"


def test_a_torchscript_archive_gives_its_parameters(archive: Path) -> None:
    found = open_checkpoint(archive)
    wanted = torch.jit.load(archive).state_dict()
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value.numpy(), strict=True)
        assert found.info(key).shape == tuple(value.shape)


def test_a_torchscript_archive_that_asks_for_more_is_refused(archive: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "owned",)

    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(tmp_path / "evil.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle.dumps(Evil()) if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(CheckpointError, match=r"it holds no module"):
        open_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "owned").exists()


def test_damaged_torchscript_archives_never_raise_anything_else(archive: Path, tmp_path: Path) -> None:
    rng, content, refused = np.random.default_rng(0), archive.read_bytes(), 0
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 20):
            damaged[at] = rng.integers(0, 256)
        (tmp_path / "d.pt").write_bytes(bytes(damaged[: rng.integers(100, len(damaged))]))
        try:
            dict(open_checkpoint(tmp_path / "d.pt"))
        except CheckpointError as error:
            assert "d.pt" in str(error)
            refused += 1
    assert refused > 50


class Twice(torch.nn.Module):
    """One module under two names, and tensors that are views."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Linear(3, 4)
        self.b = self.a
        self.register_buffer("expanded", torch.ones(1).expand(5))
        self.register_buffer("part", torch.arange(12.0).reshape(3, 4)[:, 1:3])
        self.register_buffer("none", torch.zeros(0, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x) + self.b(x)


def test_a_torchscript_archive_of_views_and_shared_modules(tmp_path: Path) -> None:
    module = torch.jit.script(Twice())
    torch.jit.save(module, tmp_path / "x.pt")
    found, wanted = open_checkpoint(tmp_path / "x.pt"), module.state_dict()
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value.numpy(), strict=True)


GLOBAL = b"\x80\x02c__torch__ M\n".replace(b" ", b"\n")
TENSOR = GLOBAL + b")\x81}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
TENSOR += b"X\x01\0\0\x000X\x03\0\0\0cpuI%dtQI%d\n%s%s\x89}tRsb."


def tensor(count: int = 4, offset: int = 0, size: bytes = b"(I4\nt", stride: bytes = b"(I1\nt") -> bytes:
    return TENSOR.replace(b"I%dtQI%d\n%s%s", b"I%d\ntQI%d\n%s%s" % (count, offset, size, stride))


def nested(depth: int, names: bytes) -> bytes:
    """Modules in each other, each under all these names."""
    content = GLOBAL + b"q\0)\x81}bq\x01"
    for _ in range(depth):
        entries = b"".join(b"X\x01\0\0\0" + bytes([name]) + b"h\x01" for name in names)
        content += b"0h\0)\x81}(" + entries + b"ubq\x01"
    return content + b"."


CRAFTED = {
    "modules under two names": (nested(60, b"ab"), "its modules have more than 1,000,000 attributes"),
    "modules in modules": (nested(200, b"a"), "has no attributes, or is nested too deeply"),
    "a module in itself": (GLOBAL + b")\x81q\0}X\x01\0\0\0ah\0sb.", "has no attributes, or is nested too deeply"),
    "a module without state": (GLOBAL + b")\x81.", "module '' has no attributes"),
    "no module": (b"\x80\x02}.", "it holds no module"),
    "a class": (GLOBAL + b".", "it holds no module"),
    "expanded": (
        tensor(size=b"(L1099511627776L\nt", stride=b"(I0\nt"),
        "776 elements are in a storage of 4",
    ),
    "size no tuple": (tensor(size=b"I5\n"), "is not a readable TorchScript archive"),
    "size of text": (tensor(size=b"(X\x01\0\0\0xt"), "a tensor of the impossible size ('x',)"),
    "negative size": (tensor(size=b"(I-1\nt"), "a tensor of the impossible size (-1,)"),
    "negative stride": (tensor(stride=b"(I-1\nt"), "a tensor of the impossible size (-1,)"),
    "negative offset": (tensor(offset=-1), "a tensor of the impossible size (4,)"),
    "other rank": (tensor(stride=b"(I1\nI1\nt"), "is not a readable TorchScript archive"),
    "beyond": (tensor(offset=1), "a tensor that reaches beyond its storage"),
    "count": (tensor(count=5), "its storage has 4 elements instead of 5"),
    "count too small": (tensor(count=3, size=b"(I2\nt"), "data/0 has 16 bytes, more than the 12 that it may have"),
}


def crafted(path: Path, pickled: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (("data.pkl", pickled), ("constants.pkl", b")."), ("data/0", bytes(16))):
            archive.writestr(f"x/{name}", content)
    return path


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_torchscript_archive(name: str, tmp_path: Path) -> None:
    pickled, words = CRAFTED[name]
    with pytest.raises(CheckpointError, match=re.escape(words)):
        dict(open_checkpoint(crafted(tmp_path / "x.pt", pickled)))


def test_what_the_crafted_archives_are_variants_of(tmp_path: Path) -> None:
    found = open_checkpoint(crafted(tmp_path / "x.pt", tensor()))
    assert {key: array.tolist() for key, array in found.items()} == {"w": [0, 0, 0, 0]}


@pytest.mark.parametrize("promised", [True, False])
def test_a_torchscript_archive_that_inflates(promised: bool, tmp_path: Path) -> None:
    """A data.pkl of 256 MiB, whose size the directory tells or not."""
    path = crafted(tmp_path / "x.pt", GLOBAL + b")\x81}b." + bytes(1 << 28), zipfile.ZIP_DEFLATED)
    if not promised:
        size = (1 << 28) + len(GLOBAL) + 5
        path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), b"\0\x10\0\0"))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="is not a readable TorchScript archive"):
            open_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_gguf(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    tensors = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float16)}
    for key, array in tensors.items():
        writer.add_tensor(key, array)
    quantized = gguf.quants.quantize(np.ones((2, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("q", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = open_checkpoint(tmp_path / "m.gguf")
    for key, array in tensors.items():
        np.testing.assert_array_equal(found[key], array, strict=True)
    wanted = gguf.quants.dequantize(quantized, gguf.GGMLQuantizationType.Q8_0)
    np.testing.assert_array_equal(found["q"], wanted, strict=True)
    assert found.info("q").dtype == "float32" and found.listed("q").dtype == "Q8_0"
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:60])
    with pytest.raises(CheckpointError, match="is not a readable GGUF file"):
        open_checkpoint(tmp_path / "cut.gguf")


@pytest.mark.parametrize(("offset", "why"), [(31, "between multiples of 32 bytes"), (64, "within q8_0.weight")])
def test_gguf_tensors_whose_data_begins_where_none_can_are_refused(offset: int, why: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    data = bytearray((Path(__file__).parents[1] / "data" / "quantized" / "gguf" / "model.gguf").read_bytes())
    moved = "q4_0.weight" if offset % 32 == 0 else "q8_0.weight"
    behind = data.index(moved.encode()) + len(moved) + 4 + 2 * 8 + 4  # its axes, their sizes, its type
    data[behind : behind + 8] = struct.pack("<Q", offset)
    (tmp_path / "moved.gguf").write_bytes(data)
    with pytest.raises(CheckpointError, match=f"is damaged: the data of {moved} begins {why}"):
        open_checkpoint(tmp_path / "moved.gguf")


def test_strict_false_skips_and_says_what() -> None:
    weights = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32), "extra": np.ones(1, np.float32)}
    inputs = {"x": trtnet.Input((1, 3))}
    with pytest.raises(WeightsError, match="0 missing, 1 unexpected"):
        trtnet.define(nn.Linear(3, 2), inputs, weights)
    assert trtnet.define(nn.Linear(3, 2), inputs, weights, strict=False).skipped == ("extra",)
    del weights["bias"]
    with pytest.raises(WeightsError, match="1 missing"):
        trtnet.define(nn.Linear(3, 2), inputs, weights, strict=False)
