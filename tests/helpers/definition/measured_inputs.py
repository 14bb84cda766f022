"""Inputs in MXFP8 and NVFP4, by the formulas of the formats."""

from __future__ import annotations

import ml_dtypes
import numpy as np


def rounded(x: np.ndarray, scheme: str, second: float = 1.0) -> np.ndarray:
    """Floats [..., columns] block by block. scheme: "mxfp8" or "nvfp4". second: the scale of NVFP4's scales."""
    size = 32 if scheme == "mxfp8" else 16
    blocks = x.astype(np.float32).reshape(-1, size)
    largest = np.abs(blocks).max(1, keepdims=True)
    if scheme == "mxfp8":
        scale = 2.0 ** np.ceil(np.log2(np.maximum(largest, 2.0**-118) / 448))
        values = (blocks / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    else:
        stored = np.clip(largest / (6 * second), 2.0**-9, 448).astype(ml_dtypes.float8_e4m3fn)
        scale = stored.astype(np.float32) * np.float32(second)
        values = np.clip(blocks / scale, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
    return (values * scale).reshape(x.shape)
