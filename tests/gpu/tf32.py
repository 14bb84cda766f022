"""How far float32 products and convolutions are from float64, by what was said of TF32: run it with the environment
variable NVIDIA_TF32_OVERRIDE unset and set to 0.

    python tests/gpu/tf32.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.comparing import network_of, random_tensor, relative_l2

import trtnet
from trtnet import ops
from trtnet.builder import BuildConfig

KERNEL = random_tensor(16, 16, 3, 3, seed=3).numpy()
CASES = {
    "matmul": (lambda x, y: x @ y, lambda x, y: x @ y, (64, 256), (256, 64)),
    "conv2d": (
        lambda x, y: ops.conv2d(x, KERNEL) + y,
        lambda x, y: torch.nn.functional.conv2d(x, torch.from_numpy(KERNEL).double()) + y,
        (2, 16, 20, 20),
        (1, 1, 1, 1),
    ),
}


if __name__ == "__main__":
    for name, (ours, theirs, *shapes) in CASES.items():
        a, b = (random_tensor(*shape, seed=i) for i, shape in enumerate(shapes))
        for tf32 in (False, True):
            network = network_of(ours, {"x": trtnet.Input(shapes[0]), "y": trtnet.Input(shapes[1])})
            engine = network.build(config=BuildConfig(tf32=tf32))
            error = relative_l2(np.asarray(engine(a.numpy(), b.numpy())), theirs(a.double(), b.double()))
            override = os.environ.get("NVIDIA_TF32_OVERRIDE", "unset")
            print(f"{name:7} tf32={tf32!s:5} NVIDIA_TF32_OVERRIDE={override:5} relative L2 {error:.1e}")
