"""What cannot be read is refused, with the path, the key, what was found and what to do."""

import gzip
import json
import os
import pathlib
import pickle
import random
import tarfile
import tempfile
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.torch
import torch

from trtnet import checkpoint
from trtnet.checkpoint import rules
from trtnet.support.errors import CheckpointError


def refused(source, *words):
    """Opens and reads everything, wherever the error comes; returns its text."""
    with pytest.raises(CheckpointError) as caught:
        checkpoint.open_checkpoint(source).digest()
    text = str(caught.value)
    for word in (*words, *([str(source)] if isinstance(source, os.PathLike) else [])):
        assert word in text
    return text


def safetensors_bytes(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


# --- the path


def test_missing_file(tmp_path):
    refused(tmp_path / "no.safetensors", "No such file")


def test_folder_lists_what_is_in_it(tmp_path):
    refused(tmp_path, "is a folder without weights")
    (tmp_path / "b.pth").touch()
    (tmp_path / "other.safetensors.index.json").touch()
    refused(tmp_path, "name a file in it: other.safetensors.index.json, b.pth")


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt", "ckpt", "bin", "npz", "index.json"])
def test_empty_and_garbage_files(suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    path.touch()
    refused(path, "empty (0 bytes)")
    for size in (1, 7, 8, 9, 1000):
        path.write_bytes(bytes(random.Random(size).randbytes(size)))
        refused(path)


@pytest.mark.parametrize("name", [f"{'x' * 300}.safetensors", "x" * 300, "a\0b.pth"])
def test_a_name_that_no_file_has(name, tmp_path):
    refused(tmp_path / name, "cannot read the checkpoint")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", "is a pipe, a device or a socket")
    os.mkfifo(tmp_path / "x.toml")
    with pytest.raises(CheckpointError, match=r"x.toml is not a rule file: it is not a regular file"):
        rules.read(tmp_path / "x.toml")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_rules_of_a_name_that_no_file_has(name):
    with pytest.raises(CheckpointError, match="cannot read the rules"):
        rules.read(name)


def test_a_folder_that_may_not_be_entered():
    """As nobody, where this runs as root, whom no folder refuses."""
    with tempfile.TemporaryDirectory() as folder:
        inner = pathlib.Path(folder, "inner")
        inner.mkdir()
        pathlib.Path(folder).chmod(0o755)
        inner.chmod(0o600)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            refused(inner, "Permission denied")
        finally:
            os.seteuid(user)
            inner.chmod(0o700)


def test_unknown_suffix(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"123")
    refused(path, "is not a checkpoint: it begins with the text '123'")


@pytest.mark.parametrize("source", [3, None, ["a"], object()])
def test_not_a_source(source):
    refused(source, "holds no weights")


# --- the wrong name


def write_safetensors(path):
    # 128 bytes of header begin with the byte that begins a pickle.
    header = json.dumps({"a": entry("F32", [1], 0, 4)}).encode().ljust(128)
    path.write_bytes(safetensors_bytes(header, b"1234"))


def write_tar(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("x"))


READABLE = {
    "a safetensors file": write_safetensors,
    "a PyTorch file": lambda path: torch.save({"a": torch.ones(1)}, path),
    "an old PyTorch file": lambda path: torch.save({"a": torch.ones(1)}, path, _use_new_zipfile_serialization=False),
    "an .npz file": lambda path: np.savez(path.open("wb"), a=np.ones(1)),
    "a TorchScript archive": lambda path: torch.jit.save(torch.jit.script(Single()), path),
    "a .wts file of tensorrtx": lambda path: path.write_text("1\na 1 3f800000\n"),
}
NAMES = [
    "x",
    "x.safetensors",
    "x.pth",
    "x.pth.tar",
    "x.npz",
    "x.jit",
    "x.ts",
    "x.torchscript",
    "x.pkl",
    "x.weights",
    "0f3a",
]


class Single(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.a


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("content", READABLE)
@pytest.mark.parametrize("name", NAMES)
def test_the_content_decides(name, content, tmp_path, caplog):
    READABLE[content](tmp_path / name)
    assert list(checkpoint.open_checkpoint(tmp_path / name)) == ["a"]
    assert all("despite its name" in record.message for record in caplog.records)
    if (name, content) == ("x.npz", "a safetensors file"):
        assert f"{tmp_path / name} is a safetensors file, despite its name" in caplog.text


OTHERS = {
    "a Git LFS pointer": lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "a web page": lambda path: path.write_bytes(b"<!DOCTYPE html><html></html>"),
    "a gzip archive": lambda path: path.write_bytes(gzip.compress(b"x" * 99)),
    "a single .npy array": lambda path: np.save(path.open("wb"), np.ones(1)),
    "a zip archive without weights": lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "x"),
    "JSON text": lambda path: path.write_bytes(b'{"error": "Repository not found"}'),
    "the text 'Not Found'": lambda path: path.write_bytes(b"Not Found"),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "the bytes 07 08 ff": lambda path: path.write_bytes(b"\x07\x08\xff\xfe" * 30),
    "a tar archive": lambda path: write_tar(path),
}


@pytest.mark.parametrize("content", OTHERS)
@pytest.mark.parametrize("name", ["x.safetensors", "x.pth", "x.npz", "x.gguf", "x"])
def test_what_is_no_checkpoint(name, content, tmp_path):
    OTHERS[content](tmp_path / name)
    refused(tmp_path / name, "is not a checkpoint", content)


# --- safetensors


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": entry("F32", [4], 0, 16)}, b"\0" * 8, "promises"),
        ({"a": entry("F32", [4], 0, 16)}, b"\0" * 18, "promises"),
        ({"a": entry("F32", [4], 0, 16), "b": entry("F32", [4], 8, 24)}, b"\0" * 24, "b"),
        ({"a": entry("F32", [4], 0, 16), "b": entry("F32", [4], 20, 36)}, b"\0" * 36, "b"),
        ({"a": entry("F32", [5], 0, 16)}, b"\0" * 16, "a has another size than its shape and dtype"),
        ({"a": entry("Q7", [5], 0, 16)}, b"\0" * 16, "Q7"),
        ({"a": entry("F32", [-4], 0, 16)}, b"\0" * 16, "-4"),
        ({"a": entry("F32", [1 << 40, 1 << 40], 0, 16)}, b"\0" * 16, "overflow"),
        ({"a": entry("F32", [0, (1 << 64) - 1], 0, 0)}, b"", "a"),
        ({"a": entry("F32", [1] * 70, 0, 4)}, b"\0" * 4, "impossible shape"),
        ({"a": entry("F32", [1], 4, 0)}, b"\0" * 4, "a"),
        ({"a": {"dtype": "F32"}}, b"", "missing field"),
        ({"a": 3}, b"", "a"),
        ({"__metadata__": {"x": 1}}, b"", "string"),
        (b"[1, 2]", b"", "x.safetensors"),
        (b"{nonsense", b"", "JSON"),
        (b'{"a\xff": 1}', b"", "x.safetensors"),
        ({"a": entry("C64", [1], 0, 8)}, b"\0" * 8, "a has the unsupported dtype C64"),
        ({"a": entry("F4", [2], 0, 1)}, b"\0", "a has the unsupported dtype F4"),
    ],
)  # fmt: skip
def test_bad_safetensors(header, data, words, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(header, data))
    refused(path, words)


