"""Inputs that say sizes: read by tolist() and item(), with named ranges, used wherever a size can stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.builder import Plan
from trtnet.support.errors import ModelError, ProfileError

SIZE = trtnet.Input((2,), "int64", values=("h", "w"))
COUNT = trtnet.Input((), "int32", values=("k",))
X = trtnet.Input(("n", 4))


def resizing(x: Any, size: Any) -> Any:
    return ops.interpolate(x, size.tolist())


def counting(x: Any, k: Any) -> dict[str, Any]:
    n = k.item()
    return {
        "sliced": x[:, :n] * 1,
        "counted": ops.arange(n),
        "expanded": x[:1].expand(n, 4),
        "best": ops.topk(x, n)[0],
        "padded": ops.cat([x, ops.zeros((n, 4))]),
        "computed": x[:, : (k + 1).item()] * 1,
        "reshaped": ops.zeros((n * 3, 4)).reshape(n, 12),
    }


@pytest.mark.parametrize("size", [(3, 5), (8, 1), (4, 4)])
def test_an_image_is_resized_to_what_an_input_says(size: tuple[int, int]) -> None:
    network = network_of(resizing, {"x": trtnet.Input(("n", 3, 4, 4)), "size": SIZE})
    x = torch.randn(2, 3, 4, 4)
    found = network.reference()(x.numpy(), np.array(size))
    np.testing.assert_array_equal(found, torch.nn.functional.interpolate(x, size).numpy())


@pytest.mark.parametrize("k", [1, 2, 3])
def test_sizes_are_used_as_torch_uses_the_numbers(k: int) -> None:
    network = network_of(counting, {"x": X, "k": COUNT})
    x = torch.randn(2, 4)
    found = network.reference()(x.numpy(), np.array(k, np.int32))
    expected = {
        "sliced": x[:, :k],
        "counted": torch.arange(k),
        "expanded": x[:1].expand(k, 4),
        "best": torch.topk(x, k)[0],
        "padded": torch.cat([x, torch.zeros(k, 4)]),
        "computed": x[:, : k + 1],
        "reshaped": torch.zeros(k, 12),
    }
    assert {name: array.tolist() for name, array in found.items()} == {n: a.tolist() for n, a in expected.items()}


def test_they_build_with_ranges_of_values_a_profile(tmp_path: Path) -> None:
    network = network_of(counting, {"x": X, "k": COUNT})
    engine = network.build([{"n": (1, 2, 4), "k": (1, 2, 3)}, {"n": 8, "k": (2, 2, 3)}])
    assert [profile["k"] for profile in engine.info.profiles] == [((1,), (2,), (3,)), ((2,), (2,), (3,))]
    assert engine.info.inputs[1].values == ("k",) and engine.info.outputs[0].shape == ("n", "min(k, 4)")
    engine.save(tmp_path / "e.engine")
    assert Plan.load(tmp_path / "e.engine").info == engine.info


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": trtnet.Input(("k",)), "n": COUNT},
        {"n": COUNT, "x": trtnet.Input(("k",))},
        {"n": COUNT, "x": COUNT},
        {"n": trtnet.Input((2,), "int64", values=("k", "k")), "x": X},
    ],
)
def test_each_value_has_a_name_of_its_own(inputs: dict[str, trtnet.Input]) -> None:
    with pytest.raises(ModelError, match="the name 'k' is taken; each value needs its own"):
        network_of(lambda a, b: a, inputs)


@pytest.mark.parametrize(
    ("shape", "dtype", "values"),
    [((2,), "int64", ("h",)), ((), "int64", ("h", "w")), ((1,), "float32", ("h",)), ((1,), None, ("h",))],
)
def test_declarations_that_cannot_be(shape: Any, dtype: Any, values: Any) -> None:
    with pytest.raises(ModelError, match=r"values=\(.*\) name the sizes that an input of int32 or int64 says"):
        trtnet.Input(shape, dtype, values=values)


def test_values_want_names() -> None:
    with pytest.raises(ModelError, match=r'Input\(\(2,\), "int64", values=\("size0", "size1",\)\)'):
        network_of(resizing, {"x": trtnet.Input(("n", 3, 4, 4)), "size": trtnet.Input((2,), "int64")})
    computed = network_of(lambda x, k: x[:, : (k + 1).item()], {"x": X, "k": trtnet.Input((), "int64")})
    with pytest.raises(ProfileError, match="input k is a shape input, whose ranges TensorRT needs: declare it"):
        computed.build({"n": 2})


def test_names_that_nothing_takes_a_size_from() -> None:
    network = network_of(lambda x, k: x * k, {"x": X, "k": COUNT})
    with pytest.raises(ProfileError, match="no size of the network is one of the values k of input k"):
        network.build({"n": 2, "k": 2})


def test_tensors_that_hold_no_sizes() -> None:
    with pytest.raises(ModelError, match=r"compute with it as a tensor.*; only integers of rank 1 or 0"):
        network_of(lambda x: x[: x.item()], {"x": X})
    with pytest.raises(ModelError, match="takes the one element of a tensor"):
        network_of(lambda x, size: x[: size.item()], {"x": X, "size": SIZE})


def test_a_size_computed_from_data() -> None:
    """TensorRT-RTX builds it; the sidecar does not say what an inference takes, which shapes do not tell."""
    network = network_of(lambda x: x[: (x[:, 0] > 0).to("int64").sum(0).item()] * 2, {"x": X})
    info = network.build({"n": (1, 2, 8)}).info
    assert info.flops == () and info.minimum_bytes == ()
    x = torch.randn(5, 4)
    found = network.reference()(x.numpy())
    np.testing.assert_array_equal(found, x[: int((x[:, 0] > 0).sum())].numpy() * 2)
