"""What is counted of a network: against counts by hand, and against torch's own counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import network_of, random_weights, same_plan
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import trtnet
from trtnet import models, nn, ops
from trtnet.graph.layers.work import LayerWork, Work, count
from trtnet.models.gpt2 import GPT2, GPT2Config
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.models.vit import VisionTransformer, ViTConfig
from trtnet.ops.formulations import FORMS
from trtnet.support import backend
from trtnet.support.errors import InputError

Input = trtnet.Input


def work_of(function: Callable[..., Any], shapes: dict[str, tuple[int | str, ...]], dtype: str = "float32") -> Work:
    network = network_of(function, {name: Input(shape) for name, shape in shapes.items()}, dtype)
    return count(network.trt)


def layer(work: Work, kind: str) -> LayerWork:
    (found,) = (x for x in work.layers if x.kind == kind)
    return found


def weight(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_convolution_with_groups_and_stride() -> None:
    function = lambda x: ops.conv2d(x, weight(16, 4, 3, 3), weight(16), stride=2, padding=1, groups=2)  # noqa: E731
    work = work_of(function, {"x": (2, 8, 10, 12)})
    found = layer(work, "CONVOLUTION")
    outputs = 2 * 16 * 5 * 6
    assert found.flops == 2 * outputs * 4 * 9
    assert found.weight_bytes == work.weight_bytes == 4 * (16 * 4 * 9 + 16)
    assert found.bytes_read == 4 * (2 * 8 * 10 * 12) + found.weight_bytes
    assert found.bytes_written == work.output_bytes == 4 * outputs
    assert work.input_bytes == 4 * 2 * 8 * 10 * 12
    assert work.minimum_bytes == work.weight_bytes + work.input_bytes + work.output_bytes


def test_transposed_convolution() -> None:
    work = work_of(lambda x: ops.conv_transpose2d(x, weight(8, 6, 2, 2), stride=2), {"x": (1, 8, 5, 5)})
    assert work.flops == 2 * (8 * 5 * 5) * 6 * 4


def test_linear_layer_of_a_module() -> None:
    model = nn.Sequential({"fc": nn.Linear(64, 32)})
    forms = {"accumulation": "native"}
    network = trtnet.define(model, {"x": Input((4, 64))}, random_weights(model), dtype="float16", forms=forms)
    work = count(network.trt)
    product, added = work.layers
    assert (product.name, product.module, product.kind) == ("fc/matmul", "fc", "MATRIX_MULTIPLY")
    assert (product.flops, product.weight_bytes) == (2 * 4 * 64 * 32, 2 * 64 * 32)
    assert (product.bytes_read, product.bytes_written) == (2 * (4 * 64 + 64 * 32), 2 * 4 * 32)
    assert (added.flops, added.weight_bytes, added.bytes_written) == (4 * 32, 2 * 32, 2 * 4 * 32)
    assert work.minimum_bytes == 2 * (64 * 32 + 32) + 2 * 4 * 64 + 2 * 4 * 32


@pytest.mark.parametrize(
    ("left", "right", "flops"),
    [
        ((3, 5, 7), (3, 7, 2), 2 * 3 * 5 * 7 * 2),
        ((3, 1, 5, 7), (4, 7, 2), 2 * 3 * 4 * 5 * 7 * 2),
        ((7,), (7, 2), 2 * 7 * 2),
    ],
)
def test_batched_product(left: tuple[int, ...], right: tuple[int, ...], flops: int) -> None:
    work = work_of(ops.matmul, {"x": left, "y": right})
    assert layer(work, "MATRIX_MULTIPLY").flops == flops


def test_product_with_a_transposed_side_and_with_vectors() -> None:
    network = network_of(lambda x, y: raw_product(x, y), {"x": Input((3, 7, 5)), "y": Input((3, 7))})
    assert count(network.trt).flops == 2 * 3 * 7 * 5


def raw_product(x: Any, y: Any) -> Any:
    kinds = backend.trt.MatrixOperation
    arguments = {"input0": x, "op0": kinds.TRANSPOSE, "input1": y, "op1": kinds.VECTOR}
    return x.network.add("matrix_multiply", arguments)[0]


def test_einsum_of_two_and_of_one() -> None:
    work = work_of(lambda x, y: ops.einsum("bhqd,bhkd->bhqk", x, y), {"x": (2, 3, 4, 8), "y": (2, 3, 5, 8)})
    assert work.flops == 2 * 2 * 3 * 4 * 5 * 8
    assert work_of(lambda x: ops.einsum("ij->i", x), {"x": (6, 7)}).flops == 6 * 7


@pytest.mark.parametrize("groups", [8, 2])
@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_with_and_without_groups(groups: int, is_causal: bool) -> None:
    shapes = {"q": (2, 8, 5, 16), "k": (2, groups, 7, 16), "v": (2, groups, 7, 16)}
    work = work_of(lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, is_causal=is_causal, scale=1.0), shapes)
    products = sum(x.flops for x in work.layers if x.kind in ("ATTENTION_INPUT", "MATRIX_MULTIPLY"))
    assert products == 2 * 2 * 8 * 5 * 7 * 16 * 2
    if backend.supports("attention_v2"):
        found = layer(work, "ATTENTION_INPUT")
        assert found.bytes_read == 4 * (2 * 8 * 5 * 16 + 2 * 2 * groups * 7 * 16)
        assert found.bytes_written == 4 * 2 * 8 * 5 * 16
        assert work.flops == products


@pytest.mark.skipif(not backend.supports("moe"), reason="this backend has no IMoELayer")
def test_mixture_of_experts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    shapes = {"x": (3, 5, 8), "scores": (3, 5, 2), "gate": (4, 8, 6), "up": (4, 8, 6), "down": (4, 6, 8)}
    inputs = {"experts": Input((3, 5, 2), "int32")} | {name: Input(shape) for name, shape in shapes.items()}
    network = network_of(
        lambda experts, x, scores, gate, up, down: ops.mixture_of_experts(x, experts, scores, gate, up, down, True),
        inputs,
    )
    assert count(network.trt).flops == 3 * 5 * 2 * 3 * 2 * 8 * 6


@pytest.mark.parametrize(
    ("function", "flops"),
    [
        (lambda x: x + 1, 2 * 6 * 8 * 8),
        (lambda x: ops.relu(x), 2 * 6 * 8 * 8),
        (lambda x: ops.sqrt(x), 2 * 6 * 8 * 8),
        (lambda x: ops.softmax(x, 3), 5 * 2 * 6 * 8 * 8),
        (lambda x: ops.group_norm(x, 1, weight(6), weight(6)), 8 * 2 * 6 * 8 * 8),
        (lambda x: ops.sum(x, (2, 3)), 2 * 6 * 8 * 8),
        (lambda x: ops.max_pool2d(x, 2), 2 * 6 * 4 * 4 * 4),
        (lambda x: x.reshape(2, 384), 0),
        (lambda x: x.permute(0, 2, 3, 1)[:, 1:, ::2], 0),
        (lambda x: ops.cat([x, x], 1), 0),
        (lambda x: x.to("float16"), 0),
    ],
)
def test_other_layers_by_convention(function: Callable[..., Any], flops: int) -> None:
    assert work_of(function, {"x": (2, 6, 8, 8)}).flops == flops


def test_four_bit_weights_are_packed() -> None:
    packed = np.ones((32, 15), ml_dtypes.int4)
    network = network_of(lambda x: x @ ops.dequantize(trt_constant(x, packed), np.float32(0.5)), {"x": Input((2, 32))})
    found = layer(count(network.trt), "DEQUANTIZE")
    assert found.weight_bytes == 32 * 15 // 2 + 4
    assert found.bytes_written == 4 * 32 * 15


def trt_constant(x: Any, array: np.ndarray) -> Any:
    return x.network.add("constant", {"shape": array.shape, "weights": x.network.weight(array)})[0]


def test_what_no_output_needs_is_not_counted() -> None:
    def function(x: Any) -> Any:
        ops.matmul(x, trt_constant(x, weight(8, 100)))
        return ops.relu(x)

    work = work_of(function, {"x": (4, 8)})
    assert [x.kind for x in work.layers] == ["ACTIVATION"]
    assert (work.flops, work.weight_bytes) == (4 * 8, 0)


def test_of_a_table_only_the_rows_that_are_taken_must_move() -> None:
    network = network_of(lambda i: ops.embedding(i, weight(1000, 16)), {"i": Input(("n",), "int64")})
    work = count(network.trt, {"i": (3,)})
    assert work.weight_bytes == 4 * 1000 * 16
    assert work.minimum_bytes == 4 * 3 * 16 + 8 * 3 + 4 * 3 * 16
    assert count(network.trt, {"i": (5000,)}).minimum_bytes == 4 * 1000 * 16 + 8 * 5000 + 4 * 5000 * 16


def test_tied_weights_count_once_and_a_cache_is_written_in_place() -> None:
    small = {"n_positions": 32, "n_embd": 48, "n_layer": 1, "n_head": 4}
    model = GPT2(GPT2Config(vocab_size=9999, **small))
    network = trtnet.define(model, weights=random_weights(model))
    parameters = sum(array.nbytes for array in random_weights(model).values())
    assert parameters <= count(network.trt, {"input_ids": (1, 2)}).weight_bytes < parameters + 1000
    if not backend.supports("kv_cache_update"):
        return
    qwen = Qwen2(Qwen2Config(99, 64, 96, 1, 4, 2, capacity=32))
    network = trtnet.define(qwen, weights=random_weights(qwen))
    caches = {name: (2, 2, 32, 16) for name in network.inputs if name.startswith(("key", "value"))}
    work = count(network.trt, {"input_ids": (2, 1), "write_indices": (2,), **caches})
    cache, update, logits = 4 * 2 * 2 * 32 * 16, 4 * 2 * 2 * 16, 4 * 2 * 99
    assert work.input_bytes == 2 * cache + 4 * 2 + network.inputs["input_ids"].dtype.nbytes(2)
    assert work.output_bytes == 2 * cache + logits
    assert work.minimum_bytes <= work.weight_bytes + work.input_bytes + 2 * update + logits
    assert {x.bytes_written for x in work.layers if x.kind == "KV_CACHE_UPDATE"} == {update}


# loops and branches
def lstm(length: int | str) -> Any:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.lstm = nn.LSTM(8, 16)

        def forward(self, x: Any) -> Any:
            return self.lstm(x)[0]

    model = Model()
    return trtnet.define(model, {"x": Input((length, 3, 8))}, random_weights(model))


@pytest.mark.parametrize("length", [5, "length"])
def test_a_loops_body_counts_once_an_iteration(length: int | str) -> None:
    work = count(lstm(length).trt, {"x": (5, 3, 8)})
    outer, inner = (x for x in work.layers if x.kind == "MATRIX_MULTIPLY")
    assert outer.flops == 2 * 5 * 3 * 8 * 64
    assert inner.flops == 5 * (2 * 3 * 16 * 64)
    assert inner.bytes_read == 5 * 4 * (3 * 16 + 16 * 64)
    assert inner.weight_bytes == 4 * 16 * 64
    assert work.unknown == ()
    assert work.weight_bytes < 4 * (8 * 64 + 16 * 64 + 2 * 64) + 100
    assert work.minimum_bytes == work.weight_bytes + work.input_bytes + work.output_bytes


def test_nested_loops_and_arithmetic_of_sizes() -> None:
    def function(x: Any) -> Any:
        inner = lambda i, y: (ops.for_loop(3, lambda j, z: (ops.relu(z),), (y,))[0],)  # noqa: E731
        return ops.for_loop(x.shape[0] * 2 + 1, inner, (x,))[0]

    network = network_of(function, {"x": Input(("n", 6))})
    work = count(network.trt, {"x": (4, 6)})
    assert layer(work, "ACTIVATION").flops == 9 * 3 * 4 * 6
    assert work.unknown == ()


def test_a_loop_that_data_ends_counts_once_and_is_unknown() -> None:
    def function(x: Any) -> Any:
        return ops.while_loop(lambda y: ops.sum(y) < 100, lambda y: (ops.exp(y),), (x,))[0]

    work = work_of(function, {"x": (4, 6)})
    found = layer(work, "UNARY")
    assert found.flops == 4 * 6
    assert found.name in work.unknown


def test_both_branches_count_and_the_condition_is_unknown() -> None:
    work = work_of(lambda x: ops.cond(ops.sum(x) > 0, lambda y: y @ y, lambda y: ops.exp(y), (x,)), {"x": (4, 4)})
    assert layer(work, "MATRIX_MULTIPLY").flops + layer(work, "UNARY").flops == 2 * 64 + 16
    assert work.unknown == (layer(work, "CONDITION").name,)


def test_shapes_that_data_decide_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    work = work_of(lambda x: ops.relu(ops.nonzero(x).to("float32")), {"x": (4, 6)})
    assert layer(work, "ACTIVATION").flops == 0
    assert {layer(work, "ACTIVATION").name, layer(work, "NON_ZERO").name} <= set(work.unknown)


# dynamic shapes
def dynamic() -> Any:
    model = models.lenet()
    return trtnet.define(model, {"image": Input(("batch", 1, 28, 28))}, random_weights(model))


def test_two_sizes_scale_what_depends_on_them() -> None:
    network = dynamic()
    one, eight = (count(network.trt, {"image": (batch, 1, 28, 28)}) for batch in (1, 8))
    assert eight.flops == 8 * one.flops > 0
    assert (eight.input_bytes, eight.output_bytes) == (8 * one.input_bytes, 8 * one.output_bytes)
    assert eight.weight_bytes == one.weight_bytes
    without = count(network.trt)
    assert without.weight_bytes == one.weight_bytes
    assert (without.flops, set(without.unknown)) == (0, {x.name for x in one.layers})


def test_counting_leaves_shapes_names_and_plan_as_they_were() -> None:
    network = dynamic()
    image = network.trt.get_input(0)
    before = tuple(image.shape), [image.get_dimension_name(axis) for axis in range(4)]
    plan = network.build({"batch": (1, 2, 4)}).plan.data
    count(network.trt, {"image": (3, 1, 28, 28)})
    with pytest.raises(InputError, match=r"do not fit the network: .*conv2"):
        original = image.shape
        image.shape = (-1, 1, -1, -1)
        try:
            count(network.trt, {"image": (3, 1, 3, 3)})
        finally:
            assert tuple(image.shape) == (-1, 1, -1, -1)
            image.shape = original
    assert (tuple(image.shape), [image.get_dimension_name(axis) for axis in range(4)]) == before
    assert same_plan(network.build({"batch": (1, 2, 4)}).plan.data, plan)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ({"picture": (1, 1, 28, 28)}, "'picture'; the network has the inputs image"),
        ({"image": (1, 28, 28)}, r"image is \[-1, 1, 28, 28\] .* \[1, 28, 28\] does not fit"),
        ({"image": (1, 1, 28, 29)}, "does not fit"),
        ({"image": (-1, 1, 28, 28)}, "does not fit"),
    ],
)
def test_shapes_of_another_network(shapes: dict[str, tuple[int, ...]], text: str) -> None:
    network = dynamic()
    with pytest.raises(InputError, match=text):
        count(network.trt, shapes)
    assert tuple(network.trt.get_input(0).shape) == (-1, 1, 28, 28)


# torch's own counter
def counted_by_torch(model: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Convolutions and products alone, the attention's too."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.to("meta").train(False)(torch.empty(shape, device="meta", requires_grad=True))  # no fused fast path
    return counter.get_total_flops()


def products(work: Work) -> int:
    kinds = ("ATTENTION_INPUT", "CONVOLUTION", "DECONVOLUTION", "EINSUM", "MATRIX_MULTIPLY")
    return sum(x.flops for x in work.layers if x.kind in kinds)


@pytest.mark.parametrize("name", ["resnet50", "unet", "vit"])
def test_products_equal_those_that_torch_counts(name: str) -> None:
    if name == "vit":
        sizes = 224, 16, 2, 3, 192, 768
        ours, original = (
            VisionTransformer(ViTConfig(*sizes)),
            originals.import_torchvision().models.VisionTransformer(*sizes),
        )
    elif name == "unet":
        ours, original = models.unet(), originals.UNet()
    else:
        ours, original = models.resnet50(), originals.resnet("resnet50")
    neutral = {kind: names[0] for kind, names in FORMS.items()}
    network = trtnet.define(ours, weights=original, dtype="float16", forms=neutral)
    (spec,) = ours.inputs.values()
    shape = (2, *(size if isinstance(size, int) else 64 for size in spec.shape[1:]))
    work = count(network.trt, {"image": shape})
    weights = 2 * sum(p.numel() for p in original.parameters())
    assert 0.99 * weights <= work.weight_bytes <= 1.01 * weights
    assert products(work) == counted_by_torch(original, shape)
    assert products(work) <= work.flops <= 1.05 * products(work)


class _Outputs(nn.Module):
    def __init__(self, recurrent: nn.Module) -> None:
        self.recurrent = recurrent

    def forward(self, x: Any) -> Any:
        return self.recurrent(x)[0]


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_of_one_row_count_one(name: str, bidirectional: bool) -> None:
    """TensorRT-RTX wants two rows in a loop; the second is no work of the model's."""
    length, size, hidden = 7, 5, 6
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[name]
    found = []
    for batch in (1, 2, 4):
        model = _Outputs(getattr(nn, name)(size, hidden, bidirectional=bidirectional))
        network = trtnet.define(model, {"x": Input((length, batch, size))}, random_weights(model))
        work = count(network.trt)
        products = sum(x.flops for x in work.layers if x.kind == "MATRIX_MULTIPLY")
        assert products == (1 + bidirectional) * 2 * length * batch * gates * hidden * (size + hidden)
        found.append(work.flops)
    assert found[1] == 2 * found[0] and found[2] == 4 * found[0]
