"""What operations require of sizes that are known only when the engine runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trtnet.graph.sizes.dim import Dim
from trtnet.graph.sizes.real import evaluated, leaves
from trtnet.support.size_limit import Array, SizeRule
from trtnet.support.source import here


def require(network: Any, size: Dim, holds: Callable[[Array], Array], reason: str) -> None:
    """Makes the network one for sizes of which it holds; `reference` and `build` refuse others.

    size: what has to be so, computed from the inputs' named sizes; of what is computed from values it cannot be said.
    holds: whether it is, of an array of sizes. reason: what is required, to which the line of the model is added.
    """
    names = tuple(sorted(set(leaves(size))))
    if all(name in network.dims for name in names):
        network.limits.rule(SizeRule(names, lambda sizes: holds(evaluated(size, dict(sizes), np.int64)), here(reason)))
