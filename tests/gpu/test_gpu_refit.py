"""Other weights for a built engine, on a real GPU. tests/conftest.py skips these without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.comparing import random_tensor, random_weights, relative_l2
from helpers.ops.convolution_networks import Fire

import trtnet
from trtnet import models
from trtnet.builder import BuildConfig
from trtnet.support import backend, dtypes
from trtnet.support.errors import BuildError, PlanError, WeightsError

pytestmark = pytest.mark.gpu

TOLERANCES = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}
REFIT = BuildConfig(refit=True)


def weights(seed: int, dtype: str = "float16") -> dict[str, np.ndarray]:
    return {key: array.astype(dtypes.get(dtype).numpy) for key, array in random_weights(models.lenet(), seed).items()}


def network(seed: int, dtype: str = "float16") -> trtnet.DefinedNetwork:
    return trtnet.define(models.lenet(), weights=weights(seed, dtype), dtype=dtype)


def image(dtype: str = "float16") -> np.ndarray:
    values = np.random.default_rng(0).standard_normal((3, 1, 28, 28))
    return values.astype(dtypes.get(dtype).numpy)


def equal(engine: trtnet.Engine, seed: int, dtype: str = "float16") -> None:
    expected = network(seed, dtype).reference(exact=True)(image(dtype))
    assert relative_l2(engine(image(dtype)).astype(np.float32), expected) <= TOLERANCES[dtype]


@pytest.fixture(autouse=True)
def a_driver_that_refits() -> None:
    try:
        network(1).build({"batch": 1}, REFIT)
    except BuildError as error:
        if "driver is older" in str(error):
            pytest.skip(str(error).splitlines()[-1].strip())
        raise


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_refitted_engine_computes_with_the_new_weights(dtype: str, tmp_path: Path) -> None:
    if dtype == "float32" and backend.version().startswith("1.4."):
        pytest.skip("TensorRT-RTX 1.4 makes no context for float32 products while NVIDIA_TF32_OVERRIDE is 0")
    engine = network(1, dtype).build({"batch": (1, 2, 4)}, REFIT)
    equal(engine, 1, dtype)
    engine.refit(weights(2, dtype))
    equal(engine, 2, dtype)
    engine.save(tmp_path / "lenet.engine")
    again = trtnet.load(tmp_path / "lenet.engine")
    equal(again, 2, dtype)
    again.refit(weights(3, dtype))
    equal(again, 3, dtype)


def test_weights_that_do_not_fit_leave_the_old_ones() -> None:
    engine = network(1).build({"batch": (1, 2, 4)}, REFIT)
    one = weights(2)
    one.pop("fc1.bias")
    with pytest.raises(WeightsError, match=r"missing: fc1\.bias"):
        engine.refit(one)
    equal(engine, 1)


def test_a_stripped_plan_takes_its_weights_when_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "lenet.engine"
    whole = network(1).build({"batch": (1, 2, 4)}, REFIT)
    stripped = network(1).build({"batch": (1, 2, 4)}, BuildConfig(strip=True))
    assert len(stripped.plan.data) < len(whole.plan.data) - 100_000
    stripped.save(path)
    with pytest.raises(PlanError, match="stripped of its weights"):
        trtnet.load(path)(image())
    equal(trtnet.load(path, weights(1)), 1)


@pytest.mark.parametrize("forms", [{"siblings": "separate"}, {"siblings": "padded"}], ids=["separate", "padded"])
def test_convolutions_that_became_one_are_refitted_by_their_network(forms: dict[str, str]) -> None:
    def fire(seed: int) -> trtnet.DefinedNetwork:
        torch.manual_seed(seed)
        inputs = {"x": trtnet.Input((2, 32, 9, 9))}
        return trtnet.define(Fire(32, 8, 16).eval(), inputs, dtype="float16", forms=forms)

    engine, x = fire(1).build(config=REFIT), random_tensor(2, 32, 9, 9, dtype="float16")
    for seed in (1, 2):
        other = fire(seed)
        engine.refit(other)
        assert relative_l2(engine(x.cuda()).cpu(), other.reference(exact=True)(x)) <= TOLERANCES["float16"]
