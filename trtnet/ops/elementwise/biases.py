"""Two constants that are added one after the other, as Swin adds a bias and a mask to the scores of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import common_type, tensor
from trtnet.ops.elementwise.layers import layer
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts


@formulated("biases", "apart", facts=batch_facts)
def biased(x: Tensor, y: Operand, before: Tensor, bias: Operand) -> Tensor | None:
    """None: `y` is added to `x`. x: `before` plus `bias`, with its first axis as two, or as it is."""
    return None


def plus_constants(x: Tensor, y: Operand) -> Tensor | None:
    """``x + y`` by other layers, if `x` is the sum of a tensor and a constant, `y` a constant, and the form another."""
    if isinstance(x.current, PendingLayer) or not _is_constant(y) or len(_shape(y)) != x.ndim:
        return None
    move = x.network.moves.get(x.trt)
    whole = x if move is None or move.order is not None else move.source
    if isinstance(whole.current, PendingLayer) or whole.trt not in x.network.sums:
        return None
    split = whole.ndim != x.ndim
    if (split and x.shape[2:] != whole.shape[1:]) or (not split and x.shape != whole.shape):
        return None
    return biased(x, y, *x.network.sums[whole.trt]) if common_type("add", x, y) == x.dtype else None


def note_sum(x: Tensor, y: Operand, total: Tensor) -> None:
    """Notes the sum of a tensor and a constant that is the same for all of the first axis."""
    same = x.ndim > 1 and x.dtype == total.dtype and x.shape == total.shape
    if same and _is_constant(y) and len(_shape(y)) == x.ndim and _shape(y)[0] == 1:
        x.network.sums[total.trt] = x.fresh(), y


def _is_constant(x: Operand) -> bool:
    if isinstance(x, Tensor):
        value = x.current
        return not isinstance(value, PendingLayer) and x.network.known.is_fixed(value)
    return isinstance(x, Parameter | np.ndarray)


def _shape(x: Any) -> tuple[Any, ...]:
    return tuple(x.shape)


def sum_of_constants(x: Tensor, bias: Operand, y: Operand) -> Tensor:
    """``bias + y`` in the dtype of `x`, with as many axes. Layer: IElementWiseLayer SUM."""
    first, second = (tensor(each, x.network, x.dtype) for each in (bias, y))
    return layer("SUM", first if first.ndim == x.ndim else first.unsqueeze(0), second, "add", x.dtype)
