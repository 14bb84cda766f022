"""A product with a weight that is stored as [in_features, out_features]."""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor
from trtnet.ops.forms.moved_weights import moved_weight
from trtnet.ops.formulations import form
from trtnet.ops.products.accumulation import product_with_weight


@form("product", "stored")
@form("row", "stored")
def stored(x: Tensor, weight: Parameter) -> Tensor:
    """TensorRT need not transpose the weight, whose values have moved: it has no name."""
    network, own = x.network, x.network.weight(weight)
    key = "stored", own.key or id(weight), own.dtype.name
    if key not in network.cache:
        network.cache[key] = moved_weight(x, weight, own.shape[::-1], lambda values: values.T)
    return product_with_weight(x, network.cache[key], "NONE")
