"""Recurrent cells: one step of a recurrence, with torch.nn's weight names."""

from __future__ import annotations

from typing import ClassVar

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import kept
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here

State = tuple[Tensor, ...]


class Gates(Module):
    """The weights of a cell's gates, and what they do.

    Weights, of a `name`: weight_ih [gates * hidden_size, input_size], weight_hh [gates * hidden_size, output_size],
    bias_ih and bias_hh [gates * hidden_size].
    """

    gates: ClassVar[int]
    states: ClassVar[int] = 1

    input_size: int
    hidden_size: int
    bias: bool
    _dtype: str | None = None

    def add_weights(self, name: str, input_size: int, output_size: int) -> None:
        rows = self.gates * self.hidden_size
        setattr(self, f"weight_ih{name}", Parameter(rows, input_size, dtype=self._dtype))
        setattr(self, f"weight_hh{name}", Parameter(rows, output_size, dtype=self._dtype))
        if self.bias:
            setattr(self, f"bias_ih{name}", Parameter(rows, dtype=self._dtype))
            setattr(self, f"bias_hh{name}", Parameter(rows, dtype=self._dtype))

    def received(self, name: str, x: Tensor) -> Tensor:
        """What the input gives to the gates."""
        return ops.linear(x, getattr(self, f"weight_ih{name}"), getattr(self, f"bias_ih{name}", None))

    def recurrent(self, name: str, h: Tensor) -> Tensor:
        """What the state gives to the gates."""
        return ops.linear(h, getattr(self, f"weight_hh{name}"), getattr(self, f"bias_hh{name}", None))

    def cell(self, name: str, x: Tensor, state: State) -> State:
        """The state after one step. x: what the step's input gives to the gates, [batch, gates * hidden_size]."""
        raise NotImplementedError


class RNNGates(Gates):
    """``h = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu of it."""

    gates = 1
    nonlinearity: str

    def choose(self, nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ModelError(here(f"nonlinearity is 'tanh' or 'relu', found {nonlinearity!r}"))
        self.nonlinearity = nonlinearity

    def cell(self, name: str, x: Tensor, state: State) -> State:
        total = x + self.recurrent(name, state[0])
        return (ops.tanh(total) if self.nonlinearity == "tanh" else ops.relu(total),)


class GRUGates(Gates):
    """A gated recurrent unit (Cho et al., 2014), the reset gate after the product with the state, as in cuDNN."""

    gates = 3

    def cell(self, name: str, x: Tensor, state: State) -> State:
        (h,) = state
        (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), self.recurrent(name, h).chunk(3, -1)
        reset, update = ops.sigmoid(xr + hr), ops.sigmoid(xz + hz)
        new = ops.tanh(xn + reset * hn)
        return (new + update * (h - new),)


class LSTMGates(Gates):
    """A long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    gates, states = 4, 2

    def cell(self, name: str, x: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (x + self.recurrent(name, h)).chunk(4, -1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c


class _Cell(Gates):
    """x: [batch, input_size], or without a batch. Weights: weight_ih, weight_hh, bias_ih, bias_hh."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._dtype = kept(dtype)
        self.add_weights("", input_size, hidden_size)

    def step(self, x: Tensor, state: State | None) -> State:
        if state is None:
            state = (ops.zeros((*x.shape[:-1], self.hidden_size), dtype=x.dtype),) * self.states
        return self.cell("", self.received("", x), state)


class RNNCell(RNNGates, _Cell):
    """torch.nn.RNNCell: x [batch, input_size], h [batch, hidden_size] -> h.

    x, h: floating, with or without a batch; h is zeros by default. nonlinearity: "tanh" or "relu". Returns the dtype of
    `x`.
    Weights: weight_ih [hidden_size, input_size], weight_hh [hidden_size, hidden_size], bias_ih and bias_hh
    [hidden_size].
    Layer: those of `ops.linear`, and of `ops.tanh` or `ops.relu`.
    Raises ModelError for another nonlinearity; LayerError for inputs of other widths.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.choose(nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        return self.step(x, None if hx is None else (hx,))[0]


class GRUCell(GRUGates, _Cell):
    """torch.nn.GRUCell: x [batch, input_size], h [batch, hidden_size] -> h.

    x, h: floating, with or without a batch; h is zeros by default. Returns the dtype of `x`.
    Weights: weight_ih [3 hidden_size, input_size], weight_hh [3 hidden_size, hidden_size], bias_ih and bias_hh [3
    hidden_size].
    Layer: those of `ops.linear`, `ops.sigmoid` and `ops.tanh`.
    Raises LayerError for inputs of other widths.
    """

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        return self.step(x, None if hx is None else (hx,))[0]


class LSTMCell(LSTMGates, _Cell):
    """torch.nn.LSTMCell: x [batch, input_size], (h, c) [batch, hidden_size] -> (h, c).

    x, h, c: floating, with or without a batch; h and c are zeros by default. Returns the dtype of `x`.
    Weights: weight_ih [4 hidden_size, input_size], weight_hh [4 hidden_size, hidden_size], bias_ih and bias_hh [4
    hidden_size].
    Layer: those of `ops.linear`, `ops.sigmoid` and `ops.tanh`.
    Raises LayerError for inputs of other widths.
    """

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self.step(x, hx)
        return h, c
