"""Tensor parallelism: plans, the parts of ranks, and all ranks in lockstep against the whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn, ops
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.models.vit import vit_b_16
from trtnet.ops.formulations import FORMS
from trtnet.support import backend
from trtnet.support.errors import LayerError, ModelError

pytestmark = pytest.mark.skipif(not backend.supports("collectives"), reason="this TensorRT has no collectives")

LLAMA = {"*.q_proj": "column", "*.k_proj": "column", "*.v_proj": "column", "*.o_proj": "row",
         "*.gate_proj": "column", "*.up_proj": "column", "*.down_proj": "row"}  # fmt: skip
VIT = {"*.self_attention": "column", "*.out_proj": "row", "*.mlp.0": "column", "*.mlp.3": "row"}
CACHES = {"*key_*": 1, "*value_*": 1}
X = {"x": trtnet.Input(("n", 8))}


def random_weights(model: nn.Module) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found: dict[Any, tuple[str, np.ndarray]] = {}
    for key, parameter in model.named_parameters():
        found.setdefault(parameter, (key, 0.3 * rng.normal(size=parameter.shape).astype(np.float32)))
    return dict(found.values())


def networks(model: Any, weights: Any, plan: Mapping[str, str], ranks: int, **options: Any) -> list[Any]:
    divided = options.pop("divided", {})
    return [
        trtnet.define(model, weights=weights, parallel=trtnet.TensorParallel(plan, rank, ranks, divided), **options)
        for rank in range(ranks)
    ]


def lockstep(*args: Any, **options: Any) -> trtnet.Lockstep:
    return trtnet.Lockstep([network.reference() for network in networks(*args, **options)])


def error_of(found: Any, expected: Any) -> float:
    a, b = (np.asarray(each, np.float64) for each in (found, expected))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def small_qwen2() -> Qwen2:
    sizes = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    return Qwen2(Qwen2Config(**sizes, num_attention_heads=8, num_key_value_heads=4, capacity=8))


def small_vit() -> nn.Module:
    return vit_b_16(image_size=32, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=10)


def step_inputs(reference: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    feeds = {"input_ids": rng.integers(0, 50, (2, 3)), "write_indices": np.array([2, 3], np.int32)}
    for info in reference.inputs[2:]:
        feeds[info.name] = rng.normal(size=(2, *info.shape[1:])).astype(np.float32)
    return feeds


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_qwen2_in_lockstep_is_the_whole(ranks: int) -> None:
    model = small_qwen2()
    weights = random_weights(model)
    whole = trtnet.define(model, weights=weights).reference()
    together = lockstep(model, weights, LLAMA, ranks, divided=CACHES)
    assert (together.inputs, together.outputs) == (whole.inputs, whole.outputs)
    feeds = step_inputs(whole)
    found, expected = together(**feeds), whole(**feeds)
    for name, value in expected.items():
        assert error_of(found[name], value) < 1e-5, name


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_a_vit_in_lockstep_is_the_whole(ranks: int) -> None:
    model = small_vit()
    weights = random_weights(model)
    image = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
    expected = trtnet.define(model, weights=weights).reference()(image)
    assert error_of(lockstep(model, weights, VIT, ranks)(image), expected) < 1e-5


class TorchBlock(torch.nn.Module):
    """Heads as -1, as transformers has them; queries, keys and values in one weight; torch's own attention layer."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = torch.nn.Linear(8, 48), torch.nn.Linear(16, 8)
        self.mha = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(x).chunk(3, -1)
        q, k, v = (part.view(*x.shape[:2], -1, 4).transpose(1, 2) for part in parts)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.proj(y)
        return x + self.mha(x, x, x, need_weights=False)[0]


def test_a_torch_module_in_lockstep_is_the_whole() -> None:
    torch.manual_seed(0)
    module, x = TorchBlock().eval(), torch.randn(2, 5, 8)
    plan = {"qkv": "column:3", "proj": "row", "mha": "column", "mha.out_proj": "row"}
    found = lockstep(module, None, plan, 2, inputs={"x": x})(x.numpy())
    with torch.no_grad():
        assert error_of(found, module(x)) < 1e-5


