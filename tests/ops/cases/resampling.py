"""Sizes, scales, modes and positions of images as torch has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.cases.case import IMAGE, Case, either


def resized(shape: tuple[int | str, ...], *dtypes: str, **options: Any) -> Case:
    label = f"interpolate {shape} {' '.join(f'{k}={v}' for k, v in options.items())}"
    only = {"dtypes": dtypes} if dtypes else {}
    return either(label, lambda f, x: f.interpolate(x, **options), shape, **only)


def grid(name: str, shape: Any, places: Any, **options: Any) -> Case:
    return either(f"grid_sample {name} {options}", lambda f, x, g: f.grid_sample(x, g, **options), shape, places)


def affine(name: str, theta: Any, *more: Any) -> Case:
    def call(f: Any, theta: Any, x: Any, *options: Any) -> Any:
        return f.affine_grid(theta, [theta.shape[0], 3, *x.shape[2:]], *options)

    return either(f"affine_grid of a size {name} {more}", lambda f, t, x: call(f, t, x, *more), theta, ("n", 1, *name))


SIGNAL, VOLUME = ("n", 4, "w"), ("n", 2, "h", "w", 5)
RESAMPLING_CASES = [
    resized((2, 3, 10, 9), scale_factor=0.7),
    resized((2, 3, 10, 9), scale_factor=0.7, mode="bilinear"),
    resized((2, 3, 10, 9), scale_factor=(0.29, 1.05), mode="bicubic"),
    resized(SIGNAL, scale_factor=1.55, mode="linear"),
    resized((1, 2, 4, 5), scale_factor=1.05, mode="nearest"),
    resized((1, 2, 4, 5), scale_factor=1.05, mode="bicubic"),
    resized(SIGNAL, scale_factor=1.05, mode="nearest"),
    resized((1, 2, 3, 3), scale_factor=1.25, mode="bicubic"),
    resized((1, 2, 3, 3), scale_factor=1.25, mode="nearest-exact"),
    resized((1, 2, 3), scale_factor=1.25, mode="nearest"),
    resized(IMAGE, scale_factor=(1 / 3, 1.7), mode="bicubic"),
    resized(VOLUME, scale_factor=(0.8, 1 / 3, 1.6), mode="trilinear"),
    resized(IMAGE, scale_factor=(1 / 3, 2.25), mode="nearest"),
    resized(IMAGE, scale_factor=(1 / 3, 2.25), mode="nearest-exact"),
    resized(IMAGE, scale_factor=(1 / 3, 2.25), mode="bilinear"),
    resized(IMAGE, scale_factor=1.5, mode="bilinear", recompute_scale_factor=True),
    resized(IMAGE, scale_factor=1.5, mode="bicubic", align_corners=True),
    resized(IMAGE, scale_factor=(np.float64(0.5), 3), mode="nearest"),
    resized(IMAGE, size=(np.int64(5), 3)),
    resized(VOLUME, scale_factor=(2, 0.5, 1.2), mode="trilinear"),
    resized(VOLUME, scale_factor=(2, 0.5, 1.2), mode="nearest"),
    resized((2, 3, 1, 1), size=3, mode="bicubic"),
    resized((2, 3, 4, 5), size=1, mode="bilinear", align_corners=True),
    resized((1, 4, 10), size=4, mode="area"),
    resized((2, 3, 7, 9), size=(3, 12), mode="area"),
    resized((2, 3, 7, 9), scale_factor=0.5, mode="area"),
    resized((2, 3, 4, 7, 9), size=2, mode="area"),
    resized((2, 3, 17, 9), "float32", size=(5, 13), mode="bilinear", antialias=True),
    resized((2, 3, 17, 9), "float32", size=(5, 13), mode="bicubic", antialias=True),
    resized(("n", 3, 17, 9), "float32", scale_factor=(0.3, 0.7), mode="bilinear", antialias=True),
    resized((2, 3, 17, 9), "float32", size=(5, 4), mode="bicubic", antialias=True, align_corners=True),
    *(
        grid(f"{len(shape)}-D", shape, places, mode=mode, padding_mode=padding, align_corners=corners)
        for shape, places, modes in (
            (VOLUME, ("n", "s", 2, 3, 3), ("bilinear", "nearest")),
            (IMAGE, ("n", "s", 3, 2), ("bicubic",)),
        )
        for mode in modes
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    ),
    grid("1-sized", ("n", 2, 1, 1, 4), ("n", 3, 1, 2, 3), padding_mode="reflection", align_corners=True),
    affine(("h", "w"), ("n", 2, 3), False),
    affine(("h", "w"), ("n", 2, 3), True),
    affine(("s", 1), ("n", 2, 3), True),
    affine((2, "h", "w"), ("n", 3, 4), False),
    affine((2, 3, 1), ("n", 3, 4), True),
]  # fmt: skip
