"""Recurrent layers, written on ops.scan, with torch.nn's weight names."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.cells import Gates, GRUGates, LSTMGates, RNNGates, State
from trtnet.nn.core.settings import kept
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here


class _Recurrent(Gates):
    """Layers of cells, each over the whole sequence, in one or both directions.

    x: [length, batch, input_size], or [batch, length, input_size] with batch_first, or without a batch. Weights, for
    layer k (and with ``_reverse`` for the other direction): weight_ih_lk [gates * hidden_size, input_size],
    weight_hh_lk [gates * hidden_size, hidden_size], bias_ih_lk and bias_hh_lk [gates * hidden_size], and with proj_size
    weight_hr_lk [proj_size, hidden_size]. dropout is for training only.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self.proj_size, self._dtype = proj_size, kept(dtype)
        self._check()
        self.suffixes = ("", "_reverse") if bidirectional else ("",)
        out = proj_size or hidden_size
        for layer in range(num_layers):
            size = input_size if layer == 0 else out * len(self.suffixes)
            for suffix in self.suffixes:
                self.add_weights(f"_l{layer}{suffix}", size, out)
                if proj_size:
                    setattr(self, f"weight_hr_l{layer}{suffix}", Parameter(proj_size, hidden_size, dtype=self._dtype))

    @property
    def mode(self) -> str:
        """What torch calls it."""
        return type(self).__name__

    def _check(self) -> None:
        """Raises ModelError for numbers that torch refuses, too."""
        text = ""
        if self.hidden_size <= 0 or self.num_layers <= 0:
            text = f"hidden_size and num_layers are above 0, found {self.hidden_size} and {self.num_layers}"
        elif not 0 <= self.dropout <= 1:
            text = f"dropout is a probability, found {self.dropout}"
        elif not 0 <= self.proj_size < self.hidden_size:
            text = f"proj_size is smaller than hidden_size={self.hidden_size}, found {self.proj_size}"
        if text:
            raise ModelError(here(f"{type(self).__name__}: {text}"))

    def run(self, x: Tensor, initial: State | None, there: Tensor | None = None) -> tuple[Tensor, State]:
        """(output, last states [num_layers * directions, batch, size]).

        there: bool [length, batch, 1], where a sequence has an element: at the others its state stays as it is.
        """
        unbatched = x.ndim == 2
        batch_axis = 0 if self.batch_first else 1
        x = x.unsqueeze(batch_axis) if unbatched else x
        x = x.transpose(0, 1) if self.batch_first else x
        initial = tuple(s.unsqueeze(1) for s in initial) if unbatched and initial else initial
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self.suffixes:
                state = self._start(x, len(finals), initial)
                y, last = self._direction(f"_l{layer}{suffix}", x, state, there, reverse=bool(suffix))
                outputs.append(y)
                finals.append(last)
            x = outputs[0] if len(outputs) == 1 else ops.cat(outputs, -1)
        x = x.transpose(0, 1) if self.batch_first else x
        states = tuple(ops.stack(parts) for parts in zip(*finals, strict=True))
        if unbatched:
            return x.squeeze(batch_axis), tuple(s.squeeze(1) for s in states)
        return x, states

    def _start(self, x: Tensor, index: int, initial: State | None) -> State:
        if initial is not None:
            return tuple(s[index] for s in initial)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[: self.states]
        return tuple(ops.zeros((x.shape[1], size), dtype=x.dtype) for size in sizes)

    def _direction(
        self, name: str, x: Tensor, state: State, there: Tensor | None, *, reverse: bool
    ) -> tuple[Tensor, State]:
        """One direction of one layer; the inputs' part of all gates is one product before the loop."""
        xs = [self.received(name, x), *([] if there is None else [there])]
        if x.shape[1] == 1:  # TensorRT-RTX 1.7 compiles a loop with a product of one row without end: give it two
            xs, state = [each.expand(-1, 2, -1) for each in xs], tuple(s.expand(2, -1) for s in state)

        def step(carry: State, parts: list[Tensor]) -> tuple[State, Tensor]:
            after = self.cell(name, parts[0], carry)
            if there is not None:
                after = tuple(ops.where(parts[1], new, old) for new, old in zip(after, carry, strict=True))
            return after, after[0]

        with x.network.rows(2 if x.shape[1] == 1 else 1):
            last, outputs = ops.scan(step, state, xs, reverse=reverse)
        return (outputs[:, :1], tuple(s[:1] for s in last)) if x.shape[1] == 1 else (outputs, last)


