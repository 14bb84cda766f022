"""Transformer encoders, with torch.nn's weight names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.nn.attention import MultiheadAttention
from trtnet.nn.containers import ModuleList
from trtnet.nn.linear import Linear
from trtnet.nn.module import Module
from trtnet.nn.norm import LayerNorm

Activation = Callable[[Tensor], Tensor]


class TransformerEncoderLayer(Module):
    """torch.nn.TransformerEncoderLayer at inference: src [length, batch, d_model], batch first with batch_first.

    activation: "relu", "gelu" or a function. src_mask, src_key_padding_mask, is_causal: MultiheadAttention's attn_mask,
    key_padding_mask and is_causal.
    Weights: self_attn.in_proj_weight, self_attn.in_proj_bias, self_attn.out_proj, linear1, linear2, norm1, norm2.
    Raises ValueError for another activation.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        self.self_attn = MultiheadAttention(d_model, nhead, bias=bias, batch_first=batch_first)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm_first, self.activation = norm_first, _activation(activation)

    def forward(
        self,
        src: Tensor,
        src_mask: Operand | None = None,
        src_key_padding_mask: Operand | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask, "is_causal": is_causal}
        if self.norm_first:
            x = src + self._attend(self.norm1(src), masks)
            return x + self._feed(self.norm2(x))
        x = self.norm1(src + self._attend(src, masks))
        return self.norm2(x + self._feed(x))

    def _attend(self, x: Tensor, masks: Mapping[str, Any]) -> Tensor:
        return self.self_attn(x, x, x, **masks)[0]

    def _feed(self, x: Tensor) -> Tensor:
        return self.linear2(self.activation(self.linear1(x)))


class TransformerEncoder(Module):
    """torch.nn.TransformerEncoder at inference: num_layers copies of a layer, then norm. Masks are the layer's.

    Weights: layers.0, layers.1, ..., and norm.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        self.layers = ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Operand | None = None,
        src_key_padding_mask: Operand | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


def _activation(activation: str | Activation) -> Activation:
    known: dict[str, Activation] = {"relu": ops.relu, "gelu": ops.gelu}
    if not isinstance(activation, str):
        return activation
    if activation not in known:
        raise ValueError(f"activation is 'relu', 'gelu' or a function, found {activation!r}")
    return known[activation]
