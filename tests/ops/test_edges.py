"""What the search found at the edges of operations: integers beside fractions, zeros with a sign, broadcasting."""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops
from trtnet.support.backend import trt
from trtnet.support.errors import LayerError

INTS = random_tensor(2, 3, dtype="int64")


def both(ours: Callable[..., Any], theirs: Callable[..., Any], *inputs: torch.Tensor) -> tuple[Any, Any]:
    specs = {f"x{i}": trtnet.Input(tuple(x.shape), str(x.dtype)[6:]) for i, x in enumerate(inputs)}
    return network_of(ours, specs).reference()(*inputs), theirs(*inputs)


@pytest.mark.parametrize(("threshold", "value"), [(0.1, -2.5), (1, 20), (-1.9, 0.5)])
def test_a_threshold_of_integers_is_an_integer(threshold: float, value: float) -> None:
    found, wanted = both(lambda x: ops.threshold(x, threshold, value), lambda x: F.threshold(x, threshold, value), INTS)
    assert found.dtype == wanted.dtype and torch.equal(found, wanted)


@pytest.mark.parametrize("name", ["hardshrink", "softshrink", "threshold"])
def test_nan_stays(name: str) -> None:
    x = torch.tensor([float("nan"), float("inf"), 0.1, -3.0])
    arguments = (0.5, 2.0) if name == "threshold" else (0.5,)
    found, wanted = both(lambda y: getattr(ops, name)(y, *arguments), lambda y: getattr(F, name)(y, *arguments), x)
    assert torch.equal(found.nan_to_num(7.0), wanted.nan_to_num(7.0))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("by", [0, 1, 5])
def test_shifts_are_torchs(dtype: str, by: int) -> None:
    x = random_tensor(4, 5, dtype=dtype) * 37
    for call in (lambda y: y << by, lambda y: y >> by):
        found, wanted = both(call, call, x)
        assert found.dtype == wanted.dtype and torch.equal(found, wanted)


@pytest.mark.parametrize("call", [lambda x: x << -1, lambda x: x >> 63, lambda x: x.float() << 1])
def test_shifts_that_tensorrt_lacks_are_rejected_at_the_line(call: Callable[..., Any]) -> None:
    with pytest.raises(LayerError, match=r"(?s)(<<|>>) takes .*test_edges\.py"):
        network_of(call, {"x": trtnet.Input((2, 3), "int64")})


def test_the_sign_of_a_zero_is_copied() -> None:
    x, sign = torch.tensor([1.5, -2.0, 3.0, 4.0]), torch.tensor([-0.0, 0.0, -5.0, float("-inf")])
    found, wanted = both(ops.copysign, torch.copysign, x, sign)
    assert torch.equal(found, wanted)
    assert both(ops.copysign, torch.copysign, x > 0, sign)[0].dtype == torch.float32


def test_cosine_similarity_broadcasts_before_it_measures() -> None:
    x, y = random_tensor(7, 3), random_tensor(1, 3, seed=1)
    for pair in ((x, y), (x, torch.tensor(0.5)), (x[:, 0], torch.tensor([0.5]))):
        found, wanted = both(
            lambda a, b: ops.cosine_similarity(a, b, 0), lambda a, b: F.cosine_similarity(a, b, 0), *pair
        )
        assert torch.allclose(found, wanted, atol=1e-6)


def test_cross_without_dim_wants_to_know_which_axis_is_the_first_of_three() -> None:
    with pytest.raises(LayerError, match="give dim="):
        network_of(ops.cross, {name: trtnet.Input(("n", 3)) for name in "xy"})
    x = random_tensor(2, 3)
    found, wanted = both(ops.cross, lambda a, b: torch.linalg.cross(a, b), x, x.flip(0))
    assert torch.allclose(found, wanted)


def test_further_names_of_arguments_are_torchs() -> None:
    x = random_tensor(2, 3)
    for call in (
        lambda m, y: m.mm(y, mat2=y.mT), lambda m, y: m.outer(y[0], vec2=y[1]), lambda m, y: m.pow(y * y, exponent=2),
        lambda m, y: m.swapaxes(y, axis0=0, axis1=1), lambda m, y: m.broadcast_to(y, size=(4, 2, 3)),
        lambda m, y: m.norm(y, None),
        lambda m, y: y.broadcast_to(size=(4, 2, 3)), lambda m, y: y.clone(memory_format=torch.contiguous_format),
    ):  # fmt: skip
        found, wanted = both(functools.partial(call, ops), functools.partial(call, torch), x)
        assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (5,), (1,)])
