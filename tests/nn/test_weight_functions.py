"""torch's functions of weights: each computes what torch's own does, through the reference executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet import LayerError
from trtnet.graph.structures import leaves
from trtnet.nn import weight_functions

GENERATOR = torch.Generator().manual_seed(0)
Function = Callable[[Any, Callable[[torch.Tensor], Any], Any], Any]
"""What is computed of (the functions, what makes a constant, x [4, batch, 6])."""


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR)


def cell_weights(gates: int, bias: bool = True) -> list[torch.Tensor]:
    return [random(gates * 3, 6), random(gates * 3, 3), *([random(gates * 3), random(gates * 3)] if bias else [])]


LSTM, GRU, RNN = cell_weights(4), cell_weights(3), cell_weights(1, bias=False)
TWO_WAYS = [*cell_weights(1), *cell_weights(1)]
PROJECTED = [random(12, 6), random(12, 2), random(12), random(12), random(2, 3)]
STATE, BOTH, NARROW = random(1, 2, 3), random(2, 2, 3), random(1, 2, 2)
FUNCTIONS: dict[str, Function] = {
    "lstm": lambda f, c, x: f.lstm(x, [c(STATE), c(STATE)], list(map(c, LSTM)), True, 1, 0.0, False, False, False),
    "lstm projected": lambda f, c, x: f.lstm(
        x, [c(NARROW), c(STATE)], list(map(c, PROJECTED)), True, 1, 0.0, False, False, False
    ),
    "gru": lambda f, c, x: f.gru(x, c(STATE), list(map(c, GRU)), True, 1, 0.5, False, False, False),
    "rnn_tanh": lambda f, c, x: f.rnn_tanh(x, c(BOTH), list(map(c, TWO_WAYS)), True, 1, 0.0, False, True, False),
    "rnn_relu": lambda f, c, x: f.rnn_relu(
        x.transpose(0, 1), c(STATE), list(map(c, RNN)), False, 1, 0.0, False, False, True
    ),
    "lstm_cell": lambda f, c, x: f.lstm_cell(x[0], (c(STATE[0]), c(STATE[0])), *map(c, LSTM)),
    "gru_cell": lambda f, c, x: f.gru_cell(x[0], c(STATE[0]), *map(c, GRU)),
    "rnn_tanh_cell": lambda f, c, x: f.rnn_tanh_cell(x[0], c(STATE[0]), *map(c, RNN)),
    "rnn_relu_cell": lambda f, c, x: f.rnn_relu_cell(x[0], c(STATE[0]), *map(c, RNN), None, None),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recurrences(name: str) -> None:
    call, x = FUNCTIONS[name], random(4, 2, 6)
    network = network_of(lambda x: call(weight_functions, torch.Tensor.numpy, x), {"x": trtnet.Input((4, 2, 6))})
    compare(network.reference()(x.numpy()), call(torch, lambda weight: weight, x))


def compare(found: Any, expected: Any) -> None:
    for ours, theirs in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-5)


def attention(f: Any, c: Any, query: Any, wide: Any, **options: Any) -> Any:
    """Keys and values of other widths than the queries."""
    parts = {"q_proj_weight": c(QUERIES), "k_proj_weight": c(KEYS), "v_proj_weight": c(VALUES)}
    given = query, wide, wide[..., :3], 6, 2, None, c(BIAS), None, None, False, 0.0, c(QUERIES), None
    return f.multi_head_attention_forward(*given, training=False, use_separate_proj_weight=True, **parts, **options)


QUERIES, KEYS, VALUES, BIAS = random(6, 6), random(6, 5), random(6, 3), random(18)
X = {"x": trtnet.Input((4, 2, 6)), "y": trtnet.Input((7, 2, 5))}


def test_attention_with_weights_of_their_own() -> None:
    x, y = random(4, 2, 6), random(7, 2, 5)
    network = network_of(lambda x, y: attention(weight_functions, torch.Tensor.numpy, x, y), X)
    expected = attention(torch.nn.functional, lambda weight: weight, x, y)
    compare(network.reference()(x.numpy(), y.numpy()), expected)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x, y: attention(weight_functions, torch.Tensor.numpy, x, y, static_k=x), "not given by static_k"),
        (
            lambda x, y: weight_functions.gru(
                x, y, list(map(torch.Tensor.numpy, GRU)), True, 1, 0.5, True, False, False
            ),
            "dropout: an engine does not train",
        ),
    ],
    ids=["static keys", "training"],
)
def test_settings_for_training_are_rejected(call: Any, text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(call, X)
