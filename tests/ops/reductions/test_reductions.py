"""Reductions, softmax and cumulative sums: torch's dtypes, arguments, edge cases and errors."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError, ModelError

INF = float("inf")


def same(function: Any, *tensors: torch.Tensor, dynamic: bool = False, rtol: float = 1e-5) -> None:
    """A function of the library and tensors, static or with its sizes as names: values, shape and dtype."""
    specs = {}
    for i, x in enumerate(tensors):
        shape = tuple(f"{i}{a}" if dynamic and size else size for a, size in enumerate(x.shape))
        specs[f"x{i}"] = trtnet.Input(shape, str(x.dtype)[6:])
    half = any(x.dtype == torch.float16 for x in tensors)
    network = network_of(lambda *x: function(ops, *x), specs, "float16" if half else "float32")
    found, wanted = network.reference()(*tensors), function(torch, *tensors)
    several = [found] if isinstance(found, torch.Tensor) else list(found.values())
    for a, b in zip(several, [wanted] if isinstance(wanted, torch.Tensor) else wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=rtol, atol=1e-6, equal_nan=True)


BIG = torch.tensor([[3, 1, 2], [1000, 7, 9]], dtype=torch.int32) * 1_000_000
BOOLS = torch.tensor([[True, False, True], [True, True, True]])
BYTES = torch.tensor([[200, 100, 7], [255, 255, 255]], dtype=torch.uint8)
FLOATS = random_tensor(2, 3, seed=3)
ROWS = torch.tensor([[-INF, -INF, -INF], [0.5, -INF, 1.0], [INF, 0.0, -INF]])

OF_FLOATS = ["exp", "sqrt", "sigmoid", "tanh", "sin", "log", "reciprocal", "erf", "rsqrt", "log1p", "expm1", "log2"]
OF_NUMBERS = ["floor", "ceil", "round", "trunc", "abs", "neg", "sign", "square", "isnan", "isinf", "isfinite", "relu"]

CASES: dict[str, tuple[Any, ...]] = {
    "sum of int32": (lambda m, x: x.sum(1), BIG),
    "sum of int32 all": (lambda m, x: m.sum(x), BIG),
    "prod of int32": (lambda m, x: x.prod(1), BIG),
    "sum of uint8": (lambda m, x: x.sum(), BYTES),
    "prod of bool": (lambda m, x: x.prod(), BOOLS),
    "sum of bool": (lambda m, x: x.sum(1), BOOLS),
    "cumsum of int32": (lambda m, x: x.cumsum(1), BIG),
    "cumprod of bool": (lambda m, x: m.cumprod(x, 1), BOOLS),
    "amax of bool": (lambda m, x: (x.amax(1), x.amin(1)), BOOLS),
    "max of bool": (lambda m, x: (x.max(), x.min()), BOOLS),
    "max of bool along": (lambda m, x: x.max(1)[0], BOOLS),
    "max of int8": (lambda m, x: (x.amax(1), x.max(1)[0].int()), BYTES.to(torch.int8)),
    "any and all of numbers": (lambda m, x: (x.any(1), x.all(1), m.any(x), m.all(x)), FLOATS.round()),
    "aminmax": (lambda m, x: tuple(m.aminmax(x, dim=1)), FLOATS),
    "count_nonzero": (lambda m, x: m.count_nonzero(x, 1), BIG),
    "keywords": (lambda m, x: m.sum(input=x, axis=1, keepdims=True) + x.mean(axis=0, keepdims=True), FLOATS),
    "mean over both": (lambda m, x: m.mean(x, dim=(0, 1)), FLOATS),
    "no axes are all": (lambda m, x: (x.sum(()), m.amax(x, ())), FLOATS),
    "std": (lambda m, x: (x.std(1), x.std(1, unbiased=False), x.std(), x.std(1, False)), FLOATS),
    "var": (lambda m, x: (x.var(1, correction=0), x.var(unbiased=False), x.var(False), x.var((0, 1))), FLOATS),
    "var of one": (lambda m, x: (x.var(1), x.std(1), x.var(1, correction=0)), random_tensor(4, 1)),
    "var of a half": (lambda m, x: x.var(1, correction=0.5), FLOATS),
    "std_mean": (lambda m, x: m.std_mean(x, 1) + m.var_mean(x, 1), FLOATS),
    "norm": (lambda m, x: (m.norm(x), m.norm(x, "fro"), x.norm(dim=1), x.norm(p=0, dim=1), m.norm(x, -1, 1)), FLOATS),
    "extremes of NaN": (
        lambda m, x: (*m.min(x, 0), *m.max(x, 0), m.argmin(x, 1), x.amin(1), *m.aminmax(x, dim=1)),
        torch.tensor([[0.5, 1.0, INF], [0.25, float("nan"), -INF], [-1.0, -2.0, 0.0]]),
    ),
    "norm of zeros": (lambda m, x: x.norm(p=0, dim=1), torch.tensor([[0.0, 1.0], [0.0, 0.0]])),
    "norm of halves": (lambda m, x: (x.norm(dim=1), x.norm(p=1, dim=1)), FLOATS.half()),
    "logsumexp of infinities": (lambda m, x: (m.logsumexp(x, 1), x.logsumexp(1, keepdim=True)), ROWS),
    "logsumexp of ints": (lambda m, x: m.logsumexp(x, 1), BIG // 1_000_000_0),
    "softmax of a vector": (lambda m, x: (m.softmax(x, 0), m.log_softmax(x, 0), x.softmax(-1)), FLOATS[0]),
    "scalars": (
        lambda m, x: (x.sum(), x.sum(0), x.mean(-1), x.amax(), x.prod(), x.cumsum(0), x.softmax(0)),
        torch.tensor(2.5),
    ),
    "scalar var": (lambda m, x: x.var(unbiased=False), torch.tensor(2.5)),
    "two tensors": (lambda m, x: (m.max(x, x * 2), m.min(x, other=x * 2), m.add(input=x, other=x)), FLOATS),
}  # fmt: skip


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_reductions_are_torchs(name: str, dynamic: bool) -> None:
    function, *tensors = CASES[name]
    halves = any(x.dtype == torch.float16 for x in tensors)
    same(function, *tensors, dynamic=dynamic, rtol=2e-3 if halves else 1e-5)


@pytest.mark.parametrize("function", ["sum", "mean", "prod", "cumsum", "cumprod", "softmax", "log_softmax"])
@pytest.mark.parametrize("x", [FLOATS.half(), BIG // 1_000_000, BOOLS], ids=["float16", "int32", "bool"])
def test_a_dtype_is_cast_to_first(function: str, x: torch.Tensor) -> None:
    def call(library: Any, x: Any) -> Any:
        found = getattr(library, function, None) or getattr(F, function)
        return found(x, dim=1, dtype=torch.float32)

    same(call, x)
    same(call, x, dynamic=True)


EMPTY: dict[str, Any] = {
    "sum": lambda m, x: (x.sum(1), x.sum(), x.sum(0)),
    "prod": lambda m, x: (x.prod(1), m.prod(x)),
    "mean": lambda m, x: (x.mean(1), x.mean(), x.mean(0)),
    "any": lambda m, x: ((x > 0).sum(1), m.norm(x, dim=1)),
    "elementwise": lambda m, x: (
        x + 1,
        x * x,
        m.exp(x),
        x > 0,
        m.where(x > 0, x, 0.0),
        m.relu(x),
        x.softmax(0),
        x // 2,
    ),
    "amax over others": lambda m, x: (x.amax(0), x.max(0)[0]),
    "cumsum": lambda m, x: x.cumsum(0),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing(name: str) -> None:
    same(EMPTY[name], torch.zeros(3, 0))
    function = EMPTY[name]
    network_of(lambda x: function(ops, x), {"x": trtnet.Input((3, 0))}).build()


REFUSED: dict[str, tuple[Any, torch.Tensor, str]] = {
    "mean of ints": (lambda x: x.mean(), BIG, "mean takes a floating tensor, found int32"),
    "var of ints": (lambda x: x.var(), BIG, "var takes a floating tensor, found int32"),
    "norm of ints": (lambda x: x.norm(), BIG, "norm takes a floating tensor, found int32"),
    "nuclear": (lambda x: x.norm("nuc"), FLOATS, "norm takes a number or 'fro', found 'nuc'"),
    "largest of nothing": (lambda x: x[:, :0].amax(1), FLOATS, "amax of no elements has no value"),
    "an axis twice": (lambda x: x.sum((1, -1)), FLOATS, "sum got an axis twice"),
    "any of uint8": (lambda x: x.any(), BYTES, "any of uint8: TensorRT has uint8 for inputs and outputs only"),
    "argmax of bool": (lambda x: x.argmax(1), BOOLS, "argmax does not take bool"),
    "softmax of ints": (lambda x: x.softmax(1), BIG, "softmax does not take int32"),
    "log_softmax of ints": (lambda x: x.log_softmax(1), BIG, "log_softmax does not take int32; give dtype="),
    "float64": (lambda x: x.sum(dtype=torch.float64), FLOATS, "TensorRT has no float64"),
    "celu": (lambda x: ops.celu(x, 0.0), FLOATS, "celu divides by alpha, which is 0"),
    "clamp": (lambda x: x.clamp(), FLOATS, "clamp takes min, max or both"),
    "relu of bool": (lambda x: ops.relu(x), BOOLS, "relu does not take bool"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_refused_at_the_line(name: str) -> None:
    function, x, text = REFUSED[name]
    with pytest.raises(LayerError, match=f"{text}.*\n  in tests/ops/reductions/test_reductions.py"):
        network_of(function, {"x": trtnet.Input(tuple(x.shape), str(x.dtype)[6:])})


def test_unknown_arguments_of_an_operation_are_an_error_at_the_line() -> None:
    with pytest.raises(
        ModelError, match=r"ops\.sum got an unexpected .* 'axes'; it is sum\(x, dim=None, .*\n  in tests"
    ):
        network_of(lambda x: x.sum(axes=1), {"x": trtnet.Input((2, 3))})
    with pytest.raises(ModelError, match=r"ops\.softmax missing 1 required positional argument: 'dim'"):
        network_of(lambda x: x.softmax(), {"x": trtnet.Input((2, 3))})
    assert list(inspect.signature(ops.sum).parameters) == ["x", "dim", "keepdim", "dtype"]


ELEMENTS: dict[str, tuple[Any, ...]] = {
    **{
        f"{name} of {x.dtype}": (lambda m, x, name=name: getattr(m, name)(x), x)
        for name in OF_FLOATS
        for x in (BIG // 1_000_000, BOOLS)
    },
    **{
        f"{name} of {x.dtype}": (lambda m, x, name=name: getattr(m, name)(x), x)
        for name in OF_NUMBERS
        for x in (BIG - 2_000_000, FLOATS)
    },
    "of bools": (lambda m, x: (m.sign(x), m.square(x), m.isnan(x), m.isfinite(x), m.logical_not(x)), BOOLS),
    "round": (lambda m, x: (m.round(x, decimals=2), x.round(decimals=0), m.round(x * 1000, decimals=-2)), FLOATS * 7),
    "clamps": (lambda m, x: (x.clamp_min(0.1), x.clamp_max(0.1), m.clamp_min(x, x * 2), x.clamp(x - 1, x * 2)), FLOATS),
    "clamp of ints": (lambda m, x: (x.clamp(min=1.5), x.clamp(2, 5), m.clamp(x, max=3)), BIG // 1_000_000),
    "clamp by a scalar": (lambda m, x: x.clamp(min=m.tensor(0.25)), FLOATS),
    "celu": (lambda m, x: tuple((ops if m is ops else F).celu(x, a) for a in (-1.0, -0.5, 0.5, 1.0)), FLOATS * 3),
    "celu of what is infinite by its alpha": (
        lambda m, x: (ops if m is ops else F).celu(x, 0.5), torch.tensor([3e38, -3e38, 1.0, INF, -INF, float("nan")]),
    ),
    "softplus": (lambda m, x: tuple((ops if m is ops else F).softplus(x, b) for b in (-1.0, 0.5, 2.0)), FLOATS * 3),
    "powers": (lambda m, x: (x**3, x**0.5, x**-0.5, x**-2, x**-1, x**0, x**1, x**2.5), FLOATS.abs()),
    "powers of ints": (lambda m, x: (x**3, x**0, x**1, x**2, x**0.5, x**5), BIG // 1_000_000 % 50),
    "lerp": (lambda m, x: (m.lerp(x, x * 2, 0.3), m.lerp(x, x * 2, 0.8), m.lerp(x, x * 2, x)), FLOATS),
    "tensors": (
        lambda m, x: (m.tensor([1, 2]), m.tensor([1.5, 2]), m.tensor(True), m.tensor([[1]], dtype=torch.float32), x),
        FLOATS,
    ),
    "filled": (lambda m, x: (m.zeros(2, 3), m.ones((2, 3)), m.full((2,), 7), m.zeros_like(x), m.ones(2), x), FLOATS),
}  # fmt: skip


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", ELEMENTS)
def test_functions_of_elements_are_torchs(name: str, dynamic: bool) -> None:
    function, x = ELEMENTS[name]
    same(function, x, dynamic=dynamic)


def test_tensors_of_sizes() -> None:
    def forward(x: Any) -> tuple[Any, ...]:
        n = x.shape[0]
        return ops.tensor([n, 3]), ops.tensor([n * 0.5, 1]), ops.tensor([[n], [n + 1]]), ops.tensor(n, dtype="float32")

    found = network_of(forward, {"x": trtnet.Input(("n",))}).reference()(torch.zeros(5)).values()
    wanted = torch.tensor([5, 3]), torch.tensor([2.5, 1]), torch.tensor([[5], [6]]), torch.tensor(5.0)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b) and a.dtype == b.dtype
    with pytest.raises(LayerError, match="rows have different lengths"):
        network_of(lambda x: x + ops.tensor([[1], [1, 2]]), {"x": trtnet.Input((2,))})


def test_they_build() -> None:
    def forward(x: Any, b: Any, i: Any) -> tuple[Any, ...]:
        largest = b.amax(1), b.max(1)[0], b.prod(), i.sum(1), i.prod(1), i.sqrt(), b.exp(), i.relu()
        return (
            *largest,
            x.var(1),
            x.std(),
            x.norm(p=0),
            x[0].softmax(0),
            x.logsumexp(1),
            x.clamp(x - 1, x),
            x.round(decimals=1),
        )

    inputs = {
        "x": trtnet.Input(("n", "m")),
        "b": trtnet.Input(("n", "m"), "bool"),
        "i": trtnet.Input(("n", "m"), "int32"),
    }
    outputs = network_of(forward, inputs).build({"n": (1, 2, 4), "m": (1, 5, 8)}).plan.info.outputs
    wanted = forward(torch.ones(2, 5), torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 5, dtype=torch.int32))
    assert [(x.dtype, len(x.shape)) for x in outputs] == [
        (str(x.dtype).removeprefix("torch."), x.dim()) for x in wanted
    ]
