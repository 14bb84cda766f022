"""Pools of every argument: without a batch, with places, of whole axes, to sizes of inputs that are not known."""

from __future__ import annotations

from typing import Any

from ops.cases.case import FLOATS, IMAGE, Case
from ops.cases.normalization import either


def pooled(name: str, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    only = {"dtypes": options.pop("dtypes", FLOATS)}
    label = f"{name} {shape} {arguments} {options}"
    return either(label, lambda f, x: getattr(f, name)(x, *arguments, **options), shape, **only)


def places(rank: int, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    def call(f: Any, x: Any) -> Any:
        return getattr(f, f"max_pool{rank}d")(x, *arguments, return_indices=True, **options)[1]

    return either(f"places of max_pool{rank}d {arguments} {options}", call, shape, dtypes=("float32",))


ALONE, SIGNAL, VOLUME = (4, "h", "w"), ("n", 4, "w"), ("n", 2, "h", "w", 5)
POOL_CASES = [
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
