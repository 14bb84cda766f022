"""Every format gives the same arrays, bit for bit, and opening a checkpoint reads nothing."""

import json
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.torch
import torch

from trtnet import checkpoint
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError, DependencyError

TORCH = {
    "weight.f32": torch.tensor([[1.0, -2.5], [float("nan"), 3e38]]),
    "weight.f16": torch.tensor([65504.0, -0.0], dtype=torch.float16),
    # Values that float16 cannot hold, and a NaN with a payload.
    "weight.bf16": torch.tensor([0x7F7F, 0x0001, 0x7FC1, -0x8000], dtype=torch.int16).view(torch.bfloat16),
    "weight.e4m3": torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn),
    "weight.e5m2": torch.arange(256, dtype=torch.uint8).view(torch.float8_e5m2),
    "count": torch.tensor(2**62 + 1),
    "mask": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 3),
    "bytes": torch.arange(5, dtype=torch.uint8),
}  # fmt: skip
CARRIER = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
ML = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}
FORMATS = [
    "safetensors",
    "pth",
    "old.pt",
    "bin",
    "npz",
    "compressed.npz",
    "torch mapping",
    "numpy mapping",
    "module",
]


def arrays():
    """TORCH as numpy arrays, converted here without trtnet."""
    out = {}
    for key, tensor in TORCH.items():
        name = str(tensor.dtype).removeprefix("torch.")
        if name in ML:
            width = torch.int16 if tensor.element_size() == 2 else torch.uint8
            out[key] = tensor.view(width).numpy().view(ML[name])
        else:
            out[key] = tensor.numpy()
    return out


class Holder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Module()
        for key, tensor in TORCH.items():
            owner = self.weight if "." in key else self
            owner.register_buffer(key.rpartition(".")[2], tensor)


# trtnet/__init__.py imports everything; a bare package in its place shows what trtnet.checkpoint itself imports.
BARE = f"""
import sys, types
package = sys.modules["trtnet"] = types.ModuleType("trtnet")
package.__path__ = [{str(Path(dtypes.__file__).parent)!r}]
from trtnet import checkpoint
"""


def stored(form):
    """The keys that a format can hold: numpy's and torch's old one know no float8."""
    return [key for key in TORCH if not (form.endswith(("npz", "old.pt")) and "float8" in str(TORCH[key].dtype))]


def source(form, folder: Path):
    path = folder / f"weights.{form}"
    numpy_writable = {key: arrays()[key] for key in stored("npz")}
    if form == "safetensors":
        safetensors.torch.save_file(TORCH, path)
    elif form in ("pth", "bin"):
        torch.save(TORCH, path)
    elif form == "old.pt":
        torch.save({key: TORCH[key] for key in stored(form)}, path, _use_new_zipfile_serialization=False)
    elif form == "npz":
        np.savez(path, **numpy_writable)
    elif form == "compressed.npz":
        np.savez_compressed(path, **numpy_writable)
    elif form == "torch mapping":
        return dict(TORCH)
    elif form == "numpy mapping":
        return arrays()
    else:
        return Holder()
    return path


def bits(array):
    return array.view(CARRIER[array.dtype.itemsize])


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip_is_bit_exact(form, tmp_path):
    wanted = {key: arrays()[key] for key in stored(form)}
    with checkpoint.open_checkpoint(source(form, tmp_path)) as opened:
        assert set(opened) == set(wanted)
        assert len(opened) == len(wanted)
        for key, array in wanted.items():
            assert key in opened
            assert opened.info(key) == checkpoint.TensorSpec(array.shape, dtypes.get(array.dtype))
            read = opened[key]
            assert type(read) is np.ndarray
            assert read.dtype == array.dtype
            assert read.shape == array.shape
            assert read.flags.c_contiguous
            assert read.flags.aligned
            np.testing.assert_array_equal(bits(read), bits(array))


@pytest.mark.parametrize("form", FORMATS)
def test_digest_depends_on_content_alone(form, tmp_path):
    shuffled = {key: arrays()[key] for key in sorted(stored(form), reverse=True)}
    digest = checkpoint.open_checkpoint(shuffled).digest()
    assert len(digest) == 64
    assert checkpoint.open_checkpoint(source(form, tmp_path)).digest() == digest


@pytest.mark.parametrize(
    "other",
    [
        {"b": np.zeros(4, np.float32)},
        {"a": np.zeros((2, 2), np.float32)},
        {"a": np.zeros(4, np.int32)},
        {"a": np.array([0, 0, 0, 1], np.float32)},
        {"a": np.array([0, 0, 0, -0.0], np.float32)},
        {},
    ],
)
def test_digest_sees_every_difference(other):
    one = checkpoint.open_checkpoint({"a": np.zeros(4, np.float32)})
    assert one.digest() != checkpoint.open_checkpoint(other).digest()