def test_prelu_of_less_than_two_dimensions(shape: tuple[int, ...]) -> None:
    x, weight = random_tensor(1, *shape)[0], torch.tensor([0.25])
    found, wanted = both(lambda y: y.prelu(weight), lambda y: y.prelu(weight), x)
    assert torch.equal(found, wanted)


def test_indices_may_be_constants() -> None:
    x, index = random_tensor(3, 4), torch.tensor([2, 0])
    for call in (lambda y: y.index_select(0, index), lambda y: y.gather(1, torch.tensor([[1], [0], [3]]))):
        assert torch.equal(*both(call, call, x))


def test_pixels_of_any_number_of_channels_are_unshuffled() -> None:
    x = random_tensor(2, 3, 4, 6)
    network = network_of(lambda y: ops.pixel_unshuffle(y, 2), {"x": trtnet.Input(("n", "c", "h", "w"))})
    assert torch.equal(network.reference()(x), F.pixel_unshuffle(x, 2))


@pytest.mark.parametrize("weight", [-2.5, -0.25, 0.25, 0.5, 3.0])
def test_lerp_begins_at_the_end_that_torch_begins_at(weight: float) -> None:
    x, end = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([float("inf"), 5.0, float("-inf")])
    found, wanted = both(lambda a, b: ops.lerp(a, b, weight), lambda a, b: torch.lerp(a, b, weight), x, end)
    assert torch.equal(found.nan_to_num(7.0), wanted.nan_to_num(7.0))


def test_no_file_of_ops_stands_where_a_function_of_torch_is_looked_for() -> None:
    files = [name for name, value in vars(ops).items() if isinstance(value, types.ModuleType)]
    callables = {
        name for place in (torch, F, torch.Tensor) for name in dir(place) if callable(getattr(place, name, None))
    }
    assert set(files) & callables <= {"index"}  # no public function of torch


def test_fractions_beside_products_of_integers_are_refused() -> None:
    specs = {name: trtnet.Input((2, 2), "int64") for name in "xyz"}
    with pytest.raises(LayerError, match=r"beta=0\.5"):
        network_of(lambda x, y, z: ops.addmm(x, y, z, beta=0.5), specs)


def judged(ours: Callable[..., Any], theirs: Callable[..., Any], *inputs: torch.Tensor, rtol: float = 0) -> None:
    found, wanted = both(ours, theirs, *inputs)
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=0, equal_nan=True)


BOOLS = torch.tensor([[True, False], [False, True]]), torch.tensor([[True, True], [False, False]])


@pytest.mark.parametrize("alpha", [0, 1, 2, -1, 0.5])
def test_a_sum_of_bools_is_one_of_bools_whatever_alpha_is(alpha: float) -> None:
    if isinstance(alpha, float):
        with pytest.raises(LayerError, match=r"(?s)alpha that is an integer.*test_edges\.py"):
            both(lambda x, y: ops.add(x, y, alpha=alpha), torch.add, *BOOLS)
        return
    judged(lambda x, y: ops.add(x, y, alpha=alpha), lambda x, y: torch.add(x, y, alpha=alpha), *BOOLS)


@pytest.mark.parametrize("alpha", [3, -1, 0.1, 1e-8, 2.0])
def test_alpha_decides_nothing_of_the_dtype(alpha: float) -> None:
    halves = torch.linspace(-3, 3, 40).half().reshape(2, 20), torch.linspace(5, -2, 40).half().reshape(2, 20)
    specs = {name: trtnet.Input((2, 20), "float16") for name in ("x", "y")}
    for name in ("add", "sub"):
        network = network_of(lambda x, y, name=name: getattr(ops, name)(x, y, alpha=alpha), specs, "float16")
        exact = getattr(torch, name)(*(x.float() for x in halves), alpha=alpha).half()
        assert torch.equal(network.reference()(*halves), exact)  # as on torch's GPUs; its CPU rounds the product, too
    if isinstance(alpha, int):
        few = INTS.int(), BOOLS[0].repeat(1, 2)[:, :3]
        judged(lambda x, y: ops.add(x, y, alpha=alpha), lambda x, y: torch.add(x, y, alpha=alpha), *few)
    else:
        for name in ("add", "sub"):
            with pytest.raises(LayerError, match=r"alpha that is an integer"):
                both(lambda x, name=name: getattr(ops, name)(x, 3, alpha=alpha), torch.add, INTS)
    judged(lambda x: ops.add(x, 0.5, alpha=alpha), lambda x: torch.add(x, 0.5, alpha=alpha), INTS, rtol=1e-6)


