"""Convolutions of 1 to 3 axes, transposed, deformed, with weights that are constants or tensors; sliding blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import IMAGE, Case, either, functional
from ops.searching import meanings

from trtnet import ops

W3 = np.random.default_rng(1).standard_normal((6, 4, 3, 3)) / 6
W_GROUPED = np.random.default_rng(2).standard_normal((8, 2, 3, 2)) / 4
W_UP = np.random.default_rng(3).standard_normal((4, 3, 2, 2)) / 4
W_UP_GROUPED = np.random.default_rng(4).standard_normal((4, 3, 3, 3)) / 4
B6 = np.random.default_rng(5).standard_normal(6)
UP = ops.conv_transpose2d, F.conv_transpose2d
RNG = np.random.default_rng(21)
SIGNAL, VOLUME = ("n", 4, "w"), ("n", 2, "h", "w", 5)
W1, W1G, B = RNG.standard_normal((6, 4, 3)) / 4, RNG.standard_normal((4, 2, 3)) / 3, RNG.standard_normal(6)
W3D = RNG.standard_normal((3, 2, 3, 2, 2)) / 5
ALONE = (4, "h", "w")
UP1, UP3 = RNG.standard_normal((4, 2, 3)) / 4, RNG.standard_normal((2, 3, 2, 2, 2)) / 3
UP2 = RNG.standard_normal((4, 3, 2, 2)) / 4
B2, B3 = RNG.standard_normal(2), RNG.standard_normal(3)


def conv(function: Callable[..., Any], weight: np.ndarray, bias: np.ndarray | None = None, **options: Any) -> Any:
    """A convolution with constant weights, for ours (arrays) and torch (tensors of the input's dtype) alike."""

    def call(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            to = lambda a: None if a is None else torch.as_tensor(a).to(x.dtype)  # noqa: E731
        else:
            to = lambda a: None if a is None else a.astype(x.dtype.numpy)  # noqa: E731
        return function(x, to(weight), to(bias), **options)

    return call


def both(
    name: str, ours: Callable[..., Any], theirs: Callable[..., Any], weight: Any, bias: Any = None, **o: Any
) -> Case:
    return Case(name, conv(ours, weight, bias, **o), conv(theirs, weight, bias, **o), (IMAGE,))


def weighted(name: str, shape: tuple[int | str, ...], weight: Any, bias: Any = None, **options: Any) -> Case:
    label = f"{name} {' '.join(f'{k}={v}' for k, v in options.items())}"
    ours, theirs = (conv(getattr(library, name), weight, bias, **options) for library in (ops, F))
    return Case(label, ours, theirs, (shape,))


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


def convolved(name: str, x: Any, kernel: Any, bias: Any = None, **options: Any) -> Case:
    def call(f: Any, x: Any, w: Any, *b: Any) -> Any:
        return getattr(f, name)(x, w, *b, **options)

    label = f"{name} of tensors {len(x)}-D {kernel} {'bias ' if bias else ''}{options}"
    return either(label, call, x, kernel, *([bias] if bias else []))


def _constants(x: Any) -> tuple[Any]:
    return (torch.as_tensor(W3).to(x.dtype) if isinstance(x, torch.Tensor) else W3.astype(x.dtype.numpy),)


CONVOLUTION_CASES = [
    both("conv2d", ops.conv2d, F.conv2d, W3, B6),
    both("conv2d stride padding", ops.conv2d, F.conv2d, W3, B6, stride=2, padding=1),
    both("conv2d same", ops.conv2d, F.conv2d, W3, padding="same"),
    both("conv2d dilated", ops.conv2d, F.conv2d, W3, padding=(2, 1), dilation=(2, 1)),
    both("conv2d groups", ops.conv2d, F.conv2d, W_GROUPED, groups=2, stride=(1, 2)),
    both("conv_transpose2d", *UP, W_UP, stride=2),
    both("conv_transpose2d padded", *UP, W_UP_GROUPED, stride=2, padding=1, output_padding=1),
    both("conv_transpose2d groups", *UP, W_UP_GROUPED, groups=2, dilation=2),
    weighted("conv1d", SIGNAL, W1, B),
    weighted("conv1d", SIGNAL, W1, B, stride=2, padding=1, dilation=2),
    weighted("conv1d", SIGNAL, W1G, groups=2, padding="same"),
    weighted("conv3d", VOLUME, W3D, B3, stride=(1, 2, 1), padding=(1, 0, 1)),
    weighted("conv_transpose1d", SIGNAL, UP1, B2, stride=2, padding=1, output_padding=1),
    weighted("conv_transpose1d", SIGNAL, UP1, stride=3, groups=2),
    weighted("conv_transpose2d", IMAGE, UP2, B3, stride=3, output_padding=2),
    weighted("conv_transpose3d", VOLUME, UP3, B3, stride=2),
    deformed(1, 1, False, padding=1),
    deformed(2, 2, True, stride=(1, 2), dilation=2),
    functional("unfold", IMAGE, 3),
    functional("unfold", IMAGE, (2, 3), dilation=2, padding=1, stride=(1, 2)),
    functional("fold", ("n", 8, 12), (4, 5), 2),
    functional("fold", ("n", 12, 20), (9, 9), (2, 2), padding=1, stride=(2, 3)),
    convolved("conv1d", SIGNAL, (6, 4, 3), (6,), stride=2, padding=1, dilation=2),
    convolved("conv1d", (4, "w"), (6, 2, 2), groups=2),
    convolved("conv2d", IMAGE, (6, 4, 3, 3), (6,)),
    convolved("conv2d", IMAGE, (4, 1, 3, 2), (4,), groups=4, padding="same"),
    convolved("conv2d", IMAGE, (6, 4, 4, 4), padding="same", dilation=2),
    convolved("conv2d", ALONE, (6, 4, 1, 3), (6,), stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    convolved("conv3d", VOLUME, (3, 2, 2, 2, 3), (3,), padding="valid"),
    convolved("conv3d", (2, "h", "w", 5), (3, 2, 2, 2, 3)),
    convolved("conv_transpose1d", SIGNAL, (4, 2, 3), (2,), stride=2, padding=1, output_padding=1),
    convolved("conv_transpose2d", IMAGE, (4, 3, 3, 3), (3,), stride=2, padding=1, output_padding=1),
    convolved("conv_transpose2d", IMAGE, (4, 3, 2, 3), (6,), stride=(2, 3), groups=2, output_padding=1),
    convolved("conv_transpose2d", ALONE, (4, 3, 3, 3), dilation=(2, 1), padding=1, groups=2),
    convolved("conv_transpose3d", VOLUME, (2, 3, 2, 2, 2), (3,), stride=2),
    either("conv2d of a tensor bias alone", lambda f, x, b: f.conv2d(x, *_constants(x), b), IMAGE, (6,)),
    either("conv2d of its own statistics", lambda f, x, w: f.conv2d(x, (w - w.mean()) / 3), IMAGE, (2, 4, 2, 2)),
]  # fmt: skip
