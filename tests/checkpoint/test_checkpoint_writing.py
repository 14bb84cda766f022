"""Written files are whole, deterministic, and read by the safetensors library too."""

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from trtnet import checkpoint
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError, FileError, WeightsError

TENSORS = {
    "mask": np.array([True, False, True]),
    "b.weight": np.array([[3e38, 1e-40]], ml_dtypes.bfloat16),
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "quantized": np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn),
    "scale": np.array([1, 2], ml_dtypes.float8_e8m0fnu),
    "step": np.array(7, np.int64),
    "empty": np.zeros((0, 4), np.float16),
    "ключ": np.ones(1, np.float64),
}


def saved(path, tensors=TENSORS, **arguments):
    checkpoint.save_safetensors(path, tensors, **arguments)
    return path


class Failing(checkpoint.Checkpoint):
    """A lazy checkpoint whose last tensor cannot be read."""

    def __init__(self):
        super().__init__("failing", ["a", "z"])

    def _spec(self, key):
        return checkpoint.TensorSpec((2,), dtypes.float32)

    def _read(self, key):
        if key == "z":
            raise CheckpointError("z is damaged")
        return np.ones(2, np.float32)


def test_round_trip(tmp_path):
    opened = checkpoint.open_checkpoint(saved(tmp_path / "a.safetensors"))
    assert set(opened) == set(TENSORS)
    for key, array in TENSORS.items():
        assert opened[key].dtype == array.dtype
        assert opened[key].shape == array.shape
        assert opened[key].tobytes() == array.tobytes()
        assert not opened[key].flags.owndata


def test_the_library_reads_it(tmp_path):
    read = safetensors.torch.load_file(saved(tmp_path / "a.safetensors"))
    assert set(read) == set(TENSORS)
    assert read["b.weight"].dtype == torch.bfloat16
    assert read["quantized"].view(torch.uint8).tolist() == list(range(256))
    assert checkpoint.open_checkpoint(read).digest() == checkpoint.open_checkpoint(TENSORS).digest()


def test_order_of_the_source_does_not_show(tmp_path):
    one = saved(tmp_path / "a.safetensors", metadata={"x": "1", "y": "2"})
    shuffled = dict(reversed(TENSORS.items()))
    two = saved(tmp_path / "b.safetensors", shuffled, metadata={"y": "2", "x": "1"})
    assert one.read_bytes() == two.read_bytes()


def test_metadata_and_digest(tmp_path):
    opened = checkpoint.open_checkpoint(saved(tmp_path / "a.safetensors", metadata={"format": "pt"}))
    assert opened.metadata == {"format": "pt", "trtnet.digest": opened.digest()}


def test_no_tensors(tmp_path):
    assert len(checkpoint.open_checkpoint(saved(tmp_path / "a.safetensors", {}))) == 0


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize(
    ("tensors", "error"),
    [
        (Failing(), "z is damaged"),
        ({"a": np.ones(2, np.uint16)}, "unsupported dtype"),
        ({"a": np.ones(2, ml_dtypes.int4)}, "a is int4, which a .safetensors file cannot hold"),
        ({"__metadata__": np.ones(2)}, "cannot hold a tensor named __metadata__"),
        ({"a": [1]}, "a is a list"),
    ],
)
def test_failure_leaves_nothing(tensors, error, before, tmp_path):
    path = tmp_path / "a.safetensors"
    if before:
        path.write_bytes(before)
    with pytest.raises(CheckpointError, match=error):
        checkpoint.save_safetensors(path, tensors)
    assert [f.name for f in tmp_path.iterdir()] == ([path.name] if before else [])
    assert not before or path.read_bytes() == before


def test_metadata_must_be_text(tmp_path):
    with pytest.raises(CheckpointError, match="'epoch': 3 is not text"):
        checkpoint.save_safetensors(tmp_path / "a.safetensors", TENSORS, {"epoch": 3})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [np.ones(3, np.float32), np.ones(2, np.float64)])
