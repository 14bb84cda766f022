"""Loops, branches and assertions that are evaluated while the engine runs.

The functions they take are called once, while the network is being defined, with symbolic tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, OpenNetwork, Parameter, Shape, Size, Tensor, current
from trtnet.graph.calls import replaced, tensors
from trtnet.graph.memory.storage import fixed
from trtnet.graph.shapes import constant, size_tensor
from trtnet.graph.structures import mapped
from trtnet.ops.arguments.operands import axis, network_of, tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.support.backend import trt
from trtnet.support.dtypes import bool_
from trtnet.support.text.counted import counted
from trtnet.support.text.messages import type_name


def scan(combine_fn: Callable[..., Any], init: Any, xs: Any, dim: int = 0, reverse: bool = False) -> tuple[Any, Any]:
    """``carry, y = combine_fn(carry, x)`` for each slice `x` of `xs` along `dim`, like torch's scan.

    init, xs: tensors of any shape and dtype, or nested tuples, lists and dicts of them. combine_fn gets the same
    structures, and returns a carry like init and a `y` of any such structure, or None. The carry keeps its shapes and
    dtypes; in init, a float becomes a tensor of the network's dtype, an int one of int64. reverse: from the last slice
    to the first, with each `y` at its slice's position. Returns (the last carry, all `y` stacked along `dim`, [n,
    ...]).
    Layer: ILoop with IIteratorLayer, IRecurrenceLayer and ILoopOutputLayer.
    Raises LayerError if the carry changes, the sizes along `dim` differ, or the function does not return such a pair.
    Source: torch.func's higher-order scan.
    """
    sequences = list(tensors(xs))
    if not sequences:
        current().fail("scan needs a tensor to iterate over; for_loop counts", {})
    network = sequences[0].network
    start = mapped(init, lambda value: _carried(network, value))
    along = [axis(x, dim, "scan") for x in sequences]
    length = sequences[0].shape[along[0]]
    for x, a in zip(sequences, along, strict=True):
        if isinstance(length, int) and isinstance(x.shape[a], int) and x.shape[a] != length:
            network.fail(f"scan: sizes {length} and {x.shape[a]} along dim={dim}", {"first": sequences[0], "other": x})
    loop = _Loop(network, tuple(tensors(start)), "scan")
    loop.limit(_scalar(network, length), "COUNT")
    slices = iter([loop.iterate(x, a, reverse) for x, a in zip(sequences, along, strict=True)])
    state = iter(loop.state)
    given = replaced(start, lambda _: next(state)), replaced(xs, lambda _: next(slices))
    result = _called(network, combine_fn, *given)
    if not isinstance(result, tuple | list) or len(result) != 2:
        network.fail(f"scan: the function must return a carry and a y, found {type_name(result)}", {})
    carry, y = (mapped(part, lambda value: _carried(network, value)) for part in result)
    if _structure(carry) != _structure(start):
        text = f"scan: the function gives a carry {_structure(carry)}, init is {_structure(start)}"
        network.fail(text, {})
    loop.next(tuple(tensors(carry)))
    stacked = replaced(y, lambda value: loop.collect(value, length, dim, reverse))
    last = iter(loop.last())
    return replaced(start, lambda _: next(last)), stacked


def _carried(network: OpenNetwork, value: Any) -> Any:
    """A number as a tensor, which can be carried; a tensor and None as they are."""
    if value is None or isinstance(value, Tensor):
        return value
    if isinstance(value, Dim):
        return _scalar(network, value)
    if not isinstance(value, int | float | np.ndarray | np.number | Parameter):
        network.fail(f"scan carries tensors, numbers and structures of them, found {type_name(value)}", {})
    given: Any = value
    return tensor(given, network, network.dtype if isinstance(value, float) else None)


def _structure(value: Any) -> str:
    """A structure in words, to compare and to show."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_structure(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_structure, value))})"
    return "None" if value is None else "a tensor"