@pytest.mark.parametrize("container", ["state_dict", "model_state_dict", "model", "ema"])
def test_training_checkpoint(container, tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({container: {"a": torch.ones(2)}, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}}, path)
    assert list(checkpoint.open_checkpoint(path)) == ["a"]


def test_strided_and_swapped_arrays():
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    opened = checkpoint.open_checkpoint({"t": base.T, "big": base.astype(">f4"), "fortran": np.asfortranarray(base)})
    for key, wanted in (("t", base.T), ("big", base), ("fortran", base)):
        np.testing.assert_array_equal(opened[key], wanted)
        assert opened[key].flags.c_contiguous
        assert opened[key].dtype.isnative
        assert opened.info(key).dtype is dtypes.float32


def test_torch_views_and_gradients():
    base = torch.arange(6.0).reshape(2, 3)
    tensors = {"view": base.t(), "grad": torch.nn.Parameter(base), "expanded": base[:1].expand(4, 3)}
    opened = checkpoint.open_checkpoint(tensors)
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(opened[key], tensor.detach().numpy())


def test_memory_is_shared_where_it_can_be(tmp_path):
    array, tensor = np.ones(3, np.float32), torch.ones(3, dtype=torch.bfloat16)
    opened = checkpoint.open_checkpoint({"array": array, "tensor": tensor})
    assert np.shares_memory(opened["array"], array)
    assert opened["tensor"].ctypes.data == tensor.data_ptr()
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": tensor, "b": torch.ones(5)}, path)
    mapped = checkpoint.open_checkpoint(path)
    assert np.shares_memory(mapped["a"], mapped["a"])
    assert not mapped["a"].flags.owndata


def test_misaligned_safetensors_are_read(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * ((3 - len(header)) % 8)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.array([1, 2], np.float32).tobytes())
    array = checkpoint.open_checkpoint(path)["a"]
    assert array.flags.aligned
    assert array.tolist() == [1, 2]


def test_opening_two_gigabytes_reads_nothing(tmp_path):
    size = 2 << 30
    header = json.dumps({"big": {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "big.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    script = f"""{BARE}
import resource, time
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
opened = checkpoint.open_checkpoint({str(path)!r})
assert opened.info("big").shape == ({size // 2},)
seconds = time.process_time() - start
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(seconds, grown)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    seconds, grown = map(float, out.split())
    assert seconds < 1
    assert grown < 50_000


def test_importing_needs_neither_torch_nor_tensorrt():
    script = f"""{BARE}
import numpy as np
checkpoint.open_checkpoint({{"a": np.zeros(2)}}).digest()
assert not {{"torch", "tensorrt", "tensorrt_rtx"}} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_torch_file_without_torch(tmp_path, monkeypatch):
    path = source("pth", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match=r"pip install 'trtnet\[torch\]'"):
        checkpoint.open_checkpoint(path)


def test_safetensors_without_torch(tmp_path, monkeypatch):
    path = source("safetensors", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert checkpoint.open_checkpoint(path)["weight.bf16"].dtype == ml_dtypes.bfloat16


def sharded(folder: Path, **changes):
    safetensors.torch.save_file({"a": torch.ones(2)}, folder / "one.safetensors")
    torch.save({"b": torch.zeros(3)}, folder / "two.bin")
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.bin"} | changes}))
    return path


def test_sharded_index(tmp_path):
    with checkpoint.open_checkpoint(sharded(tmp_path)) as opened:
        assert opened.info("b").shape == (3,)
        assert opened["a"].tolist() == [1, 1]
        together = {"a": np.ones(2, np.float32), "b": np.zeros(3, np.float32)}
        assert opened.digest() == checkpoint.open_checkpoint(together).digest()


def test_closing(tmp_path):
    with checkpoint.open_checkpoint(source("safetensors", tmp_path)) as opened:
        kept = opened["weight.f16"]
    opened.close()
    assert kept[0] == 65504
    for read in (opened.__getitem__, opened.info):
        with pytest.raises(CheckpointError, match="is closed"):
            read("weight.f16")


def test_mapping_manners(tmp_path):
    path = source("safetensors", tmp_path)
    opened = checkpoint.open_checkpoint(str(path))
    assert checkpoint.open_checkpoint(opened) is opened
    assert opened.name == str(path)
    assert "nothing" not in opened
    assert opened.get("nothing") is None
    with pytest.raises(KeyError, match="nothing"):
        opened["nothing"]
    assert "tensors" in repr(opened)


def test_opening_many_tensors_is_fast():
    many = {f"layers.{i}.weight": np.zeros(1, np.float32) for i in range(20_000)}
    start = time.process_time()
    opened = checkpoint.open_checkpoint(many)
    assert all(opened.info(key).shape == (1,) for key in opened)
    assert time.process_time() - start < 2