@pytest.mark.parametrize(
    "call", [lambda x: x - 2, lambda x: 2 - x, lambda x: 0.5 - x, lambda x: x - x.int(), lambda x: x.float() - x]
)
def test_bools_are_not_subtracted(call: Callable[..., Any]) -> None:
    with pytest.raises(LayerError, match=r"(?s)sub of bools.*test_edges\.py"):
        both(call, call, BOOLS[0])


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("value", [1, 2, 0.5, -1.5, 2.7])
def test_addcmul_of_integers_is_of_integers(value: float, dtype: str) -> None:
    x = random_tensor(2, 3, dtype=dtype)
    judged(lambda a, b: ops.addcmul(a, b, a, value=value), lambda a, b: torch.addcmul(a, b, a, value=value), x, INTS)
    by_floats = [lambda a, m=m: m.addcmul(a, a, a.float(), value=value) for m in (ops, torch)]
    judged(*by_floats, x)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64"])
def test_exp2_of_large_numbers_and_erfc_everywhere(dtype: str) -> None:
    x = torch.linspace(-126, 127.5, 500) if dtype == "float32" else torch.arange(125).to(getattr(torch, dtype))
    judged(ops.exp2, torch.exp2, x, rtol=3e-7)
    small = torch.linspace(-4, 9, 5000) if dtype == "float32" else torch.arange(10).to(getattr(torch, dtype))
    judged(ops.erfc, torch.erfc, small, rtol=6e-7)
    judged(ops.erfc, torch.erfc, torch.tensor([float("inf"), float("-inf"), float("nan"), 30.0, 0.5, -0.0]), rtol=6e-7)


@pytest.mark.parametrize("call", [lambda x: x[2:, None], lambda x: x[2:].reshape(-1, 1, x.shape[1])])
def test_what_may_be_empty_when_the_engine_runs_is_reshaped(call: Callable[..., Any]) -> None:
    network = network_of(call, {"x": trtnet.Input(("n", "m"))})
    for n in (1, 2, 4):
        x = random_tensor(n, 3)
        assert torch.equal(network.reference()(x), x[2:, None])


BYTES = torch.tensor([[2, 255, 0], [9, 44, 253]], dtype=torch.uint8)


@pytest.mark.parametrize("number", [-1, -3, 300, 2, 2.5, torch.tensor(-3), np.int64(-1), True])
@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_numbers_beside_uint8_are_modulo_256(name: str, number: Any) -> None:
    compare = getattr(operator, name)
    judged(lambda x: compare(x, number), lambda x: compare(x, number), BYTES)
    judged(lambda x: compare(x, x.sum() - 600), lambda x: compare(x, x.sum() - 600), BYTES)


OF_BYTES = {
    "empty_like": lambda m, x: m.empty_like(x).fill_(0),
    "full": lambda m, x: m.full((2, 3), 2, dtype=torch.uint8) + x.int(),
    "kthvalue": lambda m, x: m.kthvalue(x, 2)[0],
    "moved twice": lambda m, x: x.unsqueeze(0).expand(2, 2, 3).flatten(),
    "read again": lambda m, x: (x.int() * 3).to(torch.uint8).int(),
    "below 0": lambda m, x: (x.long() - 100).to(torch.uint8).float(),
    "bools": lambda m, x: (x.int() > 5).to(torch.uint8).long() + 1,
    "both": lambda m, x: ((x.int() * 3).to(torch.uint8), (x.int() * 3).to(torch.uint8) > 9),
    "floats": lambda m, x: (x.float() * 0.5).to(torch.uint8).half(),
    "copysign": lambda m, x: m.copysign(x, torch.tensor([-1.0, 2.0, -3.0])),
}


@pytest.mark.parametrize("name", OF_BYTES)
def test_uint8_inside_of_a_network_is_int32_to_tensorrt(name: str) -> None:
    network = network_of(functools.partial(OF_BYTES[name], ops), {"x": trtnet.Input((2, 3), "uint8")})
    found, wanted = network.reference()(BYTES), OF_BYTES[name](torch, BYTES)
    for one, other in zip(found, wanted, strict=True) if isinstance(wanted, tuple) else [(found, wanted)]:
        assert one.dtype == other.dtype and torch.equal(one, other)
    network.build()


