"""What reads a normalized tensor and is linear may read the tensor before it: what normalizes is applied to its result.

With the mean m and the reciprocal deviation r of a sample or a row, weight w and bias b, a matrix W makes
``W(r (x - m) w + b)`` of it, which is ``r (W diag(w)) x - r m (W w) + W b``. Norms note their results here, and what
reads these asks. Layers of a norm that nothing else reads are left out by TensorRT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, known, mean_facts
from trtnet.ops.products.parts import has_its_rows, origins, shown

Constant = Parameter | np.ndarray
Statistics = Callable[[Tensor, float], tuple[Tensor, Tensor]]
"""Makes of a tensor and eps (the means, ``1 / sqrt(var + eps)``) of its images or of its rows, in float32."""


@dataclass(eq=False)
class Normed:
    """How a tensor was normalized: over some axes of `x`, then times a weight, plus a bias, of one axis each.

    made: statistics by the way in which a form asked for them.
    """

    x: Tensor
    axes: tuple[int, ...]
    weight: Constant | None
    bias: Constant | None
    eps: float
    made: dict[Statistics, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def statistics(self, way: Statistics) -> tuple[Tensor, Tensor]:
        """(means, reciprocal deviations) in float32, computed once for all that reads the norm."""
        if way not in self.made:
            self.made[way] = way(self.x, self.eps)
        return self.made[way]


@dataclass(frozen=True, eq=False)
class _Means:
    """Of what windows of an image have. again: makes those of another image."""

    image: Tensor
    again: Callable[[Tensor], Tensor]


def in_shape(x: Tensor, found: Normed) -> Normed:
    """How `x` was normalized, which has the rows of what was: of the tensor before the norm in the same shape."""
    if found.x.shape == x.shape:
        return found
    own = Normed(found.x.reshape(*x.shape), (x.ndim - 1,), found.weight, found.bias, found.eps)
    x.network.normed[x.trt] = own
    return own


def note_norm(
    y: Tensor, x: Tensor, axes: tuple[int, ...], weight: Operand | None, bias: Operand | None, eps: float
) -> Tensor:
    """Notes that `y` is `x` normalized, if constants are what follows; gives it back."""
    if not isinstance(weight, Parameter | np.ndarray | None) or not isinstance(bias, Parameter | np.ndarray | None):
        return y
    network, asked = y.network, y.network.quantized
    is_float = asked.watched is None and asked.activation_of is None and not asked.by_key
    if is_float and network.body is None and network.division.ranks == 1:
        network.normed[y.trt] = Normed(x.fresh(), axes, weight, bias, eps)
    return y


def _is_undecided(x: Tensor) -> bool:
    return isinstance(x.current, PendingLayer)


def _normed(x: Tensor) -> Normed | None:
    """How a tensor was normalized; None for another one, and in a loop or a branch."""
    if not x.network.normed or _is_undecided(x) or x.network.body is not None:
        return None
    found = x.network.normed.get(x.trt)
    return found if isinstance(found, Normed) else None


def _normed_image(x: Tensor) -> Normed | None:
    """The same of an image [batch, channels, height, width] that was normalized as a whole."""
    found = _normed(x) if x.ndim == 4 else None
    return found if found is not None and found.axes == (1, 2, 3) else None


def note_mean(y: Tensor, x: Tensor, again: Callable[[Tensor], Tensor]) -> Tensor:
    """Notes that each element of `y` is a mean of elements of a channel of `x`. again: the same of another image."""
    if not _is_undecided(y) and _normed_image(x) is not None:
        network, place = x.network, x.network.place

        def there(image: Tensor) -> Tensor:
            with network.at(place):
                return again(image)

        network.normed[y.trt] = _Means(x.fresh(), there)
    return y


def less_itself(y: Operand, x: Operand) -> Tensor | None:
    """``y - x``, if `y` is means of `x`, a norm of one group makes that, and the form is another; None otherwise."""
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)) or _is_undecided(y):
        return None
    means, found = x.network.normed.get(y.trt), _normed_image(x)
    if not isinstance(means, _Means) or found is None or means.image.trt is not x.trt or y.shape != x.shape:
        return None
    return _less_itself(x, found, means.again)


@formulated("normed_pool", "before", facts=mean_facts)
def _less_itself(x: Tensor, found: Normed, means: Callable[[Tensor], Tensor]) -> Tensor | None:
    """None: the normalized image is subtracted from its means. means: makes them of an image."""
    return None


def of_pixels(x: Tensor, weight: Constant, bias: Operand | None) -> Tensor | None:
    """A 1x1 convolution of an image that a norm of one group makes, if the form is another; None otherwise."""
    found = _normed_image(x) if isinstance(bias, Parameter | np.ndarray | None) else None
    return None if found is None else _of_pixels(x, found, weight, bias)


def of_rows(x: Tensor, weight: Constant, bias: Operand | None, *, stored: bool = False) -> Tensor | None:
    """A linear layer of rows that a layer norm makes, if the form is another; None otherwise.

    stored: whether the weight is [in_features, out_features].
    """
    found = _normed_rows(x) if isinstance(bias, Parameter | np.ndarray | None) else None
    return None if found is None else _of_rows(x, found, weight, bias, stored)


def _normed_rows(x: Tensor) -> Normed | None:
    """How the rows of a tensor were normalized, perhaps in another shape."""
    for base, steps in () if _is_undecided(x) or not x.network.normed else origins(x):
        if (found := _normed(base)) is not None:
            rows = shown(base, steps) if found.axes == (base.ndim - 1,) else None
            return found if rows is not None and has_its_rows(rows[1], rows[0]) else None
    return None


def pixels_facts(x: Tensor, found: Normed, weight: Constant, *_: object) -> dict[str, int]:
    """The batch, how many pixels of how many channels, and how many channels are made."""
    return mean_facts(x) | {"out_channels": int(weight.shape[0])}


@formulated("normed_pixels", "before", facts=pixels_facts)
def _of_pixels(x: Tensor, found: Normed, weight: Constant, bias: Operand | None) -> Tensor | None:
    """None: the 1x1 convolution reads the normalized image `x`."""
    return None


def rows_facts(x: Tensor, found: Normed, weight: Constant, bias: Operand | None, is_stored: bool) -> dict[str, int]:
    """How many rows of how many features, and how many features are made."""
    made, taken = weight.shape[::-1] if is_stored else weight.shape
    rows = prod(map(known, x.shape[:-1]))
    return batch_facts(x) | {"rows": rows, "in_features": int(taken), "out_features": int(made)}


@formulated("normed_rows", "before", facts=rows_facts)
def _of_rows(x: Tensor, found: Normed, weight: Constant, bias: Operand | None, is_stored: bool) -> Tensor | None:
    """None: the linear layer reads the normalized rows `x`.

    found: perhaps of another shape. is_stored: whether the weight is [in_features, out_features].
    """
    return None
