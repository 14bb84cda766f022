"""The sums of a product in parts, of a weight that is stored as [in_features, out_features]: see split_sums.py."""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.forms.products.split_sums import HALVES, QUARTERS, product_in_parts
from trtnet.ops.formulations import form


def has_halves(x: Tensor, weight: Parameter) -> bool:
    """Whether its rows are of a known number, and in_features is a multiple of 2."""
    return is_static(x.shape) and weight.shape[0] % HALVES == 0


def has_quarters(x: Tensor, weight: Parameter) -> bool:
    """Whether its rows are of a known number, and in_features is a multiple of 4."""
    return is_static(x.shape) and weight.shape[0] % QUARTERS == 0


@form("stored_product", "halves", applies=has_halves)
def halves(x: Tensor, weight: Parameter) -> Tensor:
    """Two sums."""
    return product_in_parts(x, tensor(weight, x.network).mT, HALVES)


@form("stored_product", "quarters", applies=has_quarters)
def quarters(x: Tensor, weight: Parameter) -> Tensor:
    """Four sums."""
    return product_in_parts(x, tensor(weight, x.network).mT, QUARTERS)
