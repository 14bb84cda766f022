"""Hugging Face folders, TorchScript archives, GGUF files, and what strict=False skips."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import trtnet
from trtnet import nn
from trtnet.checkpoint import open_checkpoint
from trtnet.errors import CheckpointError, WeightsError


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
    with pytest.raises(CheckpointError, match=r"which is no weight"):
        open_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "owned").exists()


def test_damaged_torchscript_archives_never_raise_anything_else(archive: Path, tmp_path: Path) -> None:
    rng, content = np.random.default_rng(0), archive.read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 20):
            damaged[at] = rng.integers(0, 256)
        (tmp_path / "d.pt").write_bytes(bytes(damaged[: rng.integers(100, len(damaged))]))
        try:
            dict(open_checkpoint(tmp_path / "d.pt"))
        except CheckpointError:
            continue


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
    with pytest.raises(CheckpointError, match=r"m.gguf: q is quantized to Q8_0; trtnet reads F32"):
        found["q"]
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:60])
    with pytest.raises(CheckpointError, match="is not a readable GGUF file"):
        open_checkpoint(tmp_path / "cut.gguf")


def test_strict_false_skips_and_says_what() -> None:
    weights = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32), "extra": np.ones(1, np.float32)}
    inputs = {"x": trtnet.Input((1, 3))}
    with pytest.raises(WeightsError, match="0 missing, 1 unexpected"):
        trtnet.define(nn.Linear(3, 2), inputs, weights)
    assert trtnet.define(nn.Linear(3, 2), inputs, weights, strict=False).skipped == ("extra",)
    del weights["bias"]
    with pytest.raises(WeightsError, match="1 missing"):
        trtnet.define(nn.Linear(3, 2), inputs, weights, strict=False)
