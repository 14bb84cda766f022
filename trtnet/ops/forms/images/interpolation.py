"""Linear interpolation without IResizeLayer: as products with matrices, and by whole factors, in which the weights of
neighbours repeat from pixel to pixel, as sums and convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.convolutions.conv import conv2d
from trtnet.ops.convolutions.conv_transpose import conv_transpose2d
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.formulations import form
from trtnet.ops.images.interpolate import repeats
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.shape import shuffle
from trtnet.ops.shapes.slicing import Cut, cut

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Scales = list[float] | None
Shape = tuple[Size, ...]


def is_known(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> bool:
    """Whether both sizes of the image are known."""
    return is_static((*x.shape[2:], *new))


@form("interpolation", "product", applies=is_known)
def product(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> Tensor:
    """IMatrixMultiplyLayer for each axis, with a matrix whose rows are the weights of the pixels of a new one."""
    for axis, size in enumerate(new, start=2):
        old, scale = int(x.shape[axis]), None if scales is None else scales[axis - 2]
        if old == size and scale in (None, 1):
            continue
        matrix = _matrix(old, int(size), scale, align_corners).astype(x.dtype.numpy)
        if axis == x.ndim - 1:
            x = matmul(x, constant(x.network, np.ascontiguousarray(matrix.T)))
        else:
            lead, rest = x.shape[:axis], x.shape[axis + 1 :]
            x = matmul(constant(x.network, matrix), x.reshape(*lead, old, -1)).reshape(*lead, size, *rest)
    return x


def _matrix(old: int, new: int, scale: float | None, align_corners: bool) -> Array:
    """[new, old]: the weights of pixels, by torch's positions."""
    places = np.arange(new, dtype=np.float64)
    if align_corners:
        places *= (old - 1) / (new - 1) if new > 1 else 0.0
    else:
        places = np.maximum((places + 0.5) * (old / new if scale is None else 1 / scale) - 0.5, 0)
    return np.maximum(1 - np.abs(np.minimum(places, old - 1)[:, None] - np.arange(old)), 0)


def is_by_whole_factors(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> bool:
    """Whether each size grows by a whole factor, and corners are not aligned."""
    return not align_corners and bool(repeats(x.shape[2:], new, scales))


@form("interpolation", "sums", applies=is_by_whole_factors)
def sums(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> Tensor:
    """Axis by axis, the pixel and both neighbours times the weights of each of the new pixels, along a further axis."""
    for axis, factor in enumerate(repeats(x.shape[2:], new, scales), start=2):
        if factor == 1:
            continue
        size, column = x.shape[axis], (factor, *(1,) * (x.ndim - 1 - axis))
        near = [x if not shift else cut(x, {axis: Cut(shift, size)}, "CLAMP") for shift in (-1, 0, 1)]
        before, here, after = (
            mul(pixel.unsqueeze(axis + 1), constant(x.network, weights.reshape(column).astype(x.dtype.numpy)))
            for pixel, weights in zip(near, _taps(factor), strict=True)
        )
        x = add(add(before, here), after).reshape(*x.shape[:axis], new[axis - 2], *x.shape[axis + 1 :])
    return x


def _taps(factor: int) -> Array:
    """[3, factor]: the weights of the pixel before, of the pixel itself and of the one after it, for its new pixels."""
    if factor == 1:
        return np.array([[0.0], [1.0], [0.0]])
    places = (np.arange(factor) + 0.5) / factor - 0.5
    return np.stack([np.maximum(-places, 0), 1 - np.abs(places), np.maximum(places, 0)])


def is_image_by_whole_factors(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> bool:
    """Whether each size of an image of two axes and known channels grows by a whole factor; corners are not aligned."""
    return _is_image(x) and is_by_whole_factors(x, new, scales, align_corners)


def _is_image(x: Tensor) -> bool:
    return x.ndim == 4 and isinstance(x.shape[1], int)


@form("interpolation", "pixels", applies=is_image_by_whole_factors)
def pixels(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> Tensor:
    """A convolution of each channel with windows of 3x3, which makes the new pixels of a pixel as channels."""
    factors = repeats(x.shape[2:], new, scales)
    batch, channels, height, width = x.shape
    rows, columns = (_taps(factor) for factor in factors)
    windows = np.einsum("ai,bj->ijab", rows, columns).reshape(-1, 1, 3, 3)
    kernel = np.tile(windows, (int(channels), 1, 1, 1)).astype(x.dtype.numpy)
    y = conv2d(pad(x, (1, 1, 1, 1), "replicate"), kernel, groups=int(channels))
    apart = shuffle(y, shape=(batch, channels, *factors, height, width), after=(0, 1, 4, 2, 5, 3))
    return apart.reshape(batch, channels, *new)


def has_whole_steps(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> bool:
    """Whether it is an image of two axes and known channels, and a pixel is a whole number of new ones in each."""
    if not align_corners:
        return is_image_by_whole_factors(x, new, scales, align_corners)
    if not _is_image(x) or not is_known(x, new, scales, align_corners):
        return False
    return all(
        old > 1 and (size - 1) % (old - 1) == 0 for old, size in zip(_ints(x.shape[2:]), _ints(new), strict=True)
    )


@form("interpolation", "transposed", applies=has_whole_steps)
def transposed(x: Tensor, new: Shape, scales: Scales, align_corners: bool) -> Tensor:
    """A transposed convolution of each channel with the triangle that a pixel contributes to new ones."""
    if align_corners:
        steps = [(size - 1) // (old - 1) for old, size in zip(_ints(x.shape[2:]), _ints(new), strict=True)]
        edge, starts = 0, [1 - step for step in steps]
        triangles = [1 - np.abs(np.arange(1 - step, step)) / step for step in steps]
    else:
        steps = list(repeats(x.shape[2:], new, scales))
        edge, starts = 1, [-(step // 2) for step in steps]
        triangles = [_triangle(step) for step in steps]
    image = pad(x, (edge,) * 4, "replicate") if edge else x
    crops = tuple(edge * step - start for step, start in zip(steps, starts, strict=True))
    channels = int(x.shape[1])
    window = np.multiply.outer(*triangles).astype(x.dtype.numpy)
    kernel = np.tile(window, (channels, 1, 1, 1))
    return conv_transpose2d(image, kernel, stride=tuple(steps), padding=crops, groups=channels)


def _triangle(step: int) -> Array:
    """What a pixel is of the new pixels around it, from half a pixel before its first one."""
    places = np.arange(-(step // 2), step + step // 2) + 0.5
    return 1 - np.abs(places - step / 2) / step


def _ints(sizes: Sequence[Size]) -> list[int]:
    return [int(size) for size in sizes]
