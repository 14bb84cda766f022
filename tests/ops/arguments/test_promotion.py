"""Result types and numbers beside 16-bit floats: torch's, over all pairs of dtypes and kinds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import nn, ops
from trtnet.support import dtypes
from trtnet.support.errors import LayerError

NAMES = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32")
NUMBERS = (True, 3, 2.5)
MISSING = {"int16"}
REFUSED = {torch.uint8}
SHAPES = {"tensor": (2, 3), "scalar": ()}


def of(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Values that every dtype has."""
    x = random_tensor(6, dtype="int64" if name == "uint8" else name)[: 6 if shape else 1].reshape(shape)
    return x if name == "bool" else x.abs().to(getattr(torch, name))


OPERANDS = {f"{name} {kind}": of(name, shape) for name in NAMES for kind, shape in SHAPES.items()}
OPERANDS |= {f"number {value}": value for value in NUMBERS}
PAIRS = [pair for pair in itertools.product(OPERANDS, repeat=2) if not all(key.startswith("number") for key in pair)]


def given(operand: Any) -> Any:
    return ops.as_tensor(operand) if isinstance(operand, torch.Tensor) else operand


@pytest.mark.parametrize("operator", ["add", "mul", "maximum", "div", "eq", "lt", "where"])
def test_every_pair_has_torchs_result_type_and_value(operator: str) -> None:
    """All pairs in one network."""
    found_pairs, expected = [], []
    for left, right in PAIRS:
        x, y = OPERANDS[left], OPERANDS[right]
        if MISSING & {str(torch.result_type(x, y))[6:]}:
            continue
        try:
            result = _torch(operator, x, y)
        except (RuntimeError, TypeError):
            continue
        if result.dtype not in REFUSED:
            expected.append(result)
            found_pairs.append((left, right))

    def forward(x: Any) -> dict[str, Any]:
        results = {}
        for index, (left, right) in enumerate(found_pairs):
            a, b = given(OPERANDS[left]), given(OPERANDS[right])
            arguments = (x, a, b) if operator == "where" else (a, b)
            results[f"r{index}"] = ops.cast(getattr(ops, operator)(*arguments), _observed(expected[index].dtype))
            dtype = getattr(ops, operator)(*arguments).dtype
            assert dtype == expected[index].dtype, f"{operator} of {left} and {right}: {dtype}"
        return results

    reference = network_of(forward, {"x": trtnet.Input((2, 3), "bool")}).reference()
    found = reference(CONDITION)
    for index, (left, right) in enumerate(found_pairs):
        wanted = expected[index].to(getattr(torch, _observed(expected[index].dtype)))
        # an exact number beside 16 bits gives the same; torch on the CPU rounds some before (add, sub)
        torch.testing.assert_close(
            found[f"r{index}"], wanted, rtol=1e-2, atol=0, equal_nan=True, msg=f"{operator} {left} {right}"
        )


CONDITION = torch.tensor([[True, False, True], [False, False, True]])


def _observed(dtype: torch.dtype) -> str:
    return "int32" if dtype in (torch.uint8, torch.int8) else str(dtype)[6:]


def _torch(operator: str, x: Any, y: Any) -> torch.Tensor:
    if operator == "where":
        return torch.where(CONDITION, x, y)
    return getattr(torch, operator)(x, y)


def test_the_table_of_result_types() -> None:
    with network_of(lambda x: x, {"x": trtnet.Input((1,))}):
        from trtnet.ops.arguments.promotion import result_type

        for left, right in PAIRS:
            x, y = OPERANDS[left], OPERANDS[right]
            wanted = str(torch.result_type(x, y))[6:]
            if wanted in MISSING:
                with pytest.raises(TypeError, match="int16, which TensorRT does not have"):
                    result_type(given(x), given(y))
            else:
                assert result_type(given(x), given(y)) == wanted, f"{left}, {right}"
                assert result_type(x, y) == wanted, f"constants of torch: {left}, {right}"


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_size_beside_16_bits_is_computed_in_float32(dtype: str, dynamic: bool) -> None:
    count = 70_000
    x = torch.full((1, count), 0.5, dtype=getattr(torch, dtype))
    shape = (1, "n") if dynamic else (1, count)
    reference = network_of(lambda x: x.float().sum(1).to(dtype) / x.shape[1], {"x": trtnet.Input(shape, dtype)}, dtype)
    torch.testing.assert_close(reference.reference()(x), x.float().sum(1).to(x.dtype) / count)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("operator", ["mul", "div", "floor_divide", "remainder", "fmod", "pow", "eq", "lt"])
