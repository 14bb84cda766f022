"""Mixtures of experts."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.activation import silu
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.images.detection import need_kernels
from trtnet.ops.reductions.reduce import sum
from trtnet.support.backend import trt


def mixture_of_experts(
    x: Tensor, experts: Tensor, scores: Tensor, gate: Tensor, up: Tensor, down: Tensor, fused: bool = False
) -> Tensor:
    """For each token, the weighted sum of ``(silu(x gate) * (x up)) down`` over its experts.

    x: [batch, length, hidden], floating. experts: [batch, length, k], int32, each once. scores: [batch, length, k].
    gate, up: [experts, hidden, inner]. down: [experts, inner, hidden]. Returns [batch, length, hidden], in the dtype of
    `x`.
    Layer: none, decomposed into IMatrixMultiplyLayer for every expert and token, IActivationLayer and IReduceLayer;
    with fused, IMoELayer, which TensorRT builds for compute capabilities 10.0, 10.3 and 11.0.
    Raises LayerError for fused where the backend has no kernels for it.
    Source: Shazeer et al., 2017, arXiv:1701.06538; Jiang et al., 2024, arXiv:2401.04088 (gated experts).
    """
    if fused:
        return _fused_experts(x, experts, scores, (gate, up, down))
    y = x.unsqueeze(1)
    each = mul(silu(y @ gate), y @ up) @ down
    kinds = arange(gate.shape[0], network=x.network)
    chosen = eq(cast(experts, "int64").unsqueeze(-1), kinds)
    weights = sum(where(chosen, scores.unsqueeze(-1), 0), -2)
    return sum(mul(each, weights.permute(0, 2, 1).unsqueeze(-1)), 1)


def _fused_experts(x: Tensor, experts: Tensor, scores: Tensor, weights: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    need_kernels(x, "MOE", "mixture_of_experts(fused=True)", "leave out `fused`")
    arguments = {"hidden_states": x, "selected_experts_for_tokens": experts, "scores_for_selected_experts": scores}
    gate, up, down = weights
    setting = {"fc_gate_weights": gate, "fc_up_weights": up, "fc_down_weights": down}
    setting |= {"activation_type": trt.MoEActType.SILU}
    (y,) = x.network.add("moe", arguments, setters={"set_gated_weights": setting}, dims=[x.shape])
    return y
