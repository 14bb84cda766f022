"""Images at other sizes and places, regions of them, and pixels that are channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, IMAGE, Case, functional
from ops.searching import meanings

from trtnet import ops

SIGNAL = ("n", 4, "w")


def resized(shape: tuple[int | str, ...], dtypes: tuple[str, ...] = FLOATS, **options: Any) -> Case:
    label = f"interpolate {' '.join(str(v) for v in options.values())}"
    return Case(label, lambda x: ops.interpolate(x, **options), lambda x: F.interpolate(x, **options), (shape,), dtypes)


def sampled(**options: Any) -> Case:
    """Positions from -1.3 to 1.3, the same for every image."""

    def grid(x: Any) -> np.ndarray:
        return np.random.default_rng(5).uniform(-1.3, 1.3, (1, 3, 4, 2))

    def ours(x: Any) -> Any:
        places = ops.cast(grid(x).astype(np.float32), x.dtype).expand(x.shape[0], 3, 4, 2)
        return ops.grid_sample(x, places, **options)

    def theirs(x: Any) -> Any:
        places = torch.as_tensor(grid(x).astype(np.float32)).to(x.dtype).expand(x.shape[0], 3, 4, 2)
        return F.grid_sample(x, places, **{"align_corners": False, **options})

    return Case(f"grid_sample {' '.join(str(v) for v in options.values())}", ours, theirs, (IMAGE,), ("float32",))


def regions(*options: Any, **named: Any) -> Case:
    """Boxes inside, at the border and outside, two of the first image and one of the last."""
    corners = np.array([[0, 1.5, 2, 9, 7], [0, -3, -2, 2.5, 30], [-1, 40, 40, 50, 60]], np.float32)

    def ours(x: Any) -> Any:
        last = ops.as_tensor(x.shape[0] - 1).float().reshape(1, 1)
        index = ops.cat([np.zeros((2, 1), np.float32), last])
        return ops.roi_align(x, ops.cat([index, corners[:, 1:]], 1), *options, **named)

    def theirs(x: torch.Tensor) -> torch.Tensor:
        boxes = torch.as_tensor(corners)
        boxes[2, 0] = x.shape[0] - 1
        return meanings.roi_align(x, boxes, *options, **named)

    return Case(f"roi_align {options} {named}", ours, theirs, (("n", 3, 8, 10),))


def affine(align_corners: bool) -> Case:
    def call(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda theta: function(theta, (2, 3, 4, 5), align_corners)

    def torchs(theta: Any) -> Any:
        return F.affine_grid(theta, [theta.shape[0], 3, 4, 5], align_corners)

    return Case(f"affine_grid {align_corners}", call(ops.affine_grid), torchs, (("n", 2, 3),))


def shuffled(library: Any) -> Callable[..., Any]:
    return lambda x: library.channel_shuffle(x, 3)


IMAGE_CASES = [
    resized(IMAGE, scale_factor=2.0, mode="nearest"),
    resized(IMAGE, size=(5, 9), mode="nearest"),
    resized(IMAGE, size=(5, 9), mode="nearest-exact"),
    resized(IMAGE, scale_factor=2.0, mode="bilinear"),
    resized(IMAGE, size=(10, 4), mode="bilinear", align_corners=True),
    resized(IMAGE, scale_factor=(1.5, 0.5), mode="bilinear", align_corners=False),
    resized(IMAGE, scale_factor=2.0, mode="bicubic"),
    resized(IMAGE, size=(11, 7), mode="bicubic", align_corners=True),
    resized(SIGNAL, size=13, mode="linear"),
    resized(("n", 2, 3, 4, 5), size=(6, 4, 7), mode="trilinear"),
    *(sampled(mode=mode) for mode in ("bilinear", "nearest", "bicubic")),
    *(sampled(mode="bilinear", padding_mode=p, align_corners=True) for p in ("zeros", "border", "reflection")),
    regions(2, sampling_ratio=2),
    regions((2, 3), 0.5, 1, aligned=True),
    affine(True),
    affine(False),
    functional("pixel_shuffle", ("n", 8, "h", "w"), 2),
    functional("pixel_unshuffle", ("n", 3, 6, 4), 2),
    Case("channel_shuffle", *(shuffled(m) for m in (ops, torch)), (("n", 6, "h", "w"),)),
]  # fmt: skip
