"""Loops, branches and assertions, through the reference and built ahead of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from comparing import network_of, random_tensor

import trtnet
from trtnet import ops
from trtnet.errors import LayerError, ReferenceError

ROWS = {"x": trtnet.Input(("n", "t", 3))}
DIMS = {"n": (1, 2, 4), "t": (1, 3, 8)}


def test_scan_is_a_running_sum_at_dynamic_length() -> None:
    def running(x: Any) -> Any:
        carry, sums = ops.scan(lambda c, step: (c + step, c + step), x[:, 0] * 0, x, dim=1)
        return {"last": carry, "sums": sums}

    network = network_of(running, ROWS)
    for n, t in ((1, 1), (2, 3), (4, 8)):
        x = random_tensor(n, t, 3, seed=t)
        found = network.reference()(x)
        assert torch.allclose(found["sums"], x.cumsum(1), atol=1e-6)
        assert torch.allclose(found["last"], x.sum(1), atol=1e-6)
    network.build(DIMS)


def test_a_reverse_scan_keeps_places() -> None:
    def running(x: Any) -> Any:
        return ops.scan(lambda c, step: (c + step, c + step), x[:, 0] * 0, x, dim=1, reverse=True)[1]

    network = network_of(running, ROWS)
    x = random_tensor(2, 5, 3)
    assert torch.allclose(network.reference()(x), x.flip(1).cumsum(1).flip(1), atol=1e-6)
    network.build(DIMS)


def test_scan_of_several_tensors() -> None:
    def two(x: Any, y: Any) -> Any:
        def body(carry: Any, steps: Any) -> Any:
            (total, count), (a, b) = carry, steps
            return (total + a * b, count + 1), (a - b, total)

        (total, count), (differences, totals) = ops.scan(body, (x[0] * 0, x[0] * 0), (x, y))
        return {"total": total, "count": count, "differences": differences, "totals": totals}

    inputs = {"x": trtnet.Input(("t", 3)), "y": trtnet.Input(("t", 3))}
    network = network_of(two, inputs)
    x, y = random_tensor(4, 3), random_tensor(4, 3, seed=1)
    found = network.reference()(x, y)
    assert torch.allclose(found["total"], (x * y).sum(0), atol=1e-6)
    assert torch.equal(found["count"], torch.full((3,), 4.0))
    assert torch.equal(found["differences"], x - y)
    assert torch.allclose(found["totals"][1:], (x * y).cumsum(0)[:-1], atol=1e-6)
    network.build({"t": (1, 3, 8)})


@pytest.mark.parametrize("start", [100.0, 0.5])
def test_while_loop_halves_until_small(start: float) -> None:
    def halve(x: Any) -> Any:
        small, count = ops.while_loop(
            lambda v, n: v.amax() > 1.0, lambda v, n: (v * 0.5, n + 1), (x, ops.cast(np.zeros((), np.int64), "int64"))
        )
        return {"small": small, "count": count}

    network = network_of(halve, {"x": trtnet.Input(("n",))})
    x = torch.tensor([start, 0.25])
    found, steps = network.reference()(x), 0
    while x.max() > 1:
        x, steps = x * 0.5, steps + 1
    assert torch.equal(found["small"], x) and int(found["count"]) == steps
    network.build({"n": (1, 2, 4)})


@pytest.mark.parametrize("kind", ["int", "Dim", "tensor"])
def test_for_loop_counts(kind: str) -> None:
    def powers(x: Any, count: Any) -> Any:
        trips = {"int": 4, "Dim": x.shape[0], "tensor": count}[kind]
        return ops.for_loop(trips, lambda i, total: (total + i.to("float32"),), (x,))[0] + count.to("float32") * 0

    network = network_of(powers, {"x": trtnet.Input(("n",)), "count": trtnet.Input((1,), "int64")})
    x, count = torch.zeros(4), torch.tensor([4])
    assert torch.equal(network.reference()(x, count), x + 6)
    if kind == "tensor":
        assert torch.equal(network.reference()(x, count * 0), x)
    network.build({"n": (1, 2, 4)})


def test_a_loop_in_a_loop() -> None:
    def table(x: Any) -> Any:
        def row(i: Any, total: Any) -> Any:
            return ops.for_loop(2, lambda j, inner: (inner + i.to("float32") * 10 + j.to("float32"),), (total,))

        return ops.for_loop(3, row, (x,))[0]

    network = network_of(table, {"x": trtnet.Input((2,))})
    wanted = sum(10 * i + j for i in range(3) for j in range(2))
    assert torch.equal(network.reference()(torch.zeros(2)), torch.full((2,), float(wanted)))
    network.build()


def test_cond_computes_one_branch() -> None:
    def branches(x: Any) -> Any:
        return ops.cond(x.sum() > 0, lambda y: y * 2, lambda y: y - 1, (x,))

    network = network_of(branches, {"x": trtnet.Input(("n",))})
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(network.reference()(x), x * 2)
    assert torch.equal(network.reference()(-x), -x - 1)
    seen: list[str] = []
    network.reference().run({"x": x}, lambda layer, results: seen.append(layer.name))
    assert any("mul" in name for name in seen) and not any("sub" in name for name in seen)
    network.build({"n": (1, 2, 4)})


def test_cond_of_several_tensors_and_without_operands() -> None:
    def branches(x: Any) -> Any:
        a, b = ops.cond(x.sum() > 0, lambda y: (y, y * 2), lambda y: (y * 3, y), (x,))
        return {"a": a, "b": b, "c": ops.cond(x.sum() > 0, lambda: x + 1, lambda: x)}

    network = network_of(branches, {"x": trtnet.Input((2,))})
    x = torch.tensor([1.0, 2.0])
    for value in (x, -x):
        found = network.reference()(value)
        yes = bool(value.sum() > 0)
        assert torch.equal(found["a"], value if yes else value * 3)
        assert torch.equal(found["b"], value * 2 if yes else value)
        assert torch.equal(found["c"], value + 1 if yes else value)
    network.build()


def test_a_cond_in_a_loop() -> None:
    def collatz(x: Any) -> Any:
        def step(i: Any, v: Any) -> Any:
            return (ops.cond(v % 2 == 0, lambda a: a // 2, lambda a: a * 3 + 1, (v,)),)

        return ops.for_loop(5, step, (x,))[0]

    network = network_of(collatz, {"x": trtnet.Input((1,), "int64")})
    value = 7
    for _ in range(5):
        value = value // 2 if value % 2 == 0 else 3 * value + 1
    assert int(network.reference()(torch.tensor([7]))) == value
    network.build()


def test_an_assertion_fails_with_its_message() -> None:
    def checked(x: Any) -> Any:
        ops.assertion(x.shape[0] * x[:1].to("int64") * 0 + 1 > 0, "never")
        ops.assertion(x > 0, "x must be positive")
        return x * 2

    network = network_of(checked, {"x": trtnet.Input(("n",))})
    assert torch.equal(network.reference()(torch.ones(2)), torch.full((2,), 2.0))
    with pytest.raises(ReferenceError, match="the assertion failed: x must be positive"):
        network.reference()(torch.tensor([1.0, -1.0]))


WRONG = {
    "dtype": (lambda x: ops.for_loop(2, lambda i, v: (v.half(),), (x,))[0], "what is carried changes its dtype"),
    "rank": (lambda x: ops.for_loop(2, lambda i, v: (v[None],), (x,))[0], "what is carried changes its dtype or rank"),
    "count": (lambda x: ops.for_loop(2, lambda i, v: (v, v), (x,))[0], "carries 2 tensors, the body gave 3"),
    "shape": (
        lambda x: ops.for_loop(2, lambda i, v: (ops.cat([v, v]),), (x,))[0],
        "what is carried changes its shape",
    ),
    "branches": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: x.half()), "branches differ in dtype or rank"),
    "shape of branches": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: x[:1]), "the branches differ in shape"),
    "number": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: (x, x)), "the branches give 1 and 2 tensors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_names_the_line(name: str) -> None:
    function, text = WRONG[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input((2,))})
    assert "test_control.py" in str(caught.value)
