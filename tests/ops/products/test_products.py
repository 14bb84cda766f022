"""Products, functions of each element, distances and second names beside torch's: many in one network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import TOLERANCES, network_of, random_tensor, relative_l2

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError

Functions = Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]


def both(*names: str, **arguments: Any) -> Functions:
    """torch's functions of some names and ours."""
    found = {}
    for name in names:
        theirs = getattr(torch, name, None) or getattr(F, name)
        found[f"{name} {arguments}" if arguments else name] = (
            partial(getattr(ops, name), **arguments),
            partial(theirs, **arguments),
        )
    return found


def check(functions: Functions, inputs: list[torch.Tensor], dtype: str, build: dict[str, Any] | None = None) -> None:
    """All functions of the same inputs, as the outputs of one network, with static and dynamic sizes."""
    names = [f"x{i}" for i in range(len(inputs))]
    for shapes in ([tuple(x.shape) for x in inputs], [tuple(f"d{n}" for n in x.shape) for x in inputs]):
        specs = {name: trtnet.Input(shape, dtype) for name, shape in zip(names, shapes, strict=True)}
        network = network_of(
            lambda *x: {str(i): ours(*x) for i, (ours, _) in enumerate(functions.values())}, specs, dtype
        )
        results = network.reference()(*inputs)
        for i, (name, (_, theirs)) in enumerate(functions.items()):
            wanted, found = theirs(*inputs), results[str(i)] if len(functions) > 1 else results
            exact = wanted if not wanted.dtype.is_floating_point else theirs(*(x.double() for x in inputs))
            assert found.dtype == wanted.dtype and found.shape == wanted.shape, name
            if exact.dtype.is_floating_point:
                finite = exact.isfinite()
                assert torch.equal(found.isfinite(), finite), name
                assert relative_l2(found[finite], exact[finite]) <= 2 * TOLERANCES[dtype], name
            else:
                assert torch.equal(found, exact), name
    if build is not None:
        network.build(build)


ALIASES = both(
    "absolute", "negative", "sgn", "fix", "arcsinh", "arctan", "rad2deg", "deg2rad", "sinc", "frac", "exp2", "erfc"
)  # fmt: skip
PAIRS = both(
    "multiply", "subtract", "divide", "true_divide", "not_equal", "greater", "greater_equal", "less", "less_equal",
    "arctan2", "hypot", "copysign", "fmax", "fmin", "isclose", "cross", "kron", "inner", "cdist", "dist",
    "pairwise_distance",
) | both("cross", dim=1) | both("cdist", p=1.0) | both("cdist", p=float("inf")) | both("cdist", p=3.0)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_functions_of_each_element(dtype: str) -> None:
    check(ALIASES, [random_tensor(3, 4, dtype=dtype)], dtype, {"d3": (1, 3, 4), "d4": (1, 4, 8)})


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_functions_of_pairs(dtype: str) -> None:
    if dtype != "float32":
        functions = {name: pair for name, pair in PAIRS.items() if "dist" not in name and "isclose" not in name}
    else:
        functions = dict(PAIRS)
    x, y = random_tensor(3, 3, dtype=dtype), random_tensor(3, 3, dtype=dtype, seed=1)
    static = {name: pair for name, pair in functions.items() if not name.startswith("cross")}
    check(static, [x, y], dtype, {"d3": (1, 3, 4)})
    for name, (ours, theirs) in functions.items():
        if name.startswith("cross"):
            network = network_of(ours, {"x": trtnet.Input((3, 3), dtype), "y": trtnet.Input((3, 3), dtype)}, dtype)
            assert relative_l2(network.reference()(x, y), theirs(x.double(), y.double())) <= 2 * TOLERANCES[dtype]