@pytest.mark.parametrize("length", [100, 1 << 31, 1 << 60, (1 << 64) - 1])
def test_absurd_header_length(length, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes({}, b"", length))
    refused(path, f"its header alone claims {length:,}")


def test_damaged_safetensors_never_raise_anything_else(tmp_path):
    whole = tmp_path / "whole.safetensors"
    tensors = {"layer.weight": torch.ones(3, 4), "layer.bias": torch.ones(4).bfloat16(), "n": torch.tensor(3)}
    safetensors.torch.save_file(tensors, whole, {"format": "pt"})
    content = whole.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    random_ = random.Random(0)
    path, outcomes = tmp_path / "x.safetensors", set()
    for trial in range(1500):
        damaged = bytearray(content)
        if trial % 3 == 0:
            del damaged[random_.randrange(len(damaged)) :]
        for _ in range(random_.randint(1, 3) if trial % 3 else 0):
            damaged[random_.randrange(header)] = random_.randrange(256)
        path.write_bytes(damaged)
        try:
            opened = checkpoint.open_checkpoint(path)
            for key in opened:
                assert opened[key].nbytes == opened.info(key).nbytes
            outcomes.add("read")
        except CheckpointError as error:
            assert str(path) in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


# --- torch


@pytest.mark.parametrize("zipped", [True, False])
def test_malicious_pickle_is_refused_and_not_run(zipped, tmp_path):
    path, trace = tmp_path / "x.pth", tmp_path / "trace"
    torch.save({"a": torch.ones(1), "evil": Evil(trace)}, path, _use_new_zipfile_serialization=zipped)
    refused(path, "evil is an object of posix.system", "nothing of it was executed")
    path.write_bytes(pickle.dumps(Evil(trace)))
    refused(path, "holds an object of posix.system")
    assert not trace.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("error")
