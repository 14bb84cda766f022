"""Engines on a GPU against PyTorch: every dtype, batch, kind of array and way to call."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import network_of, relative_l2
from helpers.originals import randomize
from helpers.threads import in_threads

import trtnet
from trtnet import models, ops
from trtnet.support.errors import InputError, ProfileError

pytestmark = pytest.mark.gpu

BATCHES = (1, 32)
MODELS = {
    "lenet": (models.lenet, originals.LeNet),
    "unet": (models.unet, originals.UNet),
    "resnet18": (models.resnet18, lambda: originals.resnet("resnet18")),
    "efficientnet_lite0": (models.efficientnet_lite0, originals.efficientnet_lite0),
    "resnet50": (models.resnet50, lambda: originals.resnet("resnet50")),
}
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 6e-2}


@pytest.fixture(autouse=True)
def no_tf32() -> Iterator[None]:
    """PyTorch's own convolutions use TensorFloat-32 unless told not to."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@lru_cache
def original(name: str) -> torch.nn.Module:
    return randomize(MODELS[name][1]())


@lru_cache
def on_gpu(name: str) -> torch.nn.Module:
    return copy.deepcopy(original(name)).cuda()


@lru_cache
def engine(name: str, dtype: str) -> trtnet.Engine:
    network = trtnet.define(MODELS[name][0](), weights=original(name), dtype=dtype)
    return network.build({"batch": (1, 8, 32)})


def image(name: str, batch: int) -> torch.Tensor:
    shape = MODELS[name][0]().inputs["image"].shape[1:]
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))


def wanted(name: str, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return on_gpu(name)(x.cuda()).cpu()


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", MODELS)
def test_numpy_equals_pytorch(name: str, batch: int, dtype: str) -> None:
    x = image(name, batch)
    numpy = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[dtype]
    found = engine(name, dtype)(x.numpy().astype(numpy))
    assert isinstance(found, np.ndarray) and found.dtype == numpy
    assert np.isfinite(found.astype(np.float32)).all()
    expected = wanted(name, x)
    assert relative_l2(found.astype(np.float32), expected) <= TOLERANCES[dtype]
    if dtype == "float16":
        cosine = torch.nn.functional.cosine_similarity(
            torch.from_numpy(found.astype(np.float32)).flatten(), expected.flatten(), dim=0
        )
        assert float(cosine) >= 0.9999


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", MODELS)
def test_torch_equals_pytorch_without_a_copy(name: str, batch: int, dtype: str) -> None:
    x = image(name, batch)
    found = engine(name, dtype)(x.cuda().to(getattr(torch, dtype)))
    assert found.is_cuda and found.dtype == getattr(torch, dtype)
    assert relative_l2(found.float().cpu(), wanted(name, x)) <= TOLERANCES[dtype]


@pytest.mark.parametrize("name", MODELS)
def test_the_engine_equals_the_reference(name: str) -> None:
    x = image(name, 2)
    network = trtnet.define(MODELS[name][0](), weights=original(name))
    assert relative_l2(engine(name, "float32")(x.numpy()), network.reference()(x.numpy())) <= 1e-4


def test_two_contexts_in_two_threads() -> None:
    one = engine("resnet18", "float32")
    sessions = [one.session(), one.session()]

    def work(seed: int) -> None:
        for i in range(10):
            x = image("resnet18", 1 + (seed + i) % 4)
            assert relative_l2(sessions[seed](x.numpy()), expected[len(x)]) <= 1e-4

    expected = {n: wanted("resnet18", image("resnet18", n)) for n in range(1, 5)}
    in_threads(work, 2)


def test_many_threads_on_one_engine_with_torch() -> None:
    one = engine("lenet", "float32")

    def work(seed: int) -> None:
        with torch.cuda.stream(torch.cuda.Stream()):
            for i in range(20):
                x = image("lenet", 1 + (seed * 7 + i) % 32)
                assert relative_l2(one(x.cuda()).cpu(), expected[len(x)]) <= 1e-4

    expected = {n: wanted("lenet", image("lenet", n)) for n in range(1, 33)}
    in_threads(work)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_asynchronous_calls(kind: str) -> None:
    one = engine("resnet18", "float32")
    inputs = [image("resnet18", n) for n in (1, 4, 2)]
    pending = [one.submit(x.numpy() if kind == "numpy" else x.cuda()) for x in inputs]
    for x, call in reversed(list(zip(inputs, pending, strict=True))):
        found = call.result()
        assert relative_l2(found if kind == "numpy" else found.cpu(), wanted("resnet18", x)) <= 1e-4


def test_one_session_alternates_numpy_and_torch_on_other_streams() -> None:
    session = engine("lenet", "float32").session()
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    for i in range(12):
        x = image("lenet", 1 + i % 5)
        if i % 3 == 0:
            found: Any = session(x.numpy())
        else:
            with torch.cuda.stream(streams[i % 2]):
                found = session(x.cuda()).cpu()
        assert relative_l2(found, wanted("lenet", x)) <= 1e-4


def test_results_are_ordered_on_the_callers_stream() -> None:
    one = engine("lenet", "float32")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        x = image("lenet", 32).cuda()
        for _ in range(50):
            y = one(x * 1.0)
        total = (y * 2).cpu()
    assert relative_l2(total, wanted("lenet", image("lenet", 32)) * 2) <= 1e-4


def test_profiles_and_non_contiguous_inputs() -> None:
    network = network_of(lambda x: ops.relu(x) * 2 + 1, {"x": trtnet.Input(("n", 3))})
    one = network.build([{"n": (1, 2, 4)}, {"n": (8, 16, 64)}])
    session = one.session()
    for n in (1, 64, 3, 8):
        x = np.random.default_rng(n).standard_normal((n, 6)).astype(np.float32)[:, ::2]
        np.testing.assert_allclose(session(x), np.maximum(x, 0) * 2 + 1, rtol=1e-6)
        tensor = torch.from_numpy(np.ascontiguousarray(x.T)).cuda().T
        np.testing.assert_allclose(session(tensor).cpu().numpy(), np.maximum(x, 0) * 2 + 1, rtol=1e-6)
    with pytest.raises(ProfileError, match="profile 1: x from 8x3 to 64x3"):
        one(np.ones((5, 3), np.float32))


def test_torch_on_the_cpu_is_refused() -> None:
    with pytest.raises(InputError, match=r"on cpu; give tensor\.cuda\(\) or tensor\.numpy\(\)"):
        engine("lenet", "float32")(image("lenet", 1))


def test_saved_and_loaded(tmp_path: Path) -> None:
    engine("lenet", "float16").save(tmp_path / "l.engine")
    loaded = trtnet.load(tmp_path / "l.engine")
    x = image("lenet", 4)
    found = loaded(x.numpy().astype(np.float16))
    np.testing.assert_array_equal(found, engine("lenet", "float16")(x.numpy().astype(np.float16)))