@pytest.mark.parametrize("number", [1e-8, 0.3, 3, 1e-3, 60000.0])
def test_numbers_beside_16_bits(operator: str, number: float, dtype: str) -> None:
    x = torch.cat([random_tensor(200, dtype=dtype).abs() * scale for scale in (1, 50, 60000 / 8)])
    wanted = getattr(torch, operator)(x, number)
    inputs = {"x": trtnet.Input((600,), dtype)}
    reference = network_of(lambda x: getattr(ops, operator)(x, number), inputs, dtype).reference()
    found = reference(x)
    assert found.dtype == wanted.dtype
    small = x.float() / np.float32(number) < 2**23 if operator in ("floor_divide", "remainder", "fmod") else x == x
    rounding = 1e-3 if dtype == "float16" else 1e-2
    torch.testing.assert_close(found[small], wanted[small], rtol=rounding, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "function", [lambda x: 3 / x, lambda x: 70000 / x, lambda x: 1 - x, lambda x: 0.3 * x, lambda x: 1e-8 / x]
)
def test_numbers_on_the_left(function: Any) -> None:
    x = torch.cat([random_tensor(200, dtype="float16"), torch.tensor([1e-6, 1e-4, 6e4]).half()])
    found = network_of(function, {"x": trtnet.Input((203,), "float16")}, "float16").reference()(x)
    torch.testing.assert_close(found, function(x), rtol=1e-3, atol=0)


def layers(function: Any, dtype: str = "float16") -> list[str]:
    network = network_of(function, {"x": trtnet.Input(("n", 3), dtype)}, dtype).trt
    return [network.get_layer(i).type.name for i in range(network.num_layers)]


@pytest.mark.parametrize("function", [lambda x: x * 2, lambda x: x + 0.5, lambda x: x / 3, lambda x: 1 - x])
def test_numbers_that_the_dtype_has_need_no_casts(function: Any) -> None:
    assert "CAST" not in layers(function)
    assert layers(lambda x: x * 0.1).count("CAST") == 2


def test_constants_keep_their_dtypes() -> None:
    big = torch.tensor([16777217])
    found = network_of(lambda x: x + torch.tensor([0]), {"x": trtnet.Input((1,), "int64")}).reference()(big)
    assert found.dtype == torch.int64 and found.item() == 16777217
    mask = torch.tensor([True, False])
    found = network_of(lambda x: x & mask, {"x": trtnet.Input((2,), "bool")}).reference()(torch.tensor([True, True]))
    assert torch.equal(found, mask)
    inputs = {"x": trtnet.Input((2,), "float16")}
    x = torch.ones(2).half()
    for constant in (torch.tensor([[1.0, 2.0]]), np.array([[1.0, 2.0]], np.float32), np.array([[1.0, 2.0]])):
        found = network_of(lambda x, c=constant: x + c, inputs, "float16").reference()(x)
        assert found.dtype == torch.float32 and found.shape == (1, 2)
    for constant in (torch.tensor(2.0), np.float32(2), np.array(2.0), torch.tensor(2.0).bfloat16()):
        assert network_of(lambda x, c=constant: x * c, inputs, "float16").reference()(x).dtype == torch.float16


class Buffered(nn.Module):
    def __init__(self) -> None:
        self.register_buffer("mask", np.array([0.25, -100.0], np.float32), persistent=False)

    def forward(self, x: Any) -> Any:
        return (x + self.mask) @ self.mask[:, None]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_floats_of_buffers_without_a_key_are_of_the_networks_dtype(dtype: str) -> None:
    network = trtnet.define(Buffered(), {"x": trtnet.Input(("n", 2), dtype)}, {}, dtype=dtype)
    x = torch.ones(3, 2, dtype=getattr(torch, dtype))
    mask = torch.tensor([0.25, -100.0]).to(x.dtype)
    found = network.reference()(x)
    assert found.dtype == x.dtype
    torch.testing.assert_close(found, (x + mask) @ mask[:, None], rtol=1e-2, atol=1e-2)


class Scaled(nn.Module):
    def __init__(self) -> None:
        self.weight = nn.Parameter(2)
        self.table = nn.Parameter(2, dtype="int64")

    def forward(self, x: Any) -> Any:
        assert self.table.dtype == "int64"
        return x.to(self.weight.dtype) * self.weight + self.table


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_parameter_has_the_dtype_of_the_network(dtype: str) -> None:
    model = Scaled()
    assert model.weight.dtype is None and model.table.dtype == "int64"
    weights = {"weight": np.ones(2, np.float32), "table": np.ones(2, np.int64)}
    network = trtnet.define(model, {"x": trtnet.Input((2,), "float32")}, weights, dtype=dtype)
    found = network.reference()(torch.ones(2))
    assert found.dtype == getattr(torch, dtype) and found.tolist() == [2, 2]