def test_extremes_of_functions() -> None:
    x = torch.tensor([-float("inf"), -30.0, -6.0, -2.0, -0.5, 0.0, 1e-4, 0.5, 1.9, 2.1, 3.0, 6.0, 9.0, float("inf")])
    for name in ("erfc", "exp2", "sinc"):
        found = network_of(getattr(ops, name), {"x": trtnet.Input((14,))}).reference()(x)
        torch.testing.assert_close(found, getattr(torch, name)(x), rtol=1e-5, atol=0, equal_nan=True)
    y = torch.tensor([float("nan"), 2.0, 0.0, -3.0, float("inf"), 1e30, 0.0, 1e-30, 1, 1, 1, 1, 1, 1])
    inputs = {"x": trtnet.Input((14,)), "y": trtnet.Input((14,))}
    for name in ("fmax", "fmin", "hypot", "xlogy"):
        found = network_of(getattr(ops, name), inputs).reference()(x, y)
        torch.testing.assert_close(found, getattr(torch, name)(x, y), equal_nan=True, msg=name)
    p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    for eps in (None, 0.2):
        found = network_of(lambda x, eps=eps: ops.logit(x, eps), {"x": trtnet.Input((5,))}).reference()(p)
        torch.testing.assert_close(found, torch.logit(p, eps))


SUMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "addmm": ((3, 5), (3, 4), (4, 5)),
    "addmv": ((3,), (3, 4), (4,)),
    "addr": ((3, 4), (3,), (4,)),
    "addbmm": ((3, 5), (2, 3, 4), (2, 4, 5)),
    "baddbmm": ((2, 3, 5), (2, 3, 4), (2, 4, 5)),
    "addcmul": ((3, 4), (3, 1), (1, 4)),
    "addcdiv": ((3, 4), (3, 4), (3, 4)),
}


@pytest.mark.parametrize("name", SUMS)
def test_products_with_a_sum(name: str) -> None:
    values = {"value": 0.5} if name.startswith("addc") else {"beta": 0.5, "alpha": 2.0}
    inputs = [random_tensor(*shape, seed=i) for i, shape in enumerate(SUMS[name])]
    sizes = {f"d{n}": (1, n, 8) for shape in SUMS[name] for n in shape if n != 1}
    build = sizes if name != "addcmul" else None
    functions = dict(both(name)) | dict(both(name, **values))
    check(functions if name.startswith("addc") else functions | dict(both(name, beta=0)), inputs, "float32", build)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int64", "int32"])
