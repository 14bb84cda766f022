"""A few positions of an axis, computed alone."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.formulations import form
from trtnet.ops.positions.selection import Selection


@form("positions", "alone")
def alone(x: Tensor, selection: Selection) -> Tensor:
    """What only they need is computed for them: of a vision transformer's last block, all but keys and values.

    A class token's query, its perceptron and its norms are one row a sample, of 197.
    """
    return selection.alone()
