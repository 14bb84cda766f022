"""Convolution layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Parameter, Size, Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import kept, tupled
from trtnet.ops.arguments.window_arguments import Padding, Window, pairs
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import counted

PADDINGS = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What both kinds keep of their arguments, as torch's layers do. Raises ModelError for groups that do not fit."""

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]
    transposed: ClassVar[bool]

    def _keep(self, in_channels: int, out_channels: int, groups: int, padding_mode: str, modes: Sequence[str]) -> None:
        kind = type(self).__name__
        if padding_mode not in modes:
            raise ModelError(here(f"{kind}: padding_mode is {' or '.join(modes)}, found {padding_mode!r}"))
        if groups < 1 or in_channels % groups or out_channels % groups:
            text = f"{kind}: groups={groups} divides not both in_channels={in_channels} and out_channels={out_channels}"
            raise ModelError(here(text))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.padding_mode = padding_mode

    def _tuple(self, name: str, value: Window) -> tuple[int, ...]:
        return tupled(type(self).__name__, name, value, self.axes)


class _Conv(_Convolution):
    """A convolution over the last `axes` axes.

    x: [batch, in_channels, ...] -> [batch, out_channels, ...]. Weights: weight [out_channels, in_channels / groups,
    *kernel_size], bias [out_channels]. padding may also be "same" (at any stride, as TensorFlow pads), "valid", or a
    (before, after) pair an axis. padding_mode: "zeros", "reflect", "replicate" or "circular".
    """

    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Window,
        stride: Window = 1,
        padding: Padding = 0,
        dilation: Window = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self._keep(in_channels, out_channels, groups, padding_mode, PADDINGS)
        self.kernel_size, self.stride = self._tuple("kernel_size", kernel_size), self._tuple("stride", stride)
        self.dilation, self.output_padding = self._tuple("dilation", dilation), (0,) * self.axes
        self.padding = (
            padding if isinstance(padding, str) else tupled(type(self).__name__, "padding", padding, self.axes)
        )
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ModelError(here(f"{type(self).__name__}: padding is numbers, 'same' or 'valid', found {padding!r}"))
        self.weight = Parameter(out_channels, in_channels // groups, *self.kernel_size, dtype=kept(dtype))
        self.bias = Parameter(out_channels, dtype=kept(dtype)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        padding: Padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(x), 0
        return type(self).function(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _padded(self, x: Tensor) -> Tensor:
        sides = self._same() if self.padding == "same" else self.padding
        before, after = pairs(0 if isinstance(sides, str) else sides, self.axes)
        pad = [side for pair in reversed(list(zip(before, after, strict=True))) for side in pair]
        return ops.pad(x, pad, self.padding_mode)

    def _same(self) -> list[tuple[int, int]]:
        """torch's "same" at stride 1: the odd pixel after."""
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]


class Conv1d(_Conv):
    """torch.nn.Conv1d: x [batch, in_channels, length] -> [batch, out_channels, new length].

    x: floating, with or without a batch. kernel_size, stride, padding, dilation: ints; padding may also be "same" (at
    any stride, as in TensorFlow), "valid", or a (before, after) pair for each axis. padding_mode: "zeros", "reflect",
    "replicate" or "circular". Returns the dtype of `x`.
    Weights: weight [out_channels, in_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv1d`; for another padding_mode than "zeros" after `ops.pad`.
    Raises ModelError for groups that do not divide the channels, and for another padding; LayerError for an input that
    does not fit.
    """

    axes = 1
    function = staticmethod(ops.conv1d)


class Conv2d(_Conv):
    """torch.nn.Conv2d: x [batch, in_channels, height, width] -> [batch, out_channels, rows, columns].

    x: floating, with or without a batch. kernel_size, stride, padding, dilation: ints or pairs; padding may also be
    "same" (at any stride, as in TensorFlow), "valid", or a (before, after) pair for each axis. padding_mode: "zeros",
    "reflect", "replicate" or "circular". Returns the dtype of `x`.
    Weights: weight [out_channels, in_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv2d`; for another padding_mode than "zeros" after `ops.pad`.
    Raises ModelError for groups that do not divide the channels, and for another padding; LayerError for an input that
    does not fit.

    >>> import trtnet
    >>> layer = trtnet.nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
    >>> {key: parameter.shape for key, parameter in layer.state_dict().items()}
    {'weight': (16, 3, 3, 3)}
    """

    axes = 2
    function = staticmethod(ops.conv2d)


class Conv3d(_Conv):
    """torch.nn.Conv3d: x [batch, in_channels, depth, height, width] -> [batch, out_channels, slices, rows, columns].

    x: floating, with or without a batch. kernel_size, stride, padding, dilation: ints or triples; padding may also be
    "same" (at any stride, as in TensorFlow), "valid", or a (before, after) pair for each axis. padding_mode: "zeros",
    "reflect", "replicate" or "circular". Returns the dtype of `x`.
    Weights: weight [out_channels, in_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv3d`; for another padding_mode than "zeros" after `ops.pad`.
    Raises ModelError for groups that do not divide the channels, and for another padding; LayerError for an input that
    does not fit.
    """

    axes = 3
    function = staticmethod(ops.conv3d)


class _ConvTranspose(_Convolution):
    """A transposed convolution over the last `axes` axes.

    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Window,
        stride: Window = 1,
        padding: Window = 0,
        output_padding: Window = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Window = 1,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self._keep(in_channels, out_channels, groups, padding_mode, PADDINGS[:1])
        self.kernel_size, self.stride = self._tuple("kernel_size", kernel_size), self._tuple("stride", stride)
        self.padding, self.dilation = self._tuple("padding", padding), self._tuple("dilation", dilation)
        self.output_padding = self._tuple("output_padding", output_padding)
        self.weight = Parameter(in_channels, out_channels // groups, *self.kernel_size, dtype=kept(dtype))
        self.bias = Parameter(out_channels, dtype=kept(dtype)) if bias else None

    def forward(self, x: Tensor, output_size: Sequence[Size] | None = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding(x, output_size)
        geometry = self.stride, self.padding, extra, self.groups, self.dilation
        return type(self).function(x, self.weight, self.bias, *geometry)

    def _output_padding(self, x: Tensor, output_size: Sequence[Size]) -> tuple[int, ...]:
        """What is left to `output_size`, which may have the batch and the channels in front."""
        wanted = tuple(output_size)[-self.axes :]
        given = x.shape[-self.axes :]
        if len(output_size) not in (self.axes, x.ndim):
            x.network.fail(f"output_size is {counted(self.axes, 'size')}, found {len(output_size)}", {"x": x})
        if not all(isinstance(size, int) for size in (*wanted, *given)):
            x.network.fail("output_size of sizes that are not known: give output_padding", {"x": x})
        zipped = zip(wanted, given, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        extra = tuple(out - ((n - 1) * s - 2 * p + d * (k - 1) + 1) for out, n, k, s, p, d in zipped)
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            low = [out - e for out, e in zip(wanted, extra, strict=True)]
            high = [n + s - 1 for n, s in zip(low, self.stride, strict=True)]
            x.network.fail(f"output_size is from {low} to {high}, found {list(wanted)}", {"x": x})
        return extra


class ConvTranspose1d(_ConvTranspose):
    """torch.nn.ConvTranspose1d: x [batch, in_channels, length] -> [batch, out_channels, new length].

    x: floating, with or without a batch. kernel_size, stride, padding, output_padding, dilation: ints. output_size, in
    a call: the wanted sizes. Returns the dtype of `x`.
    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv_transpose1d`.
    Raises ModelError for groups that do not divide the channels, and for another padding_mode than "zeros"; LayerError
    for an input or an output_size that does not fit.
    """

    axes = 1
    function = staticmethod(ops.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """torch.nn.ConvTranspose2d: x [batch, in_channels, height, width] -> [batch, out_channels, rows, columns].

    x: floating, with or without a batch. kernel_size, stride, padding, output_padding, dilation: ints or pairs.
    output_size, in a call: the wanted sizes. Returns the dtype of `x`.
    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv_transpose2d`.
    Raises ModelError for groups that do not divide the channels, and for another padding_mode than "zeros"; LayerError
    for an input or an output_size that does not fit.
    """

    axes = 2
    function = staticmethod(ops.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """torch.nn.ConvTranspose3d: x [batch, in_channels, depth, height, width] -> [batch, out_channels, ...].

    x: floating, with or without a batch. kernel_size, stride, padding, output_padding, dilation: ints or triples.
    output_size, in a call: the wanted sizes. Returns the dtype of `x`.
    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    Layer: that of `ops.conv_transpose3d`.
    Raises ModelError for groups that do not divide the channels, and for another padding_mode than "zeros"; LayerError
    for an input or an output_size that does not fit.
    """

    axes = 3
    function = staticmethod(ops.conv_transpose3d)