@pytest.mark.parametrize(
    ("left", "right"),
    [((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((4,), (2, 4, 5)),
     ((2, 3, 4), (4,)), ((3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5)), ((2, 3, 4), (6, 1, 4, 5)), ((1, 4), (4, 1))],
)  # fmt: skip
def test_matmul_of_every_pair_of_ranks(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    x, y = random_tensor(*left, dtype=dtype), random_tensor(*right, dtype=dtype, seed=1)
    floats = ("float32", "float16", "bfloat16")
    inputs = {"x": trtnet.Input(left, dtype), "y": trtnet.Input(right, dtype)}
    network = network_of(ops.matmul, inputs, dtype if dtype in floats else "float32")
    found, wanted = network.reference()(x, y), torch.matmul(x, y)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    if dtype in floats:
        assert relative_l2(found, torch.matmul(x.double(), y.double())) <= TOLERANCES[dtype]
    else:
        assert torch.equal(found, wanted)


def test_integers_beyond_float32_are_multiplied_exactly() -> None:
    x, y = torch.tensor([[2**40 + 1, 3]]), torch.tensor([[7], [2**33 + 1]])
    network = network_of(ops.matmul, {"x": trtnet.Input((1, 2), "int64"), "y": trtnet.Input((2, 1), "int64")})
    assert torch.equal(network.reference()(x, y), x @ y)
    network.build()
    table = np.array([[2**40 + 1, 1]])
    equation = network_of(lambda x: ops.einsum("ij,kj->ik", x, table), {"x": trtnet.Input((1, 2), "int64")})
    assert torch.equal(equation.reference()(x), torch.einsum("ij,kj->ik", x, torch.from_numpy(table)))


def test_linear_takes_a_vector_as_its_weight() -> None:
    x, weight = random_tensor(3, 4), random_tensor(4, seed=1)
    for shape in ((3, 4), (4,)):
        given = x.reshape(-1)[: int(np.prod(shape))].reshape(shape)
        found = network_of(lambda x: ops.linear(x, weight.numpy()), {"x": trtnet.Input(shape)}).reference()(given)
        assert relative_l2(found, F.linear(given, weight)) <= 1e-6


def test_an_empty_inner_axis_gives_zeros() -> None:
    def product(x: Any) -> Any:
        return ops.matmul(x[:, :0], ops.ones((0, 5)))

    found = network_of(product, {"x": trtnet.Input((3, 4))}).reference()(torch.ones(3, 4))
    assert torch.equal(found, torch.zeros(3, 5))


EQUATIONS = (
    "ii->i",
    "ii",
    "bii->bi",
    "...ii->...i",
    "iij->ij",
    "iij,jk->ik",
    "i,j->ij",
    "ij,ij->",
    "bij,bjk",
    "ij->ji",
)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    terms = equation.partition("->")[0].split(",")
    sizes = {"b": 2, "i": 3, "j": 4, "k": 5}
    inputs = [
        random_tensor(*((2,) if "..." in t else ()), *(sizes[c] for c in t.replace("...", "")), seed=i)
        for i, t in enumerate(terms)
    ]
    specs = {f"x{i}": trtnet.Input(tuple(x.shape)) for i, x in enumerate(inputs)}
    network = network_of(lambda *x: ops.einsum(equation, *x), specs)
    assert relative_l2(network.reference()(*inputs), torch.einsum(equation, *inputs)) <= 1e-6
    network.build()


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("ij->i", [(2, 3)]), ("ij->ji", [(2, 3)]), ("ij,ij->i", [(2, 3)] * 2),
        ("ij,kl->il", [(2, 3), (4, 2)]), ("ij,ij->i", [(2, 1), (2, 3)]), ("i,ij,j->", [(2,), (2, 3), (3,)]),
    ],
)  # fmt: skip
def test_einsum_of_integers_has_torchs_dtype(equation: str, shapes: list[tuple[int, ...]]) -> None:
    inputs = [torch.arange(1, math.prod(shape) + 1, dtype=torch.int32).reshape(shape) for shape in shapes]
    specs = {f"x{i}": trtnet.Input(shape, "int32") for i, shape in enumerate(shapes)}
    found = network_of(lambda *x: ops.einsum(equation, *x), specs).reference()(*inputs)
    wanted = torch.einsum(equation, *inputs)
    assert found.dtype == wanted.dtype and torch.equal(found, wanted)


def test_einsum_of_arrays_lists_and_sizes_of_one() -> None:
    x, table = random_tensor(3, 4), np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    specs = {"x": trtnet.Input(("n", 4))}
    found = network_of(lambda x: ops.einsum("ij,jk->ik", x, table), specs).reference()(x)
    assert relative_l2(found, x @ torch.from_numpy(table)) <= 1e-6
    found = network_of(lambda x: ops.einsum("ij,jk->ik", [x, table]), specs).reference()(x)
    assert relative_l2(found, x @ torch.from_numpy(table)) <= 1e-6
    one = random_tensor(1, 4)
    found = network_of(lambda x: ops.einsum("ij,ij->ij", x, one.numpy()), {"x": trtnet.Input((3, 4))}).reference()(x)
    assert relative_l2(found, torch.einsum("ij,ij->ij", x, one)) <= 1e-6


@pytest.mark.parametrize(
    ("equation", "shapes", "text"),
    [
        ("ij,jk->ik", ((3, 4), (5, 6)), "an axis has the sizes"),
        ("ij->ijj", ((3, 4),), "letters that no operand has, or a letter twice"),
        ("ij->ik", ((3, 4),), "letters that no operand has"),
    ],
)
def test_einsum_refuses(equation: str, shapes: tuple[tuple[int, ...], ...], text: str) -> None:
    specs = {f"x{i}": trtnet.Input(shape) for i, shape in enumerate(shapes)}
    with pytest.raises(LayerError, match=rf"(?s){text}.*tests/ops/products/test_products\.py"):
        network_of(lambda *x: ops.einsum(equation, *x), specs)


def test_products_of_vectors_and_chains() -> None:
    x, y, m, n = random_tensor(4), random_tensor(4, seed=1), random_tensor(3, 4), random_tensor(4, 3, seed=2)

    def call(x: Any, y: Any, m: Any, n: Any) -> Any:
        f = torch if isinstance(x, torch.Tensor) else ops
        return {
            "dot": f.dot(x, y), "vdot": f.vdot(x, y), "mv": f.mv(m, x), "inner": f.inner(x, y), "inner2": f.inner(m, x),
            "chain": f.chain_matmul(m, n, m), "trace": f.trace(m), "ger": f.ger(x, y),
            "tensordot": f.tensordot(m, n, 1), "pairs": f.tensordot(m, n, ([0, 1], [1, 0])),
            "none": f.tensordot(x, y, 0), "spread": f.std_mean(m, 1)[0], "middle": f.std_mean(m, 1)[1],
            "least": f.aminmax(m).min, "most": f.aminmax(m, dim=1, keepdim=True).max,
        }  # fmt: skip

    inputs = {"x": (4,), "y": (4,), "m": (3, 4), "n": (4, 3)}
    network = network_of(call, {name: trtnet.Input(shape) for name, shape in inputs.items()})
    found, wanted = network.reference()(x, y, m, n), call(x, y, m, n)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6, msg=name)
    network.build()


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_fft": 8},
        {"n_fft": 8, "hop_length": 3, "center": False},
        {"n_fft": 9, "hop_length": 4, "win_length": 6, "normalized": True, "onesided": False},
        {"n_fft": 8, "pad_mode": "constant", "window": torch.hann_window(8)},
        {"n_fft": 16, "win_length": 10, "window": torch.hann_window(10), "hop_length": 5},
    ],
)
@pytest.mark.parametrize("batched", [True, False])
def test_stft(arguments: dict[str, Any], batched: bool) -> None:
    x = random_tensor(2, 40) if batched else random_tensor(40)
    network = network_of(lambda x: ops.stft(x, **arguments), {"x": trtnet.Input(tuple(x.shape))})
    wanted = torch.view_as_real(torch.stft(x, **{"window": torch.ones(arguments.get("win_length", arguments["n_fft"]))}
                                           | arguments, return_complex=True))  # fmt: skip
    found = network.reference()(x)
    assert found.shape == wanted.shape and relative_l2(found, wanted) <= 2e-6
    network.build()


