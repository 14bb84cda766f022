"""The weights themselves: LeNet's are in the repository, EfficientNet-Lite0's in a package that CI installs."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import CheckpointError
from trtnet.weights import efficientnet_lite0, train_lenet


def published_is_installed() -> bool:
    try:
        return metadata.version(efficientnet_lite0.PACKAGE) == efficientnet_lite0.VERSION
    except metadata.PackageNotFoundError:
        return False


needs_package = pytest.mark.skipif(not published_is_installed(), reason=f"needs {efficientnet_lite0.PACKAGE}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trtnet"


def test_the_committed_lenet_names_held_out_digits() -> None:
    model = train_lenet.LeNet()
    model.load_state_dict(load_file(train_lenet.WEIGHTS))
    _, _, images, labels = train_lenet.load_digits_28()
    found = train_lenet.accuracy(model, images, labels)
    with safe_open(train_lenet.WEIGHTS, "np") as file:
        assert float(file.metadata()["accuracy"]) == pytest.approx(found, abs=0.01)
    assert found >= 0.97


def test_the_digits_are_split_the_same_way_each_time() -> None:
    first, second = train_lenet.load_digits_28(), train_lenet.load_digits_28()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    train_x, train_y, test_x, test_y = first
    assert train_x.shape == (1437, 1, 28, 28) and test_x.shape == (360, 1, 28, 28)
    assert train_x.dtype == np.float32 and train_x.min() == 0 and train_x.max() == 1
    assert not {image.tobytes() for image in train_x} & {image.tobytes() for image in test_x}
    shares = np.bincount(test_y) / np.bincount(np.concatenate((train_y, test_y)))
    assert np.all(np.abs(shares - 0.2) < 0.01)


def test_training_is_deterministic_and_learns() -> None:
    train_x, train_y, test_x, test_y = train_lenet.load_digits_28()
    first = train_lenet.train(train_x, train_y, epochs=2)
    second = train_lenet.train(train_x, train_y, epochs=2)
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    assert train_lenet.accuracy(first, test_x, test_y) > 0.3


@needs_package
def test_the_published_file_is_the_one_we_name() -> None:
    assert hashlib.sha256(efficientnet_lite0.pth().read_bytes()).hexdigest() == efficientnet_lite0.SHA256


@needs_package
def test_the_conversion_keeps_every_tensor_bit_for_bit(cache: Path) -> None:
    path = efficientnet_lite0.safetensors()
    assert path.parent == cache
    original = torch.load(efficientnet_lite0.pth(), weights_only=True)
    converted = load_file(path)
    assert set(original) == set(converted)
    for key, value in original.items():
        assert value.dtype == converted[key].dtype, key
        assert torch.equal(value, converted[key]), key


@needs_package
def test_the_conversion_is_made_once_and_again_if_damaged(cache: Path) -> None:
    path = efficientnet_lite0.safetensors()
    made = path.stat().st_mtime_ns
    assert efficientnet_lite0.safetensors().stat().st_mtime_ns == made
    path.write_bytes(path.read_bytes()[:1000])
    with open_checkpoint(efficientnet_lite0.safetensors()) as checkpoint:
        assert checkpoint.digest() == checkpoint.metadata["trtnet.digest"]


@needs_package
def test_it_is_written_where_it_is_asked_for(cache: Path, tmp_path: Path) -> None:
    assert efficientnet_lite0.safetensors(tmp_path / "x.safetensors") == tmp_path / "x.safetensors"
    assert not cache.exists()
    with pytest.raises(CheckpointError, match="cannot write"):
        efficientnet_lite0.safetensors(tmp_path / "missing" / "x.safetensors")
