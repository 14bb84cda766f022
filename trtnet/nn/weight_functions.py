"""torch's functions of weights for which there are layers here: each is the layer, with the weights in its places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.nn.attention import MultiheadAttention
from trtnet.nn.cells import GRUCell, LSTMCell, RNNCell
from trtnet.nn.core.module import Module
from trtnet.nn.recurrent import GRU, LSTM, RNN


def multi_head_attention_forward(
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
    training: bool = True,
    key_padding_mask: Operand | None = None,
    need_weights: bool = True,
    attn_mask: Operand | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """torch.nn.functional.multi_head_attention_forward at inference.

    query, key, value, the masks, and the result: those of the layer, [length, batch, width], floating.
    Weights: those of the layer, as arguments.
    Layer: those of `nn.MultiheadAttention`.
    Raises LayerError for static_k and static_v, for dropout in training, and where the layer does.
    """
    if static_k is not None or static_v is not None:
        query.network.fail("multi_head_attention_forward: keys and values are not given by static_k", {"query": query})
    ops.dropout(query, dropout_p, training)
    widths = (k_proj_weight.shape[1], v_proj_weight.shape[1]) if use_separate_proj_weight else (None, None)
    made = MultiheadAttention(embed_dim_to_check, num_heads, 0.0, True, False, add_zero_attn, *widths)
    _put(made, in_proj_bias=in_proj_bias, bias_k=bias_k, bias_v=bias_v)
    _put(made, in_proj_weight=None if use_separate_proj_weight else in_proj_weight)
    if use_separate_proj_weight:
        _put(made, q_proj_weight=q_proj_weight, k_proj_weight=k_proj_weight, v_proj_weight=v_proj_weight)
    _put(made.out_proj, weight=out_proj_weight, bias=out_proj_bias)
    masks = key_padding_mask, need_weights, attn_mask
    return made.forward(query, key, value, *masks, average_attn_weights, is_causal)


def lstm(x: Tensor, hx: Sequence[Operand], params: Sequence[Any], *settings: Any) -> tuple[Tensor, ...]:
    """torch.lstm: x [length, batch, input_size], hx of (h_0, c_0) -> (output, h_n, c_n), as the layer's.

    x: floating. settings: has_biases, num_layers, dropout, train, bidirectional, batch_first, and where a sequence has
    an element, bool [length, batch, 1]. Returns the dtype of `x`.
    Weights: params, those of each layer and direction in order.
    Layer: those of `nn.LSTM`.
    Raises LayerError for dropout in training, and where the layer does.
    """
    return _over_sequence(LSTM, 4, {}, x, tuple(_state(each, x) for each in hx), params, *settings)


def gru(x: Tensor, hx: Operand, params: Sequence[Any], *settings: Any) -> tuple[Tensor, ...]:
    """torch.gru: x [length, batch, input_size], hx of h_0 -> (output, h_n), as the layer's.

    x, settings: those of `lstm`. Returns the dtype of `x`.
    Weights: params, those of each layer and direction in order.
    Layer: those of `nn.GRU`.
    Raises LayerError for dropout in training, and where the layer does.
    """
    return _over_sequence(GRU, 3, {}, x, _state(hx, x), params, *settings)


def rnn_tanh(x: Tensor, hx: Operand, params: Sequence[Any], *settings: Any) -> tuple[Tensor, ...]:
    """torch.rnn_tanh: x [length, batch, input_size], hx of h_0 -> (output, h_n), as the layer's.

    x, settings: those of `lstm`. Returns the dtype of `x`.
    Weights: params, those of each layer and direction in order.
    Layer: those of `nn.RNN`.
    Raises LayerError for dropout in training, and where the layer does.
    """
    return _over_sequence(RNN, 1, {}, x, _state(hx, x), params, *settings)


def rnn_relu(x: Tensor, hx: Operand, params: Sequence[Any], *settings: Any) -> tuple[Tensor, ...]:
    """torch.rnn_relu: x [length, batch, input_size], hx of h_0 -> (output, h_n), as the layer's.

    x, settings: those of `lstm`. Returns the dtype of `x`.
    Weights: params, those of each layer and direction in order.
    Layer: those of `nn.RNN` with nonlinearity="relu".
    Raises LayerError for dropout in training, and where the layer does.
    """
    return _over_sequence(RNN, 1, {"nonlinearity": "relu"}, x, _state(hx, x), params, *settings)


def lstm_cell(x: Tensor, hx: Sequence[Operand], *weights: Any) -> tuple[Tensor, ...]:
    """torch.lstm_cell: x [batch, input_size], hx of (h, c) [batch, hidden_size] -> (h, c).

    x, hx: floating. Returns the dtype of `x`.
    Weights: weight_ih, weight_hh, bias_ih, bias_hh of the layer; the last two may be left out.
    Layer: those of `nn.LSTMCell`.
    Raises LayerError where the layer does.
    """
    h, c = (_state(each, x) for each in hx)
    return _cell(LSTMCell, 4, {}, weights).forward(x, (h, c))


def gru_cell(x: Tensor, hx: Operand, *weights: Any) -> Tensor:
    """torch.gru_cell: x [batch, input_size], hx [batch, hidden_size] -> h.

    x, hx: floating. Returns the dtype of `x`.
    Weights: weight_ih, weight_hh, bias_ih, bias_hh of the layer; the last two may be left out.
    Layer: those of `nn.GRUCell`.
    Raises LayerError where the layer does.
    """
    return _cell(GRUCell, 3, {}, weights).forward(x, _state(hx, x))


def rnn_tanh_cell(x: Tensor, hx: Operand, *weights: Any) -> Tensor:
    """torch.rnn_tanh_cell: x [batch, input_size], hx [batch, hidden_size] -> h.

    x, hx: floating. Returns the dtype of `x`.
    Weights: weight_ih, weight_hh, bias_ih, bias_hh of the layer; the last two may be left out.
    Layer: those of `nn.RNNCell`.
    Raises LayerError where the layer does.
    """
    return _cell(RNNCell, 1, {}, weights).forward(x, _state(hx, x))


def rnn_relu_cell(x: Tensor, hx: Operand, *weights: Any) -> Tensor:
    """torch.rnn_relu_cell: x [batch, input_size], hx [batch, hidden_size] -> h.

    x, hx: floating. Returns the dtype of `x`.
    Weights: weight_ih, weight_hh, bias_ih, bias_hh of the layer; the last two may be left out.
    Layer: those of `nn.RNNCell` with nonlinearity="relu".
    Raises LayerError where the layer does.
    """
    return _cell(RNNCell, 1, {"nonlinearity": "relu"}, weights).forward(x, _state(hx, x))


def _over_sequence(
    kind: Any,
    gates: int,
    options: dict[str, Any],
    x: Tensor,
    hx: Tensor | tuple[Tensor, ...],
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    there: Tensor | None = None,
) -> tuple[Tensor, ...]:
    ops.dropout(x, dropout, train)
    size, out = params[1].shape[0] // gates, params[1].shape[1]
    if out != size:
        options = {**options, "proj_size": out}
    options = {**options, "bias": has_biases, "batch_first": batch_first, "bidirectional": bidirectional}
    made = kind(params[0].shape[1], size, num_layers, **options)
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if has_biases else [])]
    names += ["weight_hr"] if out != size else []
    places = [f"{name}_l{layer}{suffix}" for layer in range(num_layers) for suffix in made.suffixes for name in names]
    _put(made, **dict(zip(places, params, strict=True)))
    output, states = made.run(x, hx if isinstance(hx, tuple) else (hx,), there)
    return (output, *states)


def _cell(kind: Any, gates: int, options: dict[str, Any], weights: Sequence[Any]) -> Any:
    rows, columns = weights[0].shape
    given = [each for each in weights if each is not None]
    made = kind(columns, rows // gates, bias=len(given) == 4, **options)
    _put(made, **dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), given, strict=False)))
    return made


def _state(hx: Operand, x: Tensor) -> Tensor:
    """A state in the dtype of `x`: one that a model makes itself, of zeros, is float32 in a network of any dtype."""
    return ops.cast(ops.as_tensor(hx), x.dtype)


def _put(module: Module, **weights: Any) -> None:
    """Puts weights in the places of a layer's own."""
    vars(module).update(weights)