def test_what_is_read_is_what_was_announced(other, tmp_path):
    failing = Failing()
    failing._read = lambda key: other if key == "z" else np.ones(2, np.float32)
    with pytest.raises(
        CheckpointError, match=r"failing: z was declared as \[2\] float32, but read as \[\d\] float\d\d"
    ):
        checkpoint.save_safetensors(tmp_path / "a.safetensors", failing)
    assert list(tmp_path.iterdir()) == []


def test_half_a_pair_of_utf16_is_no_text(tmp_path):
    with pytest.raises(CheckpointError, match=r"the key 'a\\ud800' is not text that a file can hold"):
        checkpoint.open_checkpoint({"a\ud800": np.ones(1)})
    torch.save({"a\ud800": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x.pth: the key 'a\\ud800' is not text"):
        checkpoint.open_checkpoint(tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"the metadata 'a': '\\ud800' is not text"):
        checkpoint.save_safetensors(tmp_path / "a.safetensors", TENSORS, {"a": "\ud800"})


def test_missing_folder(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*no/a.safetensors: there is no folder .*no: make it first"):
        checkpoint.save_safetensors(tmp_path / "no" / "a.safetensors", TENSORS)


@pytest.mark.parametrize("suffix", ["pth", "npz", "safetensors"])
def test_convert_keeps_content(suffix, tmp_path):
    path, out = tmp_path / f"in.{suffix}", tmp_path / "out.safetensors"
    tensors = {"w": torch.randn(3, 4), "n": torch.tensor(3), "m": torch.tensor([True])}
    if suffix == "pth":
        torch.save({"state_dict": tensors, "epoch": 1}, path)
    elif suffix == "npz":
        np.savez(path, **{key: tensor.numpy() for key, tensor in tensors.items()})
    else:
        safetensors.torch.save_file(tensors, path, {"format": "pt"})
    steps = []
    checkpoint.convert(path, out, progress=lambda done, total: steps.append((done, total)))
    opened = checkpoint.open_checkpoint(out)
    assert opened.digest() == checkpoint.open_checkpoint(path).digest() == opened.metadata["trtnet.digest"]
    assert (opened.metadata.get("format") == "pt") == (suffix == "safetensors")
    assert steps == [(8, 57), (56, 57), (57, 57)]


def test_convert_casts_floating_tensors_only(tmp_path):
    out = tmp_path / "out.safetensors"
    source = checkpoint.open_checkpoint({"w": np.ones(3, np.float32), "n": np.array([2**40]), "m": np.array([True])})
    checkpoint.convert(source, out, dtype="bfloat16")
    opened = checkpoint.open_checkpoint(out)
    assert [opened.info(key).dtype.name for key in ("w", "n", "m")] == ["bfloat16", "int64", "bool"]
    assert opened["n"].tolist() == [2**40]
    assert opened.metadata["trtnet.digest"] == opened.digest()
    assert source["w"].tolist() == [1, 1, 1]


def test_convert_onto_itself(tmp_path):
    path = saved(tmp_path / "a.safetensors", {"w": np.ones(3, np.float32)})
    checkpoint.convert(path, path, dtype="float16")
    assert checkpoint.open_checkpoint(path).info("w").dtype is dtypes.float16


def test_convert_that_overflows_leaves_nothing(tmp_path):
    with pytest.raises(WeightsError, match="big"):
        checkpoint.convert({"a": np.ones(2), "big": np.array([1e9])}, tmp_path / "out.safetensors", "float16")
    assert list(tmp_path.iterdir()) == []


def test_a_large_lazy_source_stays_lazy(tmp_path):
    """At most one tensor is alive at a time."""

    class Counting(checkpoint.Checkpoint):
        reads = 0

        def _spec(self, key):
            return checkpoint.TensorSpec((1000,), dtypes.float32)

        def _read(self, key):
            Counting.reads += 1
            return np.full(1000, Counting.reads, np.float32)

    saved(tmp_path / "a.safetensors", Counting("counting", [f"k{i}" for i in range(20)]))
    assert Counting.reads == 20
