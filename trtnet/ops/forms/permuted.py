"""Between permutations: TensorRT-RTX fuses what is there with what follows, and not with the product before it."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Tensor


def between_permutations(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of a tensor of two dimensions or more whose first two axes have changed places, and change back."""
    turned = (1, 0, *range(2, x.ndim))
    return function(x.permute(*turned)).permute(*turned)