def test_stft_has_no_complex_numbers() -> None:
    with pytest.raises(LayerError, match=r"no complex numbers; with return_complex=False the last axis is"):
        network_of(lambda x: ops.stft(x, 8, return_complex=True), {"x": trtnet.Input((40,))})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: ops.mv(x, x), "mv takes tensors of rank 2 and 1, found 2 and 2"),
        (lambda x: ops.dot(x, x), "dot takes tensors of rank 1 and 1, found 2 and 2"),
        (lambda x: ops.cross(x, x), "cross takes vectors of 3"),
        (lambda x: ops.tensordot(x, x, 3), "tensordot along 3 axes of 2 and 2 dimensions"),
        (lambda x: ops.matmul(x, x.sum()), "matmul of a tensor without dimensions"),
        (lambda x: ops.matmul(x > 0, x > 0), "cast bools with"),
        (lambda x: ops.addcdiv(x.int(), x.int(), x.int()), "addcdiv takes floats"),
        (lambda x: ops.trace(x[0]), "trace takes a matrix, found 1 dimension"),
        (lambda x: ops.embedding(x.long(), x, max_norm=1.0), "embedding: max_norm changes the weights"),
        (lambda x: ops.chain_matmul(), "chain_matmul takes at least one tensor, found none"),
        (lambda x: ops.einsum(""), "einsum takes at least one tensor, found none"),
    ],
)
def test_what_is_refused_names_the_line(call: Any, text: str) -> None:
    with pytest.raises(LayerError, match=rf"(?s){text}.*tests/ops/products/test_products\.py:\d+"):
        network_of(call, {"x": trtnet.Input((4, 4))})
