"""torch's functions that are not simply the function of their name in ``trtnet.ops``, each with its reason."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from trtnet import nn, ops
from trtnet.definition.torch_module import torchvision_ops
from trtnet.graph import Tensor

SAME = {
    "_max_pool1d": "max_pool1d",
    "_max_pool2d": "max_pool2d",
    "_max_pool3d": "max_pool3d",
    "_adaptive_max_pool1d": "adaptive_max_pool1d",
    "_adaptive_max_pool2d": "adaptive_max_pool2d",
    "_adaptive_max_pool3d": "adaptive_max_pool3d",
    "__rdiv__": "__rtruediv__",
    "unsafe_chunk": "chunk",
    "unsafe_split": "split",
}
"""torch's further names of operations."""

_WEIGHTED = """
linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d batch_norm layer_norm group_norm
instance_norm rms_norm embedding prelu multi_head_attention_forward lstm gru rnn_tanh rnn_relu
deform_conv2d
"""
WEIGHTED = frozenset(_WEIGHTED.split())
"""Operations whose second and further arguments are weights: they get the parameters themselves, not tensors."""


CAST = frozenset((*(f"conv{n}d" for n in (1, 2, 3)), *(f"conv_transpose{n}d" for n in (1, 2, 3)), "linear"))
"""Operations whose input is cast to the dtype of their weights, as autocast does; torch without it refuses another.

A module that makes floats itself, such as coordinates, makes float32 in a network of 16 bits, too.
"""


def _itself(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


def _to(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.to(...)``: the dtype of what it is given; a device, a layout and copies are nothing to a network."""
    for value in (*args, kwargs.get("dtype"), kwargs.get("other")):
        if isinstance(value, torch.dtype | Tensor):
            return x.to(value)
    return x


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return ops.dropout(x, p, training)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    **others: Any,
) -> Any:
    """torch.nn.functional.multi_head_attention_forward: trtnet's layer with the module's weights in its places."""
    made = nn.MultiheadAttention(embed_dim_to_check, num_heads, add_zero_attn=add_zero_attn)
    vars(made).update(in_proj_weight=in_proj_weight, in_proj_bias=in_proj_bias, bias_k=bias_k, bias_v=bias_v)
    if others.get("use_separate_proj_weight"):
        vars(made).update({f"{x}_proj_weight": others[f"{x}_proj_weight"] for x in "qkv"}, in_proj_weight=None)
    vars(made.out_proj).update(weight=out_proj_weight, bias=out_proj_bias)
    masks: Any = {name: others.get(name) for name in ("key_padding_mask", "attn_mask")}
    said: Any = {name: others[name] for name in ("need_weights", "average_attn_weights", "is_causal") if name in others}
    return made.forward(query, key, value, **masks, **said)


def _recurrent(kind: Callable[..., Any], gates: int) -> Callable[..., Any]:
    """torch._VF.lstm and its like: trtnet's layer with the module's weights in its places."""

    def run(
        x: Tensor,
        hx: Any,
        weights: Sequence[Any],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        training: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        size = weights[1].shape[0] // gates
        projected = weights[1].shape[1] != size
        made = kind(
            weights[0].shape[1], size, num_layers, bias=has_biases, batch_first=batch_first,
            bidirectional=bidirectional, **({"proj_size": weights[1].shape[1]} if projected else {}),
        )  # fmt: skip
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if has_biases else [])]
        names += ["weight_hr"] if projected else []
        places = [f"{name}_l{i}{s}" for i in range(num_layers) for s in made.suffixes for name in names]
        vars(made).update(zip(places, weights, strict=True))
        output, state = made.forward(x, tuple(hx) if isinstance(hx, list | tuple) else hx)
        return (output, *state) if isinstance(state, tuple) else (output, state)

    return run


def _where(condition: Tensor, *values: Any, **named: Any) -> Any:
    """With only a condition it is nonzero, a vector of positions an axis."""
    return ops.where(condition, *values, **named) if values or named else ops.nonzero(condition).unbind(1)


def _nonzero(x: Tensor, *, as_tuple: bool = False) -> Any:
    found = ops.nonzero(x)
    return found.unbind(1) if as_tuple else found


def _tensor_split(x: Tensor, *given: Any, dim: int = 0, **named: Any) -> Any:
    """torch's names of the second argument are three: one for a number, one for a tuple, one for either."""
    where, *axis = (*named.values(), *given)
    return ops.tensor_split(x, where, *(axis or [dim]))


TABLE: dict[str, Callable[..., Any]] = {
    # where memory is, and gradients
    "to": _to,
    "detach": _itself,
    "contiguous": lambda x, **_: x.contiguous(),
    "requires_grad_": _itself,
    "cpu": _itself,
    "cuda": _itself,
    # training's
    "dropout": _dropout,
    "dropout1d": _dropout,
    "dropout2d": _dropout,
    "dropout3d": _dropout,
    "feature_dropout": _dropout,
    "alpha_dropout": _dropout,
    "feature_alpha_dropout": _dropout,
    # of other arguments
    **torchvision_ops.TABLE,
    "tensor_split": _tensor_split,
    "where": _where,
    "nonzero": _nonzero,
    # fused by torch, of several operations
    "multi_head_attention_forward": _attention,
    "lstm": _recurrent(nn.LSTM, 4),
    "gru": _recurrent(nn.GRU, 3),
    "rnn_tanh": _recurrent(nn.RNN, 1),
    "rnn_relu": _recurrent(functools.partial(nn.RNN, nonlinearity="relu"), 1),
}