@pytest.mark.parametrize("dtype", ["float", 1.5, torch.complex64, torch.float64, torch.int16])
def test_an_unknown_dtype_is_an_error_at_the_line(dtype: Any) -> None:
    with pytest.raises(LayerError, match=r"(unknown|has no) .*\n  in tests/ops/arguments/test_prom"):
        network_of(lambda x: x.to(dtype), {"x": trtnet.Input((2,))})


@pytest.mark.parametrize("device", [None, 7])
def test_a_device_keeps_the_dtype(device: Any) -> None:
    assert network_of(lambda x: x.to(device), {"x": trtnet.Input((2,))}).outputs["output"].dtype == "float32"


def test_results_of_other_dtypes() -> None:
    x, mask = torch.tensor([1, 2]), torch.tensor([True, False])
    inputs = {"x": trtnet.Input((2,), "int64"), "m": trtnet.Input((2,), "bool")}
    found = network_of(lambda x, m: x.masked_fill(m, 0.0), inputs).reference()(x, mask)
    assert torch.equal(found, x.masked_fill(mask, 0.0)) and found.dtype == torch.int64
    inputs = {"x": trtnet.Input((2,), "float16"), "z": trtnet.Input((), "float32")}
    found = network_of(lambda x, z: x * z, inputs, "float16").reference()(x.half(), torch.tensor(1e-5))
    torch.testing.assert_close(found, x.half() * torch.tensor(1e-5))


@pytest.mark.parametrize("other", [None, "a", [1.0], object(), 1j])
def test_an_operand_of_a_wrong_type_is_an_error_at_the_line(other: Any) -> None:
    with pytest.raises(LayerError, match=r"add: found .* where a tensor or a number is expected\n  in .*test_p"):
        network_of(lambda x: x + other, {"x": trtnet.Input((2,))})


@pytest.mark.parametrize("function", [lambda x: x - x, lambda x: x // x, lambda x: x % x, lambda x: x**x, lambda x: -x])
def test_bools_that_torch_refuses(function: Any) -> None:
    with pytest.raises(LayerError):
        network_of(function, {"x": trtnet.Input((2,), "bool")})


def test_integers_of_8_bits_go_round() -> None:
    values = torch.arange(-128, 128).to(torch.int8)
    functions = [lambda x: x + 100, lambda x: x * x, lambda x: x - 100, lambda x: -x, lambda x: abs(x), lambda x: x**3]
    network = network_of(lambda x: tuple(f(x).int() for f in functions), {"x": trtnet.Input((256,), "int8")})
    for found, function in zip(network.reference()(values).values(), functions, strict=True):
        assert torch.equal(found, function(values).int())
    network.build()


@pytest.mark.parametrize("function", [lambda x: x + x, lambda x: -x, lambda x: ops.where(x > 0, x, 1), lambda x: x**2])
def test_uint8_is_only_for_inputs_and_outputs(function: Any) -> None:
    with pytest.raises(LayerError, match=r"TensorRT has uint8 for inputs and outputs only: .* int32"):
        network_of(function, {"x": trtnet.Input((2,), "uint8")})
    used = network_of(
        lambda x: (x / 255, x > 3, x * 0.5, x == x, x + ops.cast(x, "int32")), {"x": trtnet.Input((2,), "uint8")}
    )
    used.build()


def test_a_number_that_vanishes_is_said(caplog: pytest.LogCaptureFixture) -> None:
    network_of(lambda x: ops.log(x + 1e-10), {"x": trtnet.Input((2,), "float16")}, "float16")
    assert "1e-10 is 0 in float16" in caplog.text and "ops.log(x + 1e-10)" in caplog.text
    caplog.clear()
    network_of(lambda x: x.clamp(min=1e-12), {"x": trtnet.Input((2,), "float16")}, "float16")
    assert "1e-12 is 0 in float16" in caplog.text
    caplog.clear()
    network_of(lambda x: x * 1e-10 + 1e-3, {"x": trtnet.Input((2,), "float16")}, "float16")
    assert not caplog.text


def test_integers_out_of_range_for_a_dtype() -> None:
    with pytest.raises(LayerError, match="1099511627776 is out of range for int32, -2147483648 to 2147483647"):
        network_of(lambda x: x + 2**40, {"x": trtnet.Input((2,), "int32")})


def test_they_build() -> None:
    inputs = {"x": trtnet.Input(("n", 3), "float16"), "z": trtnet.Input((), "float32"), "b": trtnet.Input((3,), "bool")}

    def forward(x: Any, z: Any, b: Any) -> tuple[Any, ...]:
        return x * 0.1, x / x.shape[0], x * z, (b + b) * b, 3 / x, x % 0.3, x // z, (x > 0.1), x**3, x.fmod(x + 1)

    network_of(forward, inputs, "float16").build({"n": (1, 4, 8)})


assert set(NAMES) <= {dtype.name for dtype in dtypes.TABLE}