def test_the_angle_of_zeros_and_infinities_has_torchs_signs() -> None:
    values = [0.0, -0.0, 1.0, -1.0, 2.5, 1e-30, float("inf"), float("-inf"), float("nan")]
    x, y = (grid.flatten() for grid in torch.meshgrid(torch.tensor(values), torch.tensor(values), indexing="ij"))
    found, wanted = both(lambda a, b: ops.atan2(a, other=b), lambda a, b: torch.atan2(a, other=b), x, y)
    torch.testing.assert_close(found, wanted, rtol=3e-7, atol=0, equal_nan=True)
    assert torch.equal(found.signbit()[~found.isnan()], wanted.signbit()[~wanted.isnan()])


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8"])
def test_powers_of_integers_are_torchs_products(dtype: str) -> None:
    bases, exponents = (
        [0, 1, -1, 2, -2, 3, -7, 10, 100],
        [0, 1, 2, 3, 5, 9, 20, 31, 32, 62, 63, 64, 65, 100, -1, -2, -3],
    )
    x, y = (grid.flatten().to(getattr(torch, dtype)) for grid in
            torch.meshgrid(torch.tensor(bases), torch.tensor(exponents), indexing="ij"))  # fmt: skip
    judged(lambda a, b: a**b, lambda a, b: a**b, x, y)
    judged(lambda a: 2 ** a.abs(), lambda a: 2 ** a.abs(), y)


def test_powers_of_integers_by_large_exponents() -> None:
    """They overflow, many times, as torch's products do."""
    x = torch.tensor([3, -3, 5, 7, -7, 1, -1, 2, 10, 0])
    y = torch.tensor([-593380359827, 291442600867, 91839801930, 2**40 + 1, 66, 2**62 + 1, 2**62 + 1, 2**50, 64, 99])
    judged(lambda a, b: a**b, lambda a, b: a**b, x, y)
    judged(lambda a, b: a**b, lambda a, b: a**b, x.int(), (y % 2**31).int())
    for base in (3, 2, -1, -6):
        judged(lambda b, base=base: base ** b.abs(), lambda b, base=base: base ** b.abs(), y)


def test_powers_of_integers_are_not_tensorrts_which_overflow_otherwise() -> None:
    network = network_of(lambda a, b: a**b, {name: trtnet.Input((3,), "int64") for name in ("a", "b")})
    operations = set()
    for i in range(network.trt.num_layers):
        layer = network.trt.get_layer(i)
        if layer.type == trt.LayerType.ELEMENTWISE:
            layer.__class__ = trt.IElementWiseLayer
            operations.add(layer.op)
    assert operations and trt.ElementWiseOperation.POW not in operations


@pytest.mark.parametrize("name", ["atan2", "copysign", "xlogy"])
def test_integers_that_floats_are_computed_of_have_no_common_dtype_before(name: str) -> None:
    function = lambda m: lambda x, y: getattr(m, name)(x, y.sum() - 300)  # noqa: E731
    judged(function(ops), function(torch), BYTES, BYTES.long() // 100, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_default_eps_of_rms_norm_is_float32s(dtype: str) -> None:
    x = (torch.arange(1, 13) * 0.01).reshape(3, 4).to(getattr(torch, dtype))
    found = network_of(lambda y: ops.rms_norm(y, (4,)), {"y": trtnet.Input((3, 4), dtype)}, dtype).reference()(x)
    torch.testing.assert_close(found, F.rms_norm(x, (4,)))


@pytest.mark.parametrize("offset", [0, 1, -2])
def test_the_matrix_of_a_diagonal_of_nothing(offset: int) -> None:
    def call(m: Any, x: Any) -> tuple[Any, ...]:
        return x + 1, m.diag(x[0, :0], offset).sum(), m.diag_embed(x[:, :0], offset)

    network = network_of(functools.partial(call, ops), {"x": trtnet.Input((2, 3))})
    for found, wanted in zip(
        network.reference()(torch.zeros(2, 3)).values(), call(torch, torch.zeros(2, 3)), strict=True
    ):
        assert found.shape == wanted.shape and torch.equal(found, wanted)


def test_addbmm_of_int32_is_int32() -> None:
    x, a = random_tensor(2, 2, dtype="int32"), random_tensor(3, 2, 2, dtype="int32")
    judged(ops.addbmm, torch.addbmm, x, a, a)


@pytest.mark.parametrize("p", [float("inf"), float("-inf"), 0, 1, 3])
@pytest.mark.parametrize("name", ["dist", "pairwise_distance"])
def test_distances_of_every_p(name: str, p: float) -> None:
    x, y = random_tensor(3, 4), random_tensor(3, 4, seed=1)
    theirs = torch.dist if name == "dist" else F.pairwise_distance
    judged(lambda a, b: getattr(ops, name)(a, b, p), lambda a, b: theirs(a, b, p), x, y, rtol=1e-6)
