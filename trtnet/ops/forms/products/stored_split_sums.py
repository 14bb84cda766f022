"""The sums of a product in parts, of a weight that is stored as [in_features, out_features]: see split_sums.py."""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.forms.in_parts import in_parts
from trtnet.ops.forms.products.split_sums import product_in_parts


def stored_in_features(x: Tensor, weight: Parameter) -> int | None:
    """in_features of rows of a known number."""
    return int(weight.shape[0]) if is_static(x.shape) else None


@in_parts("stored_product", "halves", "quarters", terms=stored_in_features)
def parts_of_stored_product(parts: int, x: Tensor, weight: Parameter) -> Tensor:
    """Two or four sums."""
    return product_in_parts(x, tensor(weight, x.network).mT, parts)
