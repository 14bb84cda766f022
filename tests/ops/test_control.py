"""Loops, branches and assertions, through the reference and built ahead of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor
from helpers.ops.both_libraries import same_as_torch

import trtnet
from trtnet import ops
from trtnet.support.errors import ExecutionError, LayerError, ModelError

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
    with pytest.raises(ExecutionError, match="the assertion failed: x must be positive"):
        network.reference()(torch.tensor([1.0, -1.0]))


WRONG = {
    "dtype": (lambda x: ops.for_loop(2, lambda i, v: (v.half(),), (x,))[0], "what is carried changes its dtype"),
    "rank": (lambda x: ops.for_loop(2, lambda i, v: (v[None],), (x,))[0], "what is carried changes its dtype or rank"),
    "count": (lambda x: ops.for_loop(2, lambda i, v: (v, v), (x,))[0], "carries 2 tensors, the body returned 3"),
    "shape": (
        lambda x: ops.for_loop(2, lambda i, v: (ops.cat([v, v]),), (x,))[0],
        "what is carried changes its shape",
    ),
    "branches": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: x.half()), "branches differ in dtype or rank"),
    "shape of branches": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: x[:1]), "the branches differ in shape"),
    "number": (lambda x: ops.cond(x.sum() > 0, lambda: x, lambda: (x, x)), "the branches return 1 and 2 tensors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_names_the_line(name: str) -> None:
    function, text = WRONG[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input((2,))})
    assert "test_control.py" in str(caught.value)


def scans(m: Any) -> Any:
    """torch's scan, which the test of a structure compares with, or ours."""
    if m is not torch:
        return ops.scan

    def looped(f: Any, carry: Any, xs: Any, dim: int = 0) -> Any:
        found = []
        for x in xs.unbind(dim):
            carry, y = f(carry, x)
            found.append(y)
        if found[0] is None:
            return carry, None
        if isinstance(found[0], dict):
            return carry, {key: torch.stack([y[key] for y in found], dim) for key in found[0]}
        return carry, torch.stack(found, dim)

    return looped


def nest(x: Any) -> Any:
    """A carry of dicts and lists in a tuple."""
    return {"n": x[0]}, [x[1]]


def nested(carry: Any, y: Any) -> Any:
    """All that a scan of such a carry gives."""
    return carry[0]["n"] + carry[1][0] + y


STRUCTURES = {
    "no output": lambda m, x: scans(m)(lambda c, v: (c + v, None), x[0] * 0, x)[0],
    "a dict": lambda m, x: scans(m)(lambda c, v: ({"s": c["s"] + v}, c["s"]), {"s": x[0] * 0}, x)[0]["s"],
    "nested": lambda m, x: nested(*scans(m)(lambda c, v: (({"n": c[0]["n"] * 2}, [c[1][0] + v]), v), nest(x), x)),
    "a dict of outputs": lambda m, x: scans(m)(lambda c, v: (c + v, {"a": c, "b": v}), x[0], x)[1]["a"],
    "a list": lambda m, x: scans(m)(lambda c, v: ([c[0] + v, c[1]], c[1]), [x[0], x[1]], x)[0][0],
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_a_scan_carries_and_gives_may_be_any_structure(name: str) -> None:
    same_as_torch(STRUCTURES[name], random_tensor(4, 3))


def test_a_number_is_carried_as_a_tensor() -> None:
    def counting(x: Any) -> Any:
        (total, count), _ = ops.scan(lambda c, v: ((c[0] + v.sum(), c[1] + 1), None), (0.0, 0), x)
        return {"total": total, "count": count}

    network = network_of(counting, {"x": trtnet.Input(("t", 3))})
    x = random_tensor(5, 3)
    found = network.reference()(x)
    assert torch.allclose(found["total"], x.sum(), atol=1e-6) and found["count"].item() == 5
    assert (found["total"].dtype, found["count"].dtype) == (torch.float32, torch.int64)
    network.build({"t": (1, 3, 8)})


WRONG_SCANS = {
    "another structure": (lambda x: ops.scan(lambda c, v: ((c, c), v), x[0], x), "init is a tensor"),
    "a missing key": (lambda x: ops.scan(lambda c, v: ({}, v), {"a": x[0]}, x), "init is {a: a tensor}"),
    "no pair": (lambda x: ops.scan(lambda c, v: None, x[0], x), "must return a carry and a y, found NoneType"),
    "a string": (lambda x: ops.scan(lambda c, v: (c, "a"), x[0], x), "structures of them, found str"),
    "lengths": (lambda x: ops.scan(lambda c, v: (c, None), x[0], (x, x[:1])), "sizes 2 and 1 along dim=0"),
    "nothing": (lambda x: ops.scan(lambda c, v: (c, v), x[0], ()), "needs a tensor to iterate over"),
}


@pytest.mark.parametrize("name", WRONG_SCANS)
def test_a_wrong_scan_names_the_line(name: str) -> None:
    function, text = WRONG_SCANS[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(lambda x: function(x)[0], {"x": trtnet.Input((2, 3))})
    assert "test_control.py" in str(caught.value)


def test_a_dynamic_axis_is_gone_over_by_scan() -> None:
    with pytest.raises(ModelError, match=r"first dimension is not known; ops.scan iterates over it"):
        network_of(lambda x: sum(y for y in x), {"x": trtnet.Input(("n", 3))})
    with pytest.raises(LayerError, match=r"unbind needs the size of dim=0, found n; ops.scan iterates over"):
        network_of(lambda x: x.unbind(0)[0], {"x": trtnet.Input(("n", 3))})
