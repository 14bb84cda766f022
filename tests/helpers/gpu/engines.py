"""Small engines on a GPU, and what is given to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import torch
from helpers.comparing import network_of
from helpers.gpu import raw

import trtnet
from trtnet import ops
from trtnet.runtime import Engine

NUMPY = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
PROFILES = ((1, 2, 8), (9, 16, 4096))


@lru_cache
def engine(dtype: str = "float32", body: Callable[..., Any] = raw.relu_of_double) -> Engine:
    return Engine(raw.plan(*raw.network(body, dtype), dtype, *PROFILES))


def x(n: int = 2, dtype: str = "float32") -> np.ndarray:
    """Small integers, so that every dtype gives exact results."""
    return (np.arange(n * raw.COLUMNS).reshape(n, raw.COLUMNS) % 9 - 4).astype(NUMPY[dtype])


def y(values: np.ndarray) -> np.ndarray:
    return np.maximum(values.astype(np.float32) * 2, 0)


def equal(found: Any, given: np.ndarray) -> None:
    if isinstance(found, torch.Tensor):
        found = found.float().cpu().numpy()
    np.testing.assert_array_equal(np.asarray(found, np.float32), y(given))


def on_gpu(values: np.ndarray, dtype: str = "float32") -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).cuda().to(getattr(torch, dtype))


def mixing() -> Engine:
    """Products, a softmax and two outputs: more than one kernel, and scratch memory."""
    n = {"x": trtnet.Input(("n", 64, 64), "float16")}

    def body(x: Any) -> dict[str, Any]:
        return {"mixed": ops.softmax(x @ x.permute(0, 2, 1), -1) @ x, "twice": x * 2}

    return network_of(body, n, "float16").build([{"n": (1, 2, 8)}, {"n": (9, 16, 64)}])


def batch(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    return torch.randn(n, 64, 64, generator=generator, device="cuda", dtype=torch.float16) * 0.3
