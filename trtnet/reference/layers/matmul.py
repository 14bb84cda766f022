"""Matrix products."""

from __future__ import annotations

import torch

from trtnet.reference.step import LayerFunction, Step
from trtnet.support.backend import trt


def matrix_multiply(step: Step) -> list[torch.Tensor]:
    """The product of the last two axes (the last one of a VECTOR); the others broadcast."""
    a, b = _operand(step.input(0), step.layer.op0), _operand(step.input(1), step.layer.op1)
    left_vector, right_vector = step.layer.op0.name == "VECTOR", step.layer.op1.name == "VECTOR"
    product = torch.matmul(a.unsqueeze(-2) if left_vector else a, b.unsqueeze(-1) if right_vector else b)
    if right_vector:
        product = product.squeeze(-1)
    return [product.squeeze(-1 if right_vector else -2) if left_vector else product]


def _operand(x: torch.Tensor, operation: trt.MatrixOperation) -> torch.Tensor:
    return x.mT if operation.name == "TRANSPOSE" else x


def einsum(step: Step) -> list[torch.Tensor]:
    """Einstein summation."""
    return [torch.einsum(step.layer.equation, *(x for x in step.inputs if x is not None))]


LAYERS: dict[str, LayerFunction] = {
    "EINSUM": einsum,
    "MATRIX_MULTIPLY": matrix_multiply,
}
