"""Layer norms in float32, from means, and of channels in their place."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.forms.dtypes import has_16_bits
from trtnet.ops.forms.normalization.centring import normalized
from trtnet.ops.formulations import form
from trtnet.ops.normalization.norm import norm_layer
from trtnet.support import dtypes


@form("layer_norm", "float32", applies=has_16_bits)
def float32(x: Tensor, axes: tuple[int, ...], scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """INormalizationLayer between casts to float32 and back."""
    wide, factor, offset = (cast(t, dtypes.float32) for t in (x, scale, shift))
    return cast(norm_layer(wide, axes, factor, offset, eps, "layer_norm"), x.dtype)


@form("layer_norm", "decomposed")
def decomposed(x: Tensor, axes: tuple[int, ...], scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """From the mean and the mean square of what is left, in float32 up to the result."""
    factor, offset = (cast(t, dtypes.float32) for t in (scale, shift))
    return cast(add(mul(normalized(cast(x, dtypes.float32), axes, eps), factor), offset), x.dtype)


def is_of_channels_last(x: Tensor, axes: tuple[int, ...], *_: object) -> bool:
    """Whether it is over the last of four axes."""
    return x.ndim == 4 and axes == (3,)


@form("layer_norm", "channels_first", applies=is_of_channels_last)
def channels_first(x: Tensor, axes: tuple[int, ...], scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """From means over the second axis of [batch, channels, height, width], where convolutions have the channels."""
    image, factor, offset = (cast(t.permute(0, 3, 1, 2), dtypes.float32) for t in (x, scale, shift))
    return cast(add(mul(normalized(image, (1,), eps), factor), offset), x.dtype).permute(0, 2, 3, 1)
