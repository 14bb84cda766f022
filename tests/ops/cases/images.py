"""The operations on images and signals: convolutions and pools of 1 to 3 axes, resampling, sliding blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, IMAGE, Case, conv, pool
from ops.searching import meanings

from trtnet import ops

RNG = np.random.default_rng(21)
SIGNAL, VOLUME = ("n", 4, "w"), ("n", 2, "h", "w", 5)
W1, W1G, B6 = RNG.standard_normal((6, 4, 3)) / 4, RNG.standard_normal((4, 2, 3)) / 3, RNG.standard_normal(6)
W3 = RNG.standard_normal((3, 2, 3, 2, 2)) / 5
UP1, UP3 = RNG.standard_normal((4, 2, 3)) / 4, RNG.standard_normal((2, 3, 2, 2, 2)) / 3
UP2 = RNG.standard_normal((4, 3, 2, 2)) / 4
B2, B3 = RNG.standard_normal(2), RNG.standard_normal(3)


def weighted(name: str, shape: tuple[int | str, ...], weight: Any, bias: Any = None, **options: Any) -> Case:
    label = f"{name} {' '.join(f'{k}={v}' for k, v in options.items())}"
    ours, theirs = (conv(getattr(library, name), weight, bias, **options) for library in (ops, F))
    return Case(label, ours, theirs, (shape,))


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


def deformed(groups: int, parts: int, masked: bool, **options: Any) -> Case:
    """Kernels of 3 by 2 at places that are moved by up to some pixels."""
    random = np.random.default_rng(3)
    weight = random.standard_normal((4, 4 // parts, 3, 2)).astype(np.float32) / 3
    bias, mask = random.standard_normal(4).astype(np.float32), masked and ("n", 6 * groups, "h", "w")

    def of(function: Any, constant: Any) -> Any:
        def call(x: Any, offset: Any, *mask: Any) -> Any:
            kernel, more = constant(weight, x.dtype), {"mask": mask[0]} if mask else {}
            return function(x, offset * 2, kernel, constant(bias, x.dtype), **options, **more)

        return call

    theirs = of(meanings.deform_conv2d, lambda array, dtype: torch.as_tensor(array).to(dtype))
    shapes = (("n", 4, 6, 7), ("n", 12 * groups, "h", "w"), *([mask] if mask else []))
    name = f"deform_conv2d {groups} {parts} {masked} {options}"
    return Case(name, of(ops.deform_conv2d, ops.cast), theirs, shapes, ("float32",))


def affine(align_corners: bool) -> Case:
    def call(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda theta: function(theta, (2, 3, 4, 5), align_corners)

    def torchs(theta: Any) -> Any:
        return F.affine_grid(theta, [theta.shape[0], 3, 4, 5], align_corners)

    return Case(f"affine_grid {align_corners}", call(ops.affine_grid), torchs, (("n", 2, 3),))


def blocks(name: str, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    ours, theirs = getattr(ops, name), getattr(F, name)
    return Case(
        f"{name} {arguments} {options}",
        lambda x: ours(x, *arguments, **options),
        lambda x: theirs(x, *arguments, **options),
        (shape,),
    )


def shuffled(library: Any) -> Callable[..., Any]:
    return lambda x: library.channel_shuffle(x, 3)


IMAGE_CASES = [
    weighted("conv1d", SIGNAL, W1, B6),
    weighted("conv1d", SIGNAL, W1, B6, stride=2, padding=1, dilation=2),
    weighted("conv1d", SIGNAL, W1G, groups=2, padding="same"),
    weighted("conv3d", VOLUME, W3, B3, stride=(1, 2, 1), padding=(1, 0, 1)),
    weighted("conv_transpose1d", SIGNAL, UP1, B2, stride=2, padding=1, output_padding=1),
    weighted("conv_transpose1d", SIGNAL, UP1, stride=3, groups=2),
    weighted("conv_transpose2d", IMAGE, UP2, B3, stride=3, output_padding=2),
    weighted("conv_transpose3d", VOLUME, UP3, B3, stride=2),
    pool("max_pool1d", 3, 2, 1, shape=SIGNAL),
    pool("max_pool1d", 2, 2, 1, shape=SIGNAL, ceil_mode=True),
    pool("avg_pool1d", 3, shape=SIGNAL),
    pool("max_pool2d", 2, 2, 1, ceil_mode=True),
    pool("avg_pool2d", 2, 2, 1, True),
    pool("avg_pool2d", 2, 2, 1, True, False),
    pool("avg_pool2d", 3, 2, 1, divisor_override=5),
    pool("max_pool3d", (2, 3, 2), 2, shape=VOLUME),
    pool("avg_pool3d", 2, 1, 1, shape=VOLUME),
    pool("adaptive_avg_pool1d", 1, shape=SIGNAL),
    pool("adaptive_avg_pool1d", 3, shape=("n", 4, 8)),
    pool("adaptive_avg_pool2d", (3, None), shape=("n", 4, 7, 5)),
    pool("adaptive_avg_pool3d", (2, 2, 2), shape=("n", 2, 4, 4, 6)),
    pool("adaptive_max_pool1d", 4, shape=("n", 3, 10)),
    pool("adaptive_max_pool2d", 1),
    pool("adaptive_max_pool2d", (2, 3), shape=("n", 3, 4, 9)),
    pool("adaptive_max_pool3d", (2, 3, 1), shape=("n", 2, 4, 7, 5)),
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
    deformed(1, 1, False, padding=1),
    deformed(2, 2, True, stride=(1, 2), dilation=2),
    affine(True),
    affine(False),
    blocks("unfold", IMAGE, 3),
    blocks("unfold", IMAGE, (2, 3), dilation=2, padding=1, stride=(1, 2)),
    blocks("fold", ("n", 8, 12), (4, 5), 2),
    blocks("fold", ("n", 12, 20), (9, 9), (2, 2), padding=1, stride=(2, 3)),
    blocks("pixel_shuffle", ("n", 8, "h", "w"), 2),
    blocks("pixel_unshuffle", ("n", 3, 6, 4), 2),
    Case("channel_shuffle", *(shuffled(m) for m in (ops, torch)), (("n", 6, "h", "w"),)),
    blocks("local_response_norm", IMAGE, 3, 0.1),
    blocks("local_response_norm", ("n", 5, "w"), 2, 0.1, 0.5, 2.0),
]
