"""Constants whose values are a weight's in other places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Parameter, Tensor, Weight

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def moved_weight(
    x: Tensor, weight: Parameter | Array, shape: tuple[int, ...], moved: Callable[[Array], Array]
) -> Tensor:
    """A constant layer with ``moved(values)`` of this shape, in the weight's dtype: refit has no name for it.

    x: any tensor of the network. That of a weight of which each rank has a part is a part, too.
    """
    network, own = x.network, x.network.weight(weight)
    if own.key:
        network.folded.add(own.key)
    made = Weight(lambda: moved(own.array), like=(shape, own.dtype))
    if network.division.has(own):
        network.division.add_weight(made)
    (constant,) = network.add("constant", {"shape": shape, "weights": made})
    return constant
