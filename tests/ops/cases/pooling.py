"""Pools of every argument: without a batch, with places, of whole axes, to sizes of inputs that are not known."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from ops.cases.case import FLOATS, IMAGE, Case, either

from trtnet import ops

ALONE, SIGNAL, VOLUME = (4, "h", "w"), ("n", 4, "w"), ("n", 2, "h", "w", 5)


def pool(name: str, *arguments: Any, shape: tuple[int | str, ...] = IMAGE, **options: Any) -> Case:
    ours, theirs = getattr(ops, name), getattr(F, name)
    label = f"{name}{arguments}{''.join(options)}"
    return Case(label, lambda x: ours(x, *arguments, **options), lambda x: theirs(x, *arguments, **options), (shape,))


def pooled(name: str, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    only = {"dtypes": options.pop("dtypes", FLOATS)}
    label = f"{name} {shape} {arguments} {options}"
    return either(label, lambda f, x: getattr(f, name)(x, *arguments, **options), shape, **only)


def places(rank: int, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    def call(f: Any, x: Any) -> Any:
        return getattr(f, f"max_pool{rank}d")(x, *arguments, return_indices=True, **options)[1]

    return either(f"places of max_pool{rank}d {arguments} {options}", call, shape, dtypes=("float32",))


POOL_CASES = [
    pool("max_pool2d", 3, 2, 1),
    pool("max_pool2d", 2, ceil_mode=True),
    pool("avg_pool2d", 3, 2, 1),
    pool("avg_pool2d", 3, 2, 1, count_include_pad=False),
    pool("adaptive_avg_pool2d", 1),
    pool("adaptive_avg_pool2d", (2, 4), shape=("n", 3, 6, 8)),
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
    pooled("max_pool1d", (4, "w"), 3, 2, 1),
    pooled("max_pool2d", ALONE, (3, 2), 2, 1, ceil_mode=True),
    pooled("max_pool2d", IMAGE, 3, 2, 1, 2),
    pooled("max_pool2d", IMAGE, 2, 3, 1, (2, 1), True),
    pooled("max_pool2d", IMAGE, (2, 2), dtypes=("float32",)),
    pooled("avg_pool1d", (4, "w"), 3, 2, 1, True),
    pooled("avg_pool2d", ALONE, [2], 2, 1, count_include_pad=False),
    pooled("avg_pool2d", IMAGE, 3, 2, 1, True, divisor_override=5),
    pooled("avg_pool3d", VOLUME, 2, 3, 1, True, divisor_override=-3),
    pooled("avg_pool3d", (2, "h", "w", 5), 2, 2, 1, True, False),
    either("avg_pool2d of whole axes", lambda f, x: f.avg_pool2d(x, x.shape[2:]), IMAGE),
    either("max_pool2d of whole axes", lambda f, x: f.max_pool2d(x, x.shape[2:]), IMAGE),
    either("avg_pool2d of one whole axis", lambda f, x: f.avg_pool2d(x, (x.shape[2], 2), (1, 1)), IMAGE),
    places(1, (4, "w"), 3, 2, 1),
    places(2, IMAGE, 2),
    places(2, IMAGE, 3, 2, 1, ceil_mode=True),
    places(2, IMAGE, (2, 3), (1, 2), dilation=2),
    places(3, VOLUME, 2, 2, 1),
    *(
        pooled(f"adaptive_{kind}_pool2d", shape, size)
        for kind in ("avg", "max")
        for shape, size in ((IMAGE, (3, 5)), (IMAGE, (None, 4)), (ALONE, 2), (("n", 2, "h", 7), (1, 3)))
    ),
    pooled("adaptive_avg_pool1d", ("n", 2, "w"), 13),
    pooled("adaptive_max_pool3d", VOLUME, (2, 3, 4)),
]  # fmt: skip
