"""Packed sequences of PyTorch modules: each state stays as it is when its sequence has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import trtnet
from trtnet.graph.structures import leaves


class Recurrent(nn.Module):
    """Every layer, in both layouts, sorted and not; what is packed is also computed with."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 5, batch_first=True, bidirectional=True)
        self.lstm = nn.LSTM(4, 5, 2, bidirectional=True, proj_size=3)
        self.rnn, self.dropout = nn.RNN(10, 3, nonlinearity="relu"), nn.Dropout(0.1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, h = self.gru(packed)
        again = PackedSequence(self.dropout(y.data).tanh() * 2, y.batch_sizes, y.sorted_indices, y.unsorted_indices)
        y, counts = pad_packed_sequence(y, batch_first=True, total_length=x.size(1))
        z, (hz, cz) = self.lstm(pack_padded_sequence(x.transpose(0, 1), lengths, enforce_sorted=False))
        z, _ = pad_packed_sequence(z, padding_value=-1.0)
        r, hr = self.rnn(again)
        return y, h, counts, z, hz, cz, pad_packed_sequence(r, batch_first=True)[0], hr, y.sum(1)


def given(batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    lengths[batch // 2] = length
    return torch.randn(batch, length, 4, generator=generator), lengths


@pytest.mark.parametrize("shape", [(3, 5), ("batch", "length")], ids=str)
def test_layers_equal_torch(shape: tuple[Any, Any], caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    module = Recurrent().eval()
    inputs = {"x": trtnet.Input((*shape, 4)), "lengths": trtnet.Input(shape[:1], "int64")}
    with caplog.at_level(logging.WARNING, "trtnet.definition"):
        network = trtnet.define(module, inputs)
    assert "pad_packed_sequence gives all positions that were packed" in caplog.text
    for batch, length in [(3, 5), (1, 4), (4, 7)][: 1 if shape[0] == 3 else 3]:
        x, lengths = given(batch, length)
        with torch.no_grad():
            expected = list(leaves(module(x, lengths)))
        for ours, theirs in zip(leaves(network.reference()(x, lengths)), expected, strict=True):
            torch.testing.assert_close(torch.as_tensor(ours), theirs)


class Of(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.gru = function, nn.GRU(4, 5, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def last(m: Any, x: torch.Tensor) -> Any:
    """Of lengths that are known, the last states."""
    packed = pack_padded_sequence(x, [4, 2, 1], batch_first=True)
    return m.gru(packed)[1], m.gru(packed, torch.ones(1, 3, 5))[1]


def test_known_lengths_and_engines() -> None:
    torch.manual_seed(0)
    module, x = Of(last).eval(), torch.randn(3, 4, 4)
    network = trtnet.define(module, {"x": trtnet.Input((3, 4, 4))})
    with torch.no_grad():
        expected = module(x)
    for ours, theirs in zip(leaves(network.reference()(x)), expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(ours), theirs)
    assert len(network.build().plan.data) > 1000


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda p: p.data, "the elements of a packed sequence, of which there are as many as its lengths say"),
        (lambda p: p.data.view(-1, 2).sum(), "the elements of a packed sequence"),
        (lambda p: p.batch_sizes.sum(), "sum of the batch_sizes of a packed sequence, which has its lengths in their"),
        (lambda p: p.batch_sizes[1:], "__getitem__ of the batch_sizes of a packed sequence"),
    ],
)
def test_what_needs_torchs_own_order_is_an_error_at_the_line(function: Callable[..., Any], text: str) -> None:
    module = Of(lambda m, x: function(pack_padded_sequence(x, [4, 2, 1], batch_first=True))).eval()
    with pytest.raises(trtnet.TrtnetError, match=rf"{text}(.|\n)*test_torch_packed\.py"):
        trtnet.define(module, {"x": trtnet.Input((3, 4, 4))})
