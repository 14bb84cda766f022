"""A product with a weight that is stored as [in_features, out_features]."""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor, Weight
from trtnet.ops.formulations import form
from trtnet.ops.products.layer import product


@form("product", "stored")
@form("row", "stored")
def stored(x: Tensor, weight: Parameter) -> Tensor:
    """TensorRT need not transpose the weight, whose values have moved: it has no name."""
    network, own = x.network, x.network.weight(weight)
    key = "stored", own.key or id(weight), own.dtype.name
    if key not in network.cache:
        if own.key:
            network.folded.add(own.key)
        shape = own.shape[::-1]
        moved = Weight(lambda: own.array.T, like=(shape, own.dtype))
        (network.cache[key],) = network.add("constant", {"shape": shape, "weights": moved})
    return product(x, network.cache[key], "NONE")
