"""Images as a model takes them: decoded, cut to its size, in its channels, layout and dtype."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import DependencyError, InputError
from trtnet.support.text.counted import counted

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ImageOptions:
    """resize: pixels of the shorter side before the middle is cut out, as torchvision's Resize and CenterCrop.

    By default the image is made just large enough. mean, std: by channel, of values in [0, 1]; for floats only.
    """

    resize: int | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


_WIDE = ("I", "F")
"""Modes of Pillow that its convert cuts off."""


def takes_images(info: TensorInfo) -> bool:
    """Whether a sample, without its batch axis, is [channels, height, width] or [height, width, channels]."""
    return len(info.shape) == 3 and (info.shape[0] in (1, 3) or info.shape[2] in (1, 3)) and _number(info) is not None


def decoded(data: bytes, channels: int) -> Array:
    """[height, width, channels] uint8, RGB or gray. Raises InputError for bytes that are no image of 8 bits."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyError("images are decoded by Pillow: pip install 'trtnet[batch]'") from error
    try:
        with Image.open(io.BytesIO(data)) as image:
            mode = image.mode
            found = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    except Exception as error:  # Pillow's decoders raise many
        said = re.sub(r" <_io\.BytesIO object at 0x[0-9a-f]+>", "", str(error))  # which is another in each run
        raise InputError(f"it is not an image that can be decoded: {said}") from error
    if mode.startswith(_WIDE):
        raise InputError(
            f"its pixels have more than 8 bits (Pillow's mode {mode}), and would be cut off at 255: give the array that"
            f" the model is to get, by --prepare"
        )
    return found.reshape(*found.shape[:2], channels)


def fitted(value: bytes | Array, info: TensorInfo, options: ImageOptions) -> Array:
    """An image for an input.

    value: an encoded image, or [height, width(, channels)] uint8. info: of a sample; an input of uint8 has the pixels,
    one of floats (pixels / 255 - mean) / std. Raises InputError for what is none.
    """
    first = info.shape[0] in (1, 3)
    channels, height, width = info.shape if first else (info.shape[2], *info.shape[:2])
    pixels = decoded(value, int(channels)) if isinstance(value, bytes) else value.reshape(*value.shape[:2], -1)
    if pixels.shape[2] != channels:
        raise InputError(f"an image of {counted(pixels.shape[2], 'channel')} was given for the input {info}")
    pixels = _resized(pixels, height, width, options.resize)
    if info.dtype != "uint8":
        number = _number(info)
        mean, std = np.asarray(options.mean, np.float32), np.asarray(options.std, np.float32)
        pixels = ((pixels.astype(np.float32) / 255 - mean) / std).astype(number)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) if first else pixels)


def _number(info: TensorInfo) -> Any:
    """The numpy dtype of an input that takes images, else None."""
    known = dtypes.get(info.dtype)
    return known.numpy if info.dtype == "uint8" or known.is_floating else None


def _resized(pixels: Array, height: int | str, width: int | str, resize: int | None) -> Array:
    """The middle of the image at this size. A named size is the image's own."""
    from PIL import Image

    rows, columns = pixels.shape[:2]
    wanted = height if isinstance(height, int) else rows, width if isinstance(width, int) else columns
    if resize is not None:
        short = min(rows, columns)
        target = (resize, int(resize * columns / short)) if rows <= columns else (int(resize * rows / short), resize)
    else:
        scale = max(wanted[0] / rows, wanted[1] / columns)
        named = not isinstance(height, int) and not isinstance(width, int)
        target = (rows, columns) if named else (round(rows * scale), round(columns * scale))
    if resize is not None and not isinstance(height, int):
        wanted = target
    if wanted[0] > target[0] or wanted[1] > target[1]:
        raise InputError(f"an image resized to {target[1]} x {target[0]} has no middle of {wanted[1]} x {wanted[0]}")
    if target != (rows, columns):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        pixels = np.asarray(image.resize(target[::-1], Image.Resampling.BILINEAR)).reshape(*target, -1)
    top, left = round((target[0] - wanted[0]) / 2), round((target[1] - wanted[1]) / 2)
    return pixels[top : top + wanted[0], left : left + wanted[1]]
