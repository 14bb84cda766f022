"""A convolution and the batch norm behind it as one layer: numbers, layers, weights, and who else reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import TOLERANCES, network_of, random_tensor, random_weights, relative_l2, same_plan

import trtnet
from trtnet import models, nn, ops
from trtnet.definition import DefinedNetwork
from trtnet.support.errors import LayerError, WeightsError

Input = trtnet.Input
KERNEL = random_tensor(4, 3, 3, 3, seed=1) / 3
BIAS = random_tensor(4, seed=2)
MEAN, VAR = random_tensor(4, seed=3), random_tensor(4, seed=4).abs() + 0.5
GAIN, SHIFT = random_tensor(4, seed=5), random_tensor(4, seed=6)


def layers(network: DefinedNetwork) -> list[str]:
    return [network.trt.get_layer(i).name for i in range(network.trt.num_layers)]


def kinds(network: DefinedNetwork) -> list[str]:
    return sorted(str(network.trt.get_layer(i).type.name) for i in range(network.trt.num_layers))


def held(network: DefinedNetwork) -> int:
    """Bytes of the weights that the network keeps alive, each array once."""
    return sum({id(weight): weight.array.nbytes for weight in network._alive.values()}.values())


def conv(x: Any, kernel: Any = KERNEL, bias: Any = BIAS, **arguments: Any) -> Any:
    """ops.conv2d of a tensor of the network, torch's of one of torch's."""
    function: Any = F.conv2d if isinstance(x, torch.Tensor) else ops.conv2d
    return function(x, _of(x, kernel), None if bias is None else _of(x, bias), **arguments)


def bn(x: Any, mean: Any = MEAN, var: Any = VAR) -> Any:
    function: Any = F.batch_norm if isinstance(x, torch.Tensor) else ops.batch_norm
    return function(x, *(_of(x, each) for each in (mean, var, GAIN, SHIFT)))


def _of(x: Any, value: Any) -> Any:
    return value.to(x.dtype) if isinstance(x, torch.Tensor) else value.to(getattr(torch, x.dtype.name)).detach()


def check(function: Callable[[Any], Any], *kinds_wanted: str, shape: Any = (2, 3, 8, 8), dtype: str = "float32") -> Any:
    """Defines and runs what torch computes too; the layers are of the kinds wanted."""
    network = network_of(function, {"x": Input(shape, dtype)}, dtype)
    x = random_tensor(*(n if isinstance(n, int) else 5 for n in shape), dtype=dtype)
    found = network.reference()(x)
    expected = function(x.double())
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = found if isinstance(expected, tuple) and not isinstance(found, torch.Tensor) else [found]
    for ours, theirs in zip(found, expected, strict=True):
        assert relative_l2(ours, theirs) < 2 * TOLERANCES[dtype]
    if kinds_wanted:
        assert kinds(network) == sorted(kinds_wanted)
    return network


# one layer
def test_resnet18_has_52_layers_and_holds_each_weight_once() -> None:
    model = models.resnet18()
    weights = random_weights(model)
    network = trtnet.define(model, weights=weights)
    assert network.trt.num_layers == 52 and not any(name[-2:] == "_1" for name in layers(network) if "conv" in name)
    norms = [key for key in weights if key.endswith(("running_mean", "running_var"))]
    channels = sum(weights[key].nbytes for key in norms) // 2
    kernels = sum(array.nbytes for array in weights.values() if array.ndim == 4)
    classifier = weights["fc.weight"].nbytes + weights["fc.bias"].nbytes
    assert held(network) == kernels + channels + classifier


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("bias", [BIAS, None])
def test_one_layer_of_every_dtype(dtype: str, bias: Any) -> None:
    check(lambda x: bn(conv(x, bias=bias)), "CONVOLUTION", dtype=dtype)


def test_the_layer_belongs_to_the_convolution_and_so_does_its_line() -> None:
    class Model(nn.Module):
        inputs = {"x": Input((1, 3, 8, 8))}

        def __init__(self) -> None:
            self.conv1, self.bn1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: Any) -> Any:
            y = self.conv1(x)
            z = self.bn1(y)
            return ops.relu(z)

    network = trtnet.define(Model(), weights=random_weights(Model()))
    assert layers(network) == ["conv1/convolution", "relu"]
    line = Model.forward.__code__.co_firstlineno + 1
    assert f"test_batch_norm_folding.py:{line}" in network.trt.get_layer(0).metadata
    assert network.named == set() and len(network.folded) == 6


@pytest.mark.parametrize("rank", [1, 3])
def test_other_ranks_and_groups(rank: int) -> None:
    kernel = random_tensor(4, 1, *(3,) * rank)
    theirs: Any = getattr(F, f"conv{rank}d")
    ours: Any = getattr(ops, f"conv{rank}d")

    def function(x: Any) -> Any:
        called = theirs if isinstance(x, torch.Tensor) else ours
        return bn(called(x, _of(x, kernel), None, 2, 1, 1, 2))

    network = check(function, shape=(2, 2, *(7,) * rank))
    assert kinds(network).count("CONVOLUTION") == 1 and "SCALE" not in kinds(network)


def test_dynamic_sizes_of_the_convolution_are_those_of_the_layer() -> None:
    def function(x: Any) -> Any:
        y = conv(x, stride=2)
        z = bn(y)
        return z.reshape(y.shape[0], y.shape[1], -1)

    network = check(function, shape=("n", 3, "h", "w"))
    assert kinds(network).count("CONVOLUTION") == 1 and "SCALE" not in kinds(network)


def test_two_batch_norms_one_behind_the_other_are_in_the_convolution() -> None:
    check(lambda x: bn(bn(conv(x)), VAR, MEAN.abs() + 1), "CONVOLUTION")


def test_what_stands_between_keeps_them_apart() -> None:
    check(lambda x: bn(conv(x) * 2), "CONVOLUTION", "CONSTANT", "ELEMENTWISE", "SCALE")


# who else reads the convolution's result
def test_read_before_the_batch_norm_is_a_scale_behind_it() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        return y.exp(), bn(y)

    network = check(function, "CONVOLUTION", "UNARY", "SCALE")
    assert held(network) == KERNEL.numel() * 4 + 3 * 4 * 4


def test_read_after_the_batch_norm_the_layer_is_the_convolutions_again() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        z = bn(y)
        a, b = z.exp(), z + 1
        return a, y.exp(), b + y, z * 2

    network = check(function, "CONVOLUTION", "SCALE", "UNARY", "UNARY", *["ELEMENTWISE"] * 3, *["CONSTANT"] * 2)
    assert layers(network)[0] == "convolution" and "batch_norm" in layers(network)
    assert held(network) == KERNEL.numel() * 4 + 3 * 4 * 4 + 2 * 4


@pytest.mark.parametrize("first", [True, False])
def test_one_layer_reads_both(first: bool) -> None:
    def function(x: Any) -> Any:
        lib: Any = torch if isinstance(x, torch.Tensor) else ops
        y, w = conv(x), conv(x)
        both, listed = (bn(y), y), [bn(w), w]
        a, b = both if first else both[::-1]
        return a * b, lib.cat(listed if first else listed[::-1], 1)

    network = check(function)
    assert kinds(network).count("CONVOLUTION") == kinds(network).count("SCALE") == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("bias", [BIAS, None])
def test_read_after_the_batch_norm_in_16_bits_and_without_a_bias(dtype: str, bias: Any) -> None:
    def function(x: Any) -> Any:
        y = conv(x, bias=bias)
        return bn(y).exp(), y

    check(function, "CONVOLUTION", "SCALE", "UNARY", dtype=dtype)


def test_read_after_the_batch_norm_of_one_axis() -> None:
    kernel = random_tensor(4, 3, 3)

    def function(x: Any) -> Any:
        called: Any = F.conv1d if isinstance(x, torch.Tensor) else ops.conv1d
        y = called(x, _of(x, kernel))
        return bn(y).exp(), y.exp()

    network = check(function, shape=("n", 3, 9))
    assert kinds(network).count("CONVOLUTION") == kinds(network).count("SCALE") == 1


def test_read_after_the_second_of_two_batch_norms() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        z = bn(y)
        return bn(z, VAR, MEAN.abs() + 1).exp(), z.exp(), y.exp()

    check(function)


def test_layers_of_many_kinds_read_the_scale_instead() -> None:
    def function(x: Any) -> Any:
        lib: Any = torch if isinstance(x, torch.Tensor) else ops
        y = conv(x)
        z = bn(y)
        joined = lib.cat([z, z * 2], 1)
        taken = z[:, 1:3], z.reshape(z.shape[0], -1), lib.sum(z, (2, 3)), lib.softmax(z, 1), z.permute(0, 2, 3, 1)
        products = lib.matmul(z, z.transpose(2, 3)), lib.where(z > 0, z, -z), lib.topk(z, 2, 3)[0]
        again = conv(lib.cat([z, z], 1)[:, :3]), (F if lib is torch else ops).max_pool2d(z, 2)
        return (joined, *taken, *products, *again, y + z)

    network = check(function)
    assert (kinds(network).count("CONVOLUTION"), kinds(network).count("SCALE")) == (2, 1)


@pytest.mark.parametrize("first", [True, False])
def test_the_results_of_both_are_outputs(first: bool) -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        return (bn(y), y) if first else (y, bn(y))

    network = check(function, "CONVOLUTION", "SCALE")
    assert [x.merged_into for call in network.calls for x in call.outputs] == [None, None]


def test_both_are_calls_of_modules_with_values_of_their_own() -> None:
    class Model(nn.Module):
        inputs = {"x": Input((1, 3, 8, 8))}

        def __init__(self) -> None:
            self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: Any) -> Any:
            y = self.conv(x)
            z = ops.relu(self.bn(y))
            return z + y

    network = trtnet.define(Model(), weights=random_weights(Model()))
    assert [x.name for call in network.calls for x in call.outputs] == ["conv/convolution", "bn/batch_norm", "output"]
    line = Model.forward.__code__.co_firstlineno + 2
    scale = next(x for x in map(network.trt.get_layer, range(network.trt.num_layers)) if x.name == "bn/batch_norm")
    assert f"test_batch_norm_folding.py:{line}" in scale.metadata


def test_two_batch_norms_of_one_convolution() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        return bn(y), bn(y, VAR, MEAN.abs() + 1)

    check(function, "CONVOLUTION", "SCALE", "SCALE")


def test_a_view_that_is_read_afterwards_is_of_the_convolution() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        part = y[:, 1:3]
        return bn(y), part * 1

    check(function)


@pytest.mark.parametrize("before", [True, False])
def test_writes_in_place_around_it(before: bool) -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        if before:
            y.mul_(2)
        z = bn(y)
        y[:, 1] += 1
        z.add_(1)
        return z, y

    check(function)


def test_a_convolution_that_nothing_reads_has_its_weights() -> None:
    def function(x: Any) -> Any:
        conv(x)
        return x * 1

    network = check(function)
    layer = next(x for x in map(network.trt.get_layer, range(network.trt.num_layers)) if x.name == "convolution")
    layer.__class__ = trtnet.support.backend.trt.IConvolutionLayer
    np.testing.assert_array_equal(layer.kernel, KERNEL.numpy().ravel())


# control flow
def loop(x: Any, body: Callable[..., Any]) -> Any:
    if not isinstance(x, torch.Tensor):
        return ops.for_loop(2, lambda i, y: (body(y),), (x,))[0]
    return body(body(x))


def choose(x: Any, yes: Callable[..., Any], no: Callable[..., Any]) -> Any:
    if not isinstance(x, torch.Tensor):
        return ops.cond(ops.sum(x) > 0, yes, no, (x,))
    return yes(x) if x.sum() > 0 else no(x)


def test_in_loops_and_branches() -> None:
    kernel = random_tensor(3, 3, 3, 3) / 5
    one = [x[:3] for x in (MEAN, VAR)]

    def body(x: Any) -> Any:
        function: Any = F.batch_norm if isinstance(x, torch.Tensor) else ops.batch_norm
        return function(conv(x, kernel, None, padding=1), *(_of(x, each) for each in one))

    assert kinds(check(lambda x: loop(x, body))).count("CONVOLUTION") == 1
    assert kinds(check(lambda x: choose(x, body, lambda y: y * 2))).count("CONVOLUTION") == 1
    assert kinds(check(lambda x: choose(-x.abs(), body, lambda y: y * 2))).count("CONVOLUTION") == 1


def test_a_result_of_outside_that_a_loop_reads_after_its_batch_norm() -> None:
    def function(x: Any) -> Any:
        y = conv(x)
        z = bn(y)
        return loop(z, lambda a: a * 0.5 + y)

    assert kinds(check(function)).count("CONVOLUTION") == 2


# what does not fit, and what is wrong
def test_a_kernel_that_would_overflow_keeps_its_batch_norm_behind_it() -> None:
    def function(x: Any) -> Any:
        return ops.batch_norm(ops.conv2d(x, (KERNEL * 1e3).half()), MEAN * 0, VAR * 0 + 1e-4, None, None, eps=0)

    network = network_of(function, {"x": Input((1, 3, 8, 8), "float16")}, "float16")
    assert kinds(network) == ["CONVOLUTION", "SCALE"]


def test_a_scale_that_would_overflow_goes_into_a_convolution_of_its_own() -> None:
    def reading_first(x: Any) -> Any:
        y = conv(x, KERNEL * 1e-3, None)
        first = y.exp()
        factor = torch.full((4,), 1e-12, dtype=torch.float64)
        z = y * 1e6 if isinstance(x, torch.Tensor) else ops.batch_norm(y, MEAN * 0, factor, None, None, eps=0)
        return first, z

    network = network_of(reading_first, {"x": Input((1, 3, 8, 8), "float16")}, "float16")
    assert kinds(network) == ["CONVOLUTION", "CONVOLUTION", "UNARY"]
    x = random_tensor(1, 3, 8, 8, dtype="float16")
    assert relative_l2(network.reference()(x)[1], reading_first(x.double())[1]) < 4e-3


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda x: ops.conv2d(x, KERNEL[:, :2].numpy()), "got an input with 3 channels, but its kernel has 2"),
        (lambda x: ops.conv2d(x, KERNEL.numpy(), None, groups=2), "num_groups` must divide|channels"),
        (lambda x: ops.conv2d(x, KERNEL.numpy(), np.zeros(5, np.float32)), "bias"),
        (lambda x: ops.conv2d(x[:, :, :2], KERNEL.numpy()), "image size|filter|TensorRT refused"),
        (lambda x: ops.conv2d(x, KERNEL.numpy().astype(np.float16)), "its kernel is float16"),
    ],
)
def test_a_wrong_convolution_fails_at_its_own_line(wrong: Callable[[Any], Any], text: str) -> None:
    def function(x: Any) -> Any:
        y = wrong(x)
        return bn(y)

    with pytest.raises(LayerError, match=text) as found:
        network_of(function, {"x": Input((1, 3, 8, 8))})
    assert f"test_batch_norm_folding.py:{wrong.__code__.co_firstlineno}" in str(found.value)


class _Plain(nn.Module):
    inputs = {"x": Input((1, 3, 8, 8))}

    def __init__(self) -> None:
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Any) -> Any:
        return self.conv(x).exp()


def test_a_weight_that_its_dtype_does_not_hold_is_told_where_it_is_read() -> None:
    weights = random_weights(_Plain()) | {"conv.weight": np.full((4, 3, 3, 3), 1e6, np.float32)}
    with pytest.raises(WeightsError, match=r"conv\.weight: 108 of 108 values do not fit float16"):
        trtnet.define(_Plain(), weights=weights, dtype="float16")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_plain_convolutions_have_their_weights_and_their_names(dtype: str) -> None:
    weights = random_weights(_Plain())
    network = trtnet.define(_Plain(), weights=weights, dtype=dtype)
    assert network.named == set(weights) and network.folded == set()
    x = random_tensor(1, 3, 8, 8, dtype=dtype)
    expected = F.conv2d(x.double(), *(torch.from_numpy(weights[f"conv.{key}"]).double() for key in ("weight", "bias")))
    assert relative_l2(network.reference()(x), expected.exp()) < 4 * TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_engine_is_that_of_a_convolution_which_had_these_weights_from_the_start(dtype: str) -> None:
    network = network_of(lambda x: bn(conv(x)), {"x": Input((1, 3, 8, 8), dtype)}, dtype)
    kernel, bias = (network._alive["convolution", name].array for name in ("kernel", "bias"))

    def at_once(times: float) -> Any:
        def function(x: Any) -> Any:
            weights = {"kernel": x.network.weight(kernel * kernel.dtype.type(times)), "bias": x.network.weight(bias)}
            given = {"input": x, "num_output_maps": 4, "kernel_shape": (3, 3)}
            return x.network.add("convolution_nd", given | weights)[0]

        return network_of(function, {"x": Input((1, 3, 8, 8), dtype)}, dtype)

    plans = []
    for each in (network, at_once(1), at_once(2)):
        assert layers(each) == ["convolution"]
        each.trt.get_layer(0).metadata = ""
        plans.append(each.build({}).plan.data)
    assert same_plan(plans[0], plans[1]) and not same_plan(plans[0], plans[2])


def test_nothing_is_left_pending_and_plans_are_the_networks() -> None:
    network = trtnet.define(models.resnet18(), weights=random_weights(models.resnet18()), dtype="float16")
    assert network.pending == []
    assert len(network.build({"batch": 1}).plan.data) > held(network) // 2