def test_truncated_torch_file(zipped, tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    for keep in (3, 60, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        refused(path)


def test_damaged_torch_files_never_raise_anything_else(tmp_path):
    path, random_ = tmp_path / "x.pth", random.Random(0)
    for zipped in (True, False):
        torch.save({"a": torch.ones(4), "b": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
        content = path.read_bytes()
        for _ in range(100):
            damaged = bytearray(content)
            damaged[random_.randrange(len(damaged))] = random_.randrange(256)
            path.write_bytes(damaged)
            try:
                checkpoint.open_checkpoint(path).digest()
            except CheckpointError as error:
                assert str(path) in str(error)


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({"a": torch.ones(1), "epoch": 3}, "epoch is an int, not a tensor"),
        ({"model": {"a": torch.ones(1), "b": None}}, "b is a NoneType"),
        ({3: torch.ones(1)}, "the key 3 is an int"),
        ({"model": {"a": torch.ones(1)}, "ema": {"a": torch.ones(1)}}, "several state dicts: model, ema"),
        (torch.ones(1), "holds a Tensor, not a state dict"),
        ([torch.ones(1)], "holds a list"),
        ({"a": torch.ones(1, dtype=torch.uint16)}, "a has the unsupported dtype uint16"),
        ({"a": torch.eye(3).to_sparse()}, "a is a sparse tensor"),
    ],
)
def test_not_a_state_dict_of_plain_tensors(saved, words, tmp_path):
    path = tmp_path / "x.pth"
    torch.save(saved, path)
    refused(path, words)


@pytest.mark.filterwarnings("ignore")
def test_live_tensors_without_plain_data():
    refused({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "q is a quantized", "dequantize")
    refused({"s": torch.eye(3).to_sparse_csr()}, "s is a sparse tensor", "to_dense")
    refused(torch.nn.Linear(1, 1, device="meta"), "a live Linear", "meta device")


def test_unsupported_tensor_is_no_obstacle_to_the_others():
    opened = checkpoint.open_checkpoint({"freqs": np.ones(2, np.complex64), "a": np.ones(2)})
    assert opened["a"].tolist() == [1, 1]


def test_mapping_with_other_values():
    refused({"a": [1.0]}, "a is a list")
    refused({"a": np.float32(1)}, "a is a float32, not a tensor")
    refused({"a": np.array([None])}, "a has the unsupported dtype object")


# --- npz


def test_npz_with_objects_is_not_unpickled(tmp_path):
    path, trace = tmp_path / "x.npz", tmp_path / "trace"
    np.savez(path, a=np.array([Evil(trace)], dtype=object))
    refused(path, "a holds Python objects")
    assert not trace.exists()


def test_npz_with_other_content(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(2, np.complex128))
    refused(path, "a has the unsupported dtype complex128")
    np.savez(path, a=np.ones(2, ml_dtypes.float8_e4m3fn))
    refused(path, "a has the unsupported dtype |V1")
    np.savez(path, a=np.ones(2))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "x")
    refused(path, "readme.txt")


def test_damaged_npz_never_raises_anything_else(tmp_path):
    path, random_, refusals = tmp_path / "x.npz", random.Random(0), 0
    for save in (np.savez, np.savez_compressed):
        save(path, a=np.arange(6.0), b=np.ones((2, 2), np.float16))
        content = path.read_bytes()
        for trial in range(300):
            damaged = bytearray(content)
            if trial % 5 == 0:
                del damaged[random_.randrange(len(damaged)) :]
            else:
                damaged[random_.randrange(len(damaged))] = random_.randrange(256)
            path.write_bytes(damaged)
            try:
                checkpoint.open_checkpoint(path).digest()
            except CheckpointError as error:
                assert str(path) in str(error)
                refusals += 1
    assert refusals > 300


# --- sharded


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("[]", 'no "weight_map"'),
        ("{", "not a JSON index"),
        ('{"weight_map": {"a": "../one.safetensors"}}', "beside its index"),
        ('{"weight_map": {"a": 3}}', "beside its index"),
        ('{"weight_map": {"a": "x.index.json"}}', "beside its index"),
        (r'{"weight_map": {"a": "\u0000.safetensors"}}', "safetensors: embedded null byte"),
        (r'{"weight_map": {"a": "\ud800.safetensors"}}', "surrogates not allowed"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "No such file"),
        ('{"weight_map": {"z": "one.safetensors"}}', "places z in one.safetensors, which lacks it"),
    ],
)
def test_bad_index(index, words, tmp_path):
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "one.safetensors")
    path = tmp_path / "x.index.json"
    path.write_text(index)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.open_checkpoint(path)
    assert words in str(caught.value)
