"""Archives and folders of several libraries: TorchScript, torch.export, torch.distributed, split GGUF, .wts, shards."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import trtnet
from trtnet import nn
from trtnet.checkpoint import open_checkpoint, save_wts
from trtnet.support.errors import CheckpointError, WeightsError

pytestmark = pytest.mark.filterwarnings("ignore")


class Stateful(torch.nn.Module):
    """A tensor that is a plain attribute, a complex buffer, and two weights."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 3)
        self._state = torch.zeros(4)
        self.register_buffer("window", torch.ones(3))
        self.register_buffer("freqs", torch.ones(2, dtype=torch.complex64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) + self._state.sum() + self.window + self.freqs.real.sum()


def same(found: Any, wanted: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        if found.listed(key).readable:
            np.testing.assert_array_equal(found[key], value.numpy(), strict=True)


def test_torchscript_has_parameters_and_buffers_alone(tmp_path: Path) -> None:
    module = torch.jit.script(Stateful())
    torch.jit.save(module, tmp_path / "x.torchscript")
    found = open_checkpoint(tmp_path / "x.torchscript")
    same(found, module.state_dict())
    assert found.listed("freqs").dtype == "complex64" and not found.listed("freqs").readable


def test_a_frozen_archive_says_so(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.freeze(torch.jit.script(torch.nn.Linear(2, 2).eval())), tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"is a frozen TorchScript archive \(torch.jit.freeze\)"):
        open_checkpoint(tmp_path / "x.pt")


def test_exported(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).eval()
    torch.export.save(torch.export.export(module, (torch.ones(2, 2),)), tmp_path / "x.pt2")
    same(open_checkpoint(tmp_path / "x.pt2"), module.state_dict())


def test_a_folder_of_torch_distributed(tmp_path: Path) -> None:
    import torch.distributed.checkpoint as dcp

    state = {"model": Stateful().state_dict(), "step": 3}
    dcp.save(state, checkpoint_id=tmp_path / "dcp")
    same(open_checkpoint(tmp_path / "dcp", key="model"), state["model"])  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="has no part 'ema'; its keys begin with model"):
        open_checkpoint(tmp_path / "dcp", key="ema")
    (tmp_path / "dcp" / ".metadata").write_bytes(b"\x80\x04}.")
    with pytest.raises(CheckpointError, match="dcp_to_torch_save"):
        open_checkpoint(tmp_path / "dcp")


def test_a_folder_of_shards(tmp_path: Path) -> None:
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for name, key in zip(names, "ab", strict=True):
        save_file({key: np.ones(2, np.float32)}, tmp_path / name)
    assert set(open_checkpoint(tmp_path)) == {"a", "b"}
    (tmp_path / names[0]).unlink()
    with pytest.raises(CheckpointError, match=r"has 1 of 2 shards: model-00002-of-00002.safetensors"):
        open_checkpoint(tmp_path)


def gguf_file(path: Path, tensors: dict[str, Any], split: tuple[int, int] | None = None, big: bool = False) -> Path:
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE)
    if split:
        writer.add_uint16("split.no", split[0])
        writer.add_uint16("split.count", split[1])
    for key, array in tensors.items():
        writer.add_tensor(key, array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_split_gguf_is_read_whole(tmp_path: Path) -> None:
    first = gguf_file(tmp_path / "m-00001-of-00002.gguf", {"a": np.ones(2, np.float32)}, (0, 2))
    with pytest.raises(CheckpointError, match=r"is the first of 2 parts, and m-00002-of-00002.gguf is not beside it"):
        open_checkpoint(first)
    second = gguf_file(tmp_path / "m-00002-of-00002.gguf", {"b": np.zeros(3, np.float32)}, (1, 2))
    assert set(open_checkpoint(first)) == {"a", "b"}
    with pytest.raises(CheckpointError, match=r"is one of 2 parts of a split GGUF file. Open the first one"):
        open_checkpoint(second)


def test_a_big_endian_gguf(tmp_path: Path) -> None:
    wanted = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "h": np.array([1.5, -2], np.float16)}
    found = open_checkpoint(gguf_file(tmp_path / "b.gguf", wanted, big=True))
    for key, array in wanted.items():
        np.testing.assert_array_equal(found[key], array, strict=True)


def test_wts_both_ways(tmp_path: Path) -> None:
    original = torch.nn.Linear(3, 2)
    # as tensorrtx's gen_wts.py writes it
    lines = [f"{len(original.state_dict())}"]
    for key, value in original.state_dict().items():
        words = [struct.pack(">f", float(number)).hex() for number in value.reshape(-1)]
        lines.append(" ".join([key, str(len(words)), *words]))
    (tmp_path / "x.wts").write_text("\n".join(lines) + "\n")
    network = trtnet.define(nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, tmp_path / "x.wts")
    x = torch.randn(1, 3)
    np.testing.assert_allclose(network.reference()(x), original(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    save_wts(tmp_path / "y.wts", open_checkpoint(original))
    assert (tmp_path / "y.wts").read_text() == (tmp_path / "x.wts").read_text()
    with pytest.raises(WeightsError, match="of another shape"):
        trtnet.define(nn.Linear(4, 2), {"x": trtnet.Input((1, 4))}, tmp_path / "x.wts")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2\na 1 3f800000\n", "it has 1 tensor, its first line says 2"),
        ("2\na 1 3f800000\na 1 3f800000\n", "it has a twice"),
        ("1\na 2 3f800000\n", "a cannot be read: 1 word instead of 2"),
    ],
)
def test_a_damaged_wts(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.wts").write_text(text)
    with pytest.raises(CheckpointError, match=words):
        dict(open_checkpoint(tmp_path / "x.wts"))


def test_a_wts_cannot_hold_everything(tmp_path: Path) -> None:
    for tensors, words in (
        ({"a b": np.ones(1)}, "it has blanks"),
        ({"n": np.array([2**53 + 1])}, "integers that float32"),
    ):
        with pytest.raises(CheckpointError, match=words):
            save_wts(tmp_path / "x.wts", open_checkpoint(tensors))
    assert not (tmp_path / "x.wts").exists()