class RNN(RNNGates, _Recurrent):
    """torch.nn.RNN: x [length, batch, input_size], h_0 [layers, batch, hidden_size] -> (output, h_n).

    x: floating, with or without a batch; [batch, length, input_size] with batch_first. h_0: zeros by default; layers is
    num_layers * directions. ``h = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu by nonlinearity. Returns (output
    [length, batch, directions * hidden_size], h_n like h_0), of the dtype of `x`.
    Weights: for layer k (and again with _reverse if bidirectional) weight_ih_lk [hidden_size, input_size], weight_hh_lk
    [hidden_size, hidden_size], bias_ih_lk and bias_hh_lk [hidden_size].
    Layer: that of `ops.scan` around those of `ops.linear` and `ops.tanh` or `ops.relu`.
    Raises ModelError for sizes that torch refuses, and for another nonlinearity.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.choose(nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def forward(self, x: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, (h,) = self.run(x, None if hx is None else (hx,))
        return output, h

    @property
    def mode(self) -> str:
        return f"RNN_{self.nonlinearity.upper()}"


class GRU(GRUGates, _Recurrent):
    """torch.nn.GRU: x [length, batch, input_size], h_0 [layers, batch, hidden_size] -> (output, h_n).

    x: floating, with or without a batch; [batch, length, input_size] with batch_first. h_0: zeros by default; layers is
    num_layers * directions. The reset gate is applied after the product with the state, as in cuDNN. Returns (output
    [length, batch, directions * hidden_size], h_n like h_0), of the dtype of `x`.
    Weights: for layer k (and again with _reverse if bidirectional) weight_ih_lk [3 hidden_size, input_size],
    weight_hh_lk [3 hidden_size, hidden_size], bias_ih_lk and bias_hh_lk [3 hidden_size].
    Layer: that of `ops.scan` around those of `ops.linear`, `ops.sigmoid` and `ops.tanh`.
    Raises ModelError for sizes that torch refuses.
    Source: Cho et al., 2014, arXiv:1406.1078.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def forward(self, x: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, (h,) = self.run(x, None if hx is None else (hx,))
        return output, h


class LSTM(LSTMGates, _Recurrent):
    """torch.nn.LSTM: x [length, batch, input_size], (h_0, c_0) [layers, batch, size] -> (output, (h_n, c_n)).

    x: floating, with or without a batch; [batch, length, input_size] with batch_first. h_0, c_0: zeros by default;
    layers is num_layers * directions. Returns (output [length, batch, directions * size], (h_n, c_n)), of the dtype of
    `x`; size is proj_size for h if given, else hidden_size.
    Weights: for layer k (and again with _reverse if bidirectional) weight_ih_lk [4 hidden_size, input_size],
    weight_hh_lk [4 hidden_size, hidden_size], bias_ih_lk and bias_hh_lk [4 hidden_size], with proj_size weight_hr_lk
    [proj_size, hidden_size].
    Layer: that of `ops.scan` around those of `ops.linear`, `ops.sigmoid` and `ops.tanh`.
    Raises ModelError for sizes that torch refuses.
    Source: Hochreiter and Schmidhuber, 1997, "Long short-term memory".
    """

    def cell(self, name: str, x: Tensor, state: State) -> State:
        h, c = super().cell(name, x, state)
        return (ops.linear(h, getattr(self, f"weight_hr{name}")) if self.proj_size else h), c

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, (h, c) = self.run(x, hx)
        return output, (h, c)
