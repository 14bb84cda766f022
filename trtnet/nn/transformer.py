"""Transformer encoders and decoders, with torch.nn's weight names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.nn.attention import MultiheadAttention
from trtnet.nn.core.containers import ModuleList
from trtnet.nn.core.module import Module
from trtnet.nn.dropout import Dropout
from trtnet.nn.linear import Linear
from trtnet.nn.norm import LayerNorm
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here

Activation = Callable[[Tensor], Tensor]


class _Layer(Module):
    """Attention and a feed-forward network around which norms and residuals stand."""

    norms: int

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = ops.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        if self.norms == 3:
            self.multihead_attn = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
            )
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        for i in range(1, self.norms + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for i in range(1, self.norms + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _activation(type(self).__name__, activation)

    def _around(self, i: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Part `i` with its residual and its norm, before or after it."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        return x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))

    def _feed(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """torch.nn.TransformerEncoderLayer at inference: src [length, batch, d_model] -> the same shape.

    src: floating; the batch first with batch_first. activation: "relu", "gelu" or a function. src_mask,
    src_key_padding_mask, is_causal: MultiheadAttention's attn_mask, key_padding_mask and is_causal. Returns the shape
    and dtype of `src`.
    Weights: self_attn (MultiheadAttention), linear1 [dim_feedforward, d_model], linear2 [d_model, dim_feedforward],
    norm1 and norm2 [d_model].
    Layer: those of `nn.MultiheadAttention`, `nn.Linear` and `nn.LayerNorm`.
    Raises ModelError for another activation.
    """

    norms = 2

    @property
    def activation_relu_or_gelu(self) -> int:
        """1 for relu, 2 for gelu, 0 for others, as in torch."""
        return 1 if self.activation is ops.relu else 2 if self.activation is ops.gelu else 0

    def forward(
        self,
        src: Tensor,
        src_mask: Operand | None = None,
        src_key_padding_mask: Operand | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask, "is_causal": is_causal}
        x = self._around(1, src, lambda x: _attended(self.self_attn, x, x, masks))
        return self._around(2, x, self._feed)


class TransformerDecoderLayer(_Layer):
    """torch.nn.TransformerDecoderLayer at inference: tgt [length, batch, d_model], memory -> the shape of tgt.

    tgt: floating; it attends to itself, then to memory [length', batch, d_model]; the batch first with batch_first.
    Masks and activation: as those of TransformerEncoderLayer. Returns the shape and dtype of `tgt`.
    Weights: self_attn (MultiheadAttention), multihead_attn (MultiheadAttention), linear1 [dim_feedforward, d_model],
    linear2 [d_model, dim_feedforward], norm1, norm2 and norm3 [d_model].
    Layer: those of `nn.MultiheadAttention`, `nn.Linear` and `nn.LayerNorm`.
    Raises ModelError for another activation.
    """

    norms = 3

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Operand | None = None,
        memory_mask: Operand | None = None,
        tgt_key_padding_mask: Operand | None = None,
        memory_key_padding_mask: Operand | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        own = {"attn_mask": tgt_mask, "key_padding_mask": tgt_key_padding_mask, "is_causal": tgt_is_causal}
        other = {"attn_mask": memory_mask, "key_padding_mask": memory_key_padding_mask, "is_causal": memory_is_causal}
        x = self._around(1, tgt, lambda x: _attended(self.self_attn, x, x, own))
        x = self._around(2, x, lambda x: _attended(self.multihead_attn, x, memory, other))
        return self._around(3, x, self._feed)


class _Stack(Module):
    """num_layers copies of a layer, then norm."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = ModuleList(deepcopy(layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def _run(self, x: Tensor, *arguments: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *arguments)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """torch.nn.TransformerEncoder at inference: src [length, batch, d_model] -> the same shape.

    src: floating; num_layers copies of encoder_layer one after another, then norm. Masks are those of the layer.
    torch's nested tensors, which set padded rows to 0, are not used. Returns the shape and dtype of `src`.
    Weights: layers.0, layers.1, ... as those of encoder_layer, and norm.
    Layer: those of its layers.
    Raises LayerError for what its layers refuse.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self,
        src: Tensor,
        mask: Operand | None = None,
        src_key_padding_mask: Operand | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        return self._run(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    """torch.nn.TransformerDecoder at inference: tgt [length, batch, d_model], memory -> the shape of tgt.

    tgt: floating; num_layers copies of decoder_layer one after another, then norm. Masks are those of the layer.
    Returns the shape and dtype of `tgt`.
    Weights: layers.0, layers.1, ... as those of decoder_layer, and norm.
    Layer: those of its layers.
    Raises LayerError for what its layers refuse.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Operand | None = None,
        memory_mask: Operand | None = None,
        tgt_key_padding_mask: Operand | None = None,
        memory_key_padding_mask: Operand | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self._run(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


class Transformer(Module):
    """torch.nn.Transformer at inference: src [length, batch, d_model], tgt -> the shape of tgt.

    src: floating. tgt: [length', batch, d_model], of the same dtype; the batch first with batch_first. Masks are those
    of the encoder and the decoder. Returns the shape and dtype of `tgt`.
    Weights: encoder.layers, encoder.norm, decoder.layers, decoder.norm.
    Layer: those of `nn.TransformerEncoder` and `nn.TransformerDecoder`.
    Raises ModelError for another activation.
    Source: Vaswani et al., 2017, arXiv:1706.03762.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = ops.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        layer = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*layer, dtype=dtype), num_encoder_layers, norm
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*layer, dtype=dtype), num_decoder_layers, deepcopy(norm)
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Operand | None = None,
        tgt_mask: Operand | None = None,
        memory_mask: Operand | None = None,
        src_key_padding_mask: Operand | None = None,
        tgt_key_padding_mask: Operand | None = None,
        memory_key_padding_mask: Operand | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: object = None, dtype: object = None) -> np.ndarray[Any, Any]:
        """[sz, sz]: 0 where a query may look, -inf at the keys after it. It takes the dtype of the scores."""
        return np.triu(np.full((sz, sz), -np.inf, np.float32), 1)


def _attended(attention: MultiheadAttention, x: Tensor, memory: Tensor, masks: Mapping[str, Any]) -> Tensor:
    return attention(x, memory, memory, need_weights=False, **masks)[0]


def _activation(owner: str, activation: str | Activation) -> Activation:
    known: dict[str, Activation] = {"relu": ops.relu, "gelu": ops.gelu}
    if not isinstance(activation, str):
        return activation
    if activation not in known:
        raise ModelError(here(f"{owner}: activation is 'relu', 'gelu' or a function, found {activation!r}"))
    return known[activation]