class Block(nn.Module):
    def __init__(self, heads: int = 4, width: int = 16) -> None:
        self.heads = heads
        self.first, self.second = nn.Linear(8, width), nn.Linear(width, 8)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = nn.join_heads(nn.split_heads(ops.relu(self.first(x.unsqueeze(0))), self.heads))
        return self.second(y).squeeze(0)


class Reshaping(Block):
    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.second(self.first(x).reshape(x.shape[0], 4, 4).flatten(1))


PLAN = {"first": "column", "second": "row"}


def divided(model: nn.Module, plan: Mapping[str, str] = PLAN, ranks: int = 2, **options: Any) -> Any:
    parallel = trtnet.TensorParallel(plan, 0, ranks)
    return trtnet.define(model, X, random_weights(model), parallel=parallel, **options)


@pytest.mark.parametrize(
    ("model", "plan", "ranks", "error", "said"),
    [
        (Block(4), PLAN, 8, LayerError, "4 heads do not divide among 8 ranks"),
        (Block(3, 18), PLAN, 4, ModelError, r"parallel: first.weight \[18, 8\]: 18 rows do not divide among 4 ranks"),
        (Block(), {"second": "row"}, 2, LayerError, "second is row-parallel and its input is whole"),
        (Block(), {"frist": "column"}, 2, ModelError, "'frist' matches no module; the nearest are first"),
        (Block(), {"first": "columns"}, 2, ModelError, "'first' is \"column\", \"column:BLOCKS\" or \"row\""),
        (nn.Sequential(nn.Linear(8, 4)), {"0": "column"}, 2, ModelError, "output output .* is one rank's part"),
        (Reshaping(), PLAN, 2, LayerError, r"\[n, 4, 4\]: .* x is one rank's part .* heads .* is written as -1"),
        (nn.Sequential(nn.LayerNorm(8)), {"0": "column"}, 2, ModelError, "0 is a LayerNorm, found 'column'"),
        (nn.Sequential(nn.Linear(8, 12)), {"0": "column:5"}, 2, ModelError, "12 rows in 5 blocks do not divide"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(model: Any, plan: Any, ranks: int, error: Any, said: str) -> None:
    shapes = {key: parameter.shape for key, parameter in model.named_parameters()}
    with pytest.raises(error, match=said):
        divided(model, plan, ranks)
    assert {key: parameter.shape for key, parameter in model.named_parameters()} == shapes


def test_a_weight_of_two_modules_is_not_divided() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model.get_submodule("1").weight = model.get_submodule("0").weight
    with pytest.raises(ModelError, match=r"0.weight and 1.weight are one weight"):
        divided(model, {"0": "column", "1": "row"})


def test_quantized_weights_and_ranks_that_are_none_are_refused() -> None:
    with pytest.raises(ModelError, match="quantized weights are not divided yet"):
        divided(Block(), quantization={"*": "int8_weights"})
    with pytest.raises(ModelError, match="rank is 0 to ranks - 1, found rank 2 of 2"):
        trtnet.TensorParallel(PLAN, 2, 2)


def test_an_input_that_does_not_divide_is_named() -> None:
    parallel = trtnet.TensorParallel(PLAN, 0, 2, {"x": 0})
    with pytest.raises(ModelError, match=r"axis 0 of input x \['n', 8\] does not divide among 2 ranks"):
        trtnet.define(Block(), X, random_weights(Block()), parallel=parallel)


def test_a_backend_without_collectives_says_what_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backend.CAPABILITIES, "collectives", "INetworkDefinition.add_what_an_older_version_lacks")
    with pytest.raises(LayerError, match=r"second: .* has no collectives: tensor parallelism needs TensorRT 10.16"):
        divided(Block())


def test_a_row_parallel_product_is_summed_once_before_its_bias() -> None:
    network = divided(Block())
    layers = [network.trt.get_layer(i) for i in range(network.trt.num_layers)]
    sums = [layer for layer in layers if layer.type.name == "DIST_COLLECTIVE"]
    assert [layer.name for layer in sums] == ["second/all_reduce", "all_reduce"]  # the other is the check's
    assert [layer.num_ranks for layer in sums] == [2, 2]
    names = [layer.name for layer in layers]
    assert names.index("second/matmul") < names.index("second/all_reduce") < names.index("second/add")


def test_an_engine_is_built_ahead_of_time_and_its_sidecar_says_whose_part_it_is(tmp_path: Path) -> None:
    model = small_qwen2()
    *_, network = networks(model, random_weights(model), LLAMA, 2, divided=CACHES, dtype="float16")
    config = trtnet.BuildConfig(
        compute_capabilities=("8.6",) if backend.supports("target_compute_capabilities") else ()
    )
    network.build(dims={"batch": 1, "length": 1}, config=config).save(tmp_path / "rank1.engine")
    info = trtnet.load(tmp_path / "rank1.engine").info
    assert (info.rank, info.ranks) == (1, 2)
    assert info.divided == {f"{new}{side}_{i}": 1 for i in (0, 1) for new in ("", "new_") for side in ("key", "value")}
    assert {x.name: x.shape for x in info.inputs}["key_0"] == ("batch", 2, 8, 4)
    assert [x.name for x in info.outputs] == ["logits", "new_key_0", "new_value_0", "new_key_1", "new_value_1"]
    assert network.trt.num_outputs == 5  # the check's is one only while the engine is built


def test_a_part_is_a_slice_of_every_block() -> None:
    part = trtnet.TensorParallel({"0": "column:3"}, 1, 2).division(nn.Sequential(nn.Linear(2, 12))).parts
    (weight, bias) = part.values()
    assert weight.of(np.arange(24).reshape(12, 2))[:, 0].tolist() == [4, 6, 12, 14, 20, 22]
    assert bias.of(np.arange(12)).tolist() == [2, 3, 6, 7, 10, 11]
    assert weight.shape((12, 2)) == (6, 2)


class Shared(nn.Module):
    """Products of one tensor with weights that are whole and with weights of which each rank has a part."""

    def __init__(self) -> None:
        sizes = {"gate": (8, 20), "up": (8, 20), "down": (20, 8), "router": (8, 8)}  # no bias, which is a part itself
        for name, (inputs, outputs) in sizes.items():
            setattr(self, name, nn.Linear(inputs, outputs, bias=False))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        scores = self.router(x)
        return self.down(ops.silu(self.gate(x)) * self.up(x)) * scores


@pytest.mark.parametrize(("kind", "form"), [(kind, form) for kind in ("product", "row") for form in FORMS[kind]])
def test_products_of_parts_in_each_form_are_parts(kind: str, form: str) -> None:
    plan = {"gate": "column", "up": "column", "down": "row"}
    model, shape = Shared(), (1, 8) if kind == "row" else (2, 130, 8)
    weights = random_weights(model)
    options: dict[str, Any] = {"inputs": {"x": trtnet.Input(shape)}, "dtype": "float16"}
    x = np.random.default_rng(1).normal(size=shape).astype(np.float16)
    expected = trtnet.define(model, weights=weights, **options, forms={kind: FORMS[kind][0]}).reference()(x)
    try:
        found = lockstep(model, weights, plan, 2, **options, forms={kind: form})
    except ModelError as error:
        assert "applies to no operation of the network" in str(error)
        return
    assert error_of(found(x), expected) < 4e-3


def test_a_decode_step_in_float16_in_lockstep_is_the_whole() -> None:
    """With the forms of one row that are chosen by themselves."""
    config = Qwen2Config(vocab_size=50, hidden_size=256, intermediate_size=512, num_hidden_layers=1,
                         num_attention_heads=8, num_key_value_heads=4, capacity=8)  # fmt: skip
    model = Qwen2(config)
    weights = random_weights(model)
    inputs = {
        name: trtnet.Input(tuple(1 if isinstance(size, str) else size for size in spec.shape), spec.dtype)
        for name, spec in model.inputs.items()
    }
    whole = trtnet.define(model, inputs, weights, dtype="float16")
    together = lockstep(model, weights, LLAMA, 2, divided=CACHES, inputs=inputs, dtype="float16")
    rng = np.random.default_rng(1)
    feeds: dict[str, Any] = {"input_ids": np.array([[7]]), "write_indices": np.array([2], np.int32)}
    for info in whole.reference().inputs[2:]:
        feeds[info.name] = rng.normal(size=info.shape).astype(np.float16)
    found, expected = together(**feeds), whole.reference()(**feeds)
    for name, value in expected.items():
        assert error_of(found[name], value) < 1e-2, name
