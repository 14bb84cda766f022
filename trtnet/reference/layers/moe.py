"""Mixtures of experts."""

from __future__ import annotations

import torch

from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError


def moe(step: Step) -> list[torch.Tensor]:
    """For each token the scored sum of what its experts make of it: ``(act(x gate) * (x up)) down``.

    x: [batch, length, hidden]. The experts and their scores: [batch, length, k]. gate, up: [experts, hidden, inner].
    down: [experts, inner, hidden].
    """
    layer = step.layer
    if layer.num_inputs > 6:
        raise ExecutionError(f"{describe(layer)}: the reference has no biases or quantization in a mixture of experts")
    x, chosen, scores = step.input(0), step.input(1).long(), step.input(2)
    gate, up, down = (step.input(index) for index in (3, 4, 5))
    result = torch.zeros_like(x)
    for expert in range(gate.shape[0]):
        part = (scores * (chosen == expert)).sum(-1, keepdim=True)
        gated = x @ gate[expert]
        if layer.activation_type.name == "SILU":
            gated = torch.nn.functional.silu(gated)
        result = result + part * ((gated * (x @ up[expert])) @ down[expert])
    return [result]


LAYERS: dict[str, LayerFunction] = {
    "MOE": moe,
}
