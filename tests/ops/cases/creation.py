"""Tensors that are made of nothing: like others, identities, ranges; and values rounded to steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ops.cases.case import NS, Case, of_both

from trtnet import ops


def ones_of(m: Any, x: Any) -> Any:
    return m.ones_like(x) * 2 + m.zeros_like(x) + m.full_like(x, 0.5)


def eye_of(m: Any, x: Any) -> Any:
    return x + (m.eye(3, 4, dtype=x.dtype) if m is torch else m.eye(3, 4, x.dtype))


def dynamic_eye(m: Any, x: Any) -> Any:
    return x + (m.eye(x.shape[1], dtype=x.dtype) if m is torch else m.eye(x.shape[1], None, x.dtype))


def line(m: Any, x: Any) -> Any:
    return x * (m.linspace(-1, 2, 5, dtype=x.dtype) if m is torch else m.linspace(-1, 2, 5, x.dtype))


def fake_quantized(axis: int | None) -> Case:
    scale = np.array([0.03, 0.05, 0.11], np.float32) if axis is not None else np.float32(0.05)

    def call(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            return ops.fake_quantize(x, scale.astype(x.dtype.numpy), axis)
        steps = torch.as_tensor(scale).to(x.dtype)
        steps = steps if axis is None else steps.reshape(1, -1, 1)
        return (x / steps).round().clamp(-128, 127) * steps

    return Case(f"fake_quantize axis={axis}", call, call, (NS,), ("float32", "float16"))


def positions(x: Any) -> Any:
    """0, 1, 2, ... for each row, made of a dynamic size."""
    n, s = x.shape[0], x.shape[1]
    if isinstance(x, torch.Tensor):
        return x + torch.arange(s)[None].expand(n, s)
    return x + ops.arange(s).unsqueeze(0).expand(n, s)


CREATION_CASES = [
    of_both("like", ones_of),
    of_both("eye", eye_of, ("n", 3, 4)),
    of_both("eye dynamic", dynamic_eye, ("n", "s", "s")),
    of_both("linspace", line, ("n", 5)),
    fake_quantized(None),
    fake_quantized(1),
    Case("arange", positions, positions, (("n", "s"),), ("float32",), input_dtypes=("int64",)),
]  # fmt: skip