def while_loop(
    cond_fn: Callable[..., Tensor], body_fn: Callable[..., Any], carried_inputs: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """``carried = body_fn(*carried)`` while ``cond_fn(*carried)`` is true, like torch's while_loop.

    carried_inputs: tensors of any shape and dtype, which they keep. cond_fn returns one bool element. Returns the last
    carried tensors, as a tuple.
    Layer: ILoop with a WHILE trip limit (ITripLimitLayer).
    Raises LayerError if a carried tensor changes its dtype or shape.
    """
    network = network_of(*carried_inputs)
    loop = _Loop(network, tuple(carried_inputs), "while_loop")
    loop.limit(_flag(_called(network, cond_fn, *loop.state)), "WHILE")
    loop.next(_tuple(_called(network, body_fn, *loop.state)))
    return loop.last()


def for_loop(count: Size | Tensor, body_fn: Callable[..., Any], carried_inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``carried = body_fn(i, *carried)`` for i = 0, 1, ..., count - 1.

    count: an int, a Dim, or an integer tensor of one element. i: a scalar, int64. carried_inputs: tensors of any shape
    and dtype, which they keep. Returns the last carried tensors, as a tuple.
    Layer: ILoop with a COUNT trip limit (ITripLimitLayer).
    Raises LayerError if a carried tensor changes its dtype or shape.
    """
    network = network_of(*carried_inputs)
    trips = cast(count, "int64").reshape(()) if isinstance(count, Tensor) else _scalar(network, count)
    zero = constant(network, np.zeros((), np.int64))
    loop = _Loop(network, (zero, *carried_inputs), "for_loop")
    loop.limit(trips, "COUNT")
    i, *carried = loop.state
    loop.next((i + 1, *_tuple(_called(network, body_fn, i, *carried))))
    return loop.last()[1:]


def cond(
    pred: Tensor, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Tensor] = ()
) -> Any:
    """``true_fn(*operands)`` if `pred` is true, else ``false_fn(*operands)``, like torch's cond.

    pred: bool, one element. operands: tensors of any shape and dtype. Both functions return the same number of tensors,
    with the same dtypes and shapes. Only one branch is computed, but what it computes from tensors that are not among
    the operands is always computed. Returns what the functions return.
    Layer: IIfConditional.
    Raises LayerError if the branches return different numbers, dtypes or shapes.
    """
    network = pred.network
    conditional = network.trt.add_if_conditional()
    network.add("set_condition", {"condition": _flag(pred)}, name="cond", of=conditional)
    given = [_boundary(network, "input", {"input": x}, x.shape, conditional, "cond_input") for x in operands]
    yes, no = _called(network, true_fn, *given), _called(network, false_fn, *given)
    if len(_tuple(yes)) != len(_tuple(no)):
        network.fail(f"cond: the branches return {len(_tuple(yes))} and {counted(len(_tuple(no)), 'tensor')}", {})
    pairs = list(zip(_tuple(yes), _tuple(no), strict=True))
    for a, b in pairs:
        if a.dtype != b.dtype or a.ndim != b.ndim:
            network.fail("cond: the branches differ in dtype or rank", {"true": a, "false": b})
        if _differ(a, b):
            network.fail("cond: the branches differ in shape", {"true": a, "false": b})
    results = []
    for a, b in pairs:
        sides = {"true_subgraph_output": _inside(a), "false_subgraph_output": _inside(b)}
        results.append(_boundary(network, "output", sides, _common(a.shape, b.shape), conditional, "cond_output"))
    return _like(yes, tuple(results))


def _called(network: OpenNetwork, function: Callable[..., Any], *given: Any) -> Any:
    """What a body gives. It may not write in place to what it is given, nor to tensors of outside."""
    for x in tensors(given):
        fixed(x, "what a loop or a branch is given")
    with network.inside():
        return function(*given)


def assertion(condition: Tensor, message: str) -> None:
    """Makes the engine's call fail, with the message, if an element of `condition` is false.

    condition: any shape, bool. message: a string. Returns nothing.
    Layer: IAssertionLayer.
    Raises LayerError for a condition that is not bool.
    """
    if condition.dtype != bool_:
        condition.network.fail(f"assertion takes a bool condition, found {condition.dtype}", {"condition": condition})
    condition.network.add("assertion", {"condition": condition, "message": message})


class _Loop:
    """A loop that carries tensors, of which `state` are the values in an iteration."""

    def __init__(self, network: OpenNetwork, initial: tuple[Tensor, ...], name: str) -> None:
        self.network, self.name, self.initial = network, name, initial
        self.loop = network.trt.add_loop()
        self.loop.name = f"{network.path}/{name}" if network.path else name
        self.state = tuple(self._add("recurrence", {"initial_value": x}, x.shape) for x in initial)

    def limit(self, tensor: Tensor, kind: str) -> None:
        """Ends the loop after a COUNT of iterations, or when a WHILE condition is false before one."""
        arguments = {"tensor": tensor, "kind": getattr(trt.TripLimit, kind)}
        self.network.add("trip_limit", arguments, name=f"{self.name}_limit", of=self.loop)

    def iterate(self, x: Tensor, along: int, reverse: bool) -> Tensor:
        shape = (*x.shape[:along], *x.shape[along + 1 :])
        return self._add("iterator", {"tensor": x, "axis": along, "reverse": reverse}, shape)

    def next(self, values: tuple[Tensor, ...]) -> None:
        """What the next iteration carries."""
        if len(values) != len(self.state):
            self.network.fail(
                f"{self.name} carries {counted(len(self.state), 'tensor')}, the body returned {len(values)}", {}
            )
        for before, after in zip(self.state, values, strict=True):
            if before.dtype != after.dtype or before.ndim != after.ndim:
                text = f"{self.name}: what is carried changes its dtype or rank"
                self.network.fail(text, {"before": before, "after": after})
            text = f"{self.name}: what is carried changes its shape"
            if _differ(before, after):
                self.network.fail(text, {"before": before, "after": after})
            self.network.connect(before, 1, after, text)

    def collect(self, value: Tensor, length: Size, dim: int, reverse: bool) -> Tensor:
        """The values of all iterations, along a new axis."""
        along = dim % (value.ndim + 1)
        kind = trt.LoopOutput.REVERSE if reverse else trt.LoopOutput.CONCATENATE
        shape = (*value.shape[:along], length, *value.shape[along:])
        inputs = {1: _scalar(self.network, length)}
        return self._add("loop_output", {"tensor": value, "kind": kind, "axis": along}, shape, inputs)

    def last(self) -> tuple[Tensor, ...]:
        """What the last iteration gave."""
        kind = trt.LoopOutput.LAST_VALUE
        return tuple(self._add("loop_output", {"tensor": x, "kind": kind, "axis": 0}, x.shape) for x in self.state)

    def _add(
        self, method: str, arguments: dict[str, Any], shape: Shape, inputs: dict[int, Tensor] | None = None
    ) -> Tensor:
        name = f"{self.name}_{method}"
        (y,) = self.network.add(method, arguments, inputs=inputs, name=name, dims=[shape], of=self.loop)
        return y


def _boundary(
    network: OpenNetwork, method: str, arguments: dict[str, Any], shape: Shape, conditional: Any, name: str
) -> Tensor:
    (y,) = network.add(method, arguments, name=name, dims=[shape], of=conditional)
    return y


def _inside(x: Tensor) -> Tensor:
    """A branch's result as a tensor of the branch: what is passed through gets an identity layer."""
    (y,) = x.network.add("identity", {"input": x}, dims=[x.shape])
    return y


def _differ(x: Tensor, y: Tensor) -> bool:
    """Whether two shapes of one rank differ where both are known."""
    return any(isinstance(n, int) and isinstance(m, int) and n != m for n, m in zip(x.shape, y.shape, strict=True))


def _common(a: Shape, b: Shape) -> Shape:
    """The Dims that two shapes share."""
    return tuple(x if isinstance(x, Dim) and x == y else 1 for x, y in zip(a, b, strict=True))


def _scalar(network: OpenNetwork, size: Size) -> Tensor:
    """A size as a 0-D int64 tensor."""
    if isinstance(size, int):
        return constant(network, np.array(size, np.int64))
    return size_tensor(network, size).reshape(())


def _flag(condition: Tensor) -> Tensor:
    return cast(condition, "bool").reshape(())


def _tuple(values: Any) -> tuple[Tensor, ...]:
    return (values,) if isinstance(values, Tensor) else tuple(values)


def _like(given: Any, values: tuple[Tensor, ...]) -> Any:
    """One tensor where one was given, a tuple where a tuple was."""
    return values[0] if isinstance(given, Tensor) else values
