"""Convolutions whose kernels and biases are tensors of the network, of inputs without a batch, of unusual windows."""

from __future__ import annotations

from typing import Any

import torch
from ops.cases.case import IMAGE, W3, Case
from ops.cases.normalization import either


def convolved(name: str, x: Any, kernel: Any, bias: Any = None, **options: Any) -> Case:
    def call(f: Any, x: Any, w: Any, *b: Any) -> Any:
        return getattr(f, name)(x, w, *b, **options)

    label = f"{name} of tensors {len(x)}-D {kernel} {'bias ' if bias else ''}{options}"
    return either(label, call, x, kernel, *([bias] if bias else []))


def _constants(x: Any) -> tuple[Any]:
    return (torch.as_tensor(W3).to(x.dtype) if isinstance(x, torch.Tensor) else W3.astype(x.dtype.numpy),)


SIGNAL, VOLUME, ALONE = ("n", 4, "w"), ("n", 2, "h", "w", 5), (4, "h", "w")
CONVOLUTION_CASES = [
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
