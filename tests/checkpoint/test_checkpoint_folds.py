"""What training took apart is folded as torch does it, for every axis; what cannot be told is refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from trtnet.checkpoint.rules import parse
from trtnet.support.errors import CheckpointError, WeightsError

State = dict[str, np.ndarray]


def one(text: str, tensors: State) -> State:
    return dict(parse(f"[[rules]]\n{text}", "test").apply(tensors))


def state(module: torch.nn.Module, prefix: str = "c.") -> State:
    return {prefix + key: value.detach().numpy() for key, value in module.state_dict().items()}


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return model.eval()


LAYERS = {
    "linear": lambda: torch.nn.Linear(6, 5),
    "square": lambda: torch.nn.Linear(4, 4),
    "conv": lambda: torch.nn.Conv2d(4, 4, 3),
    "transposed": lambda: torch.nn.ConvTranspose2d(4, 4, 3),
    "one": lambda: torch.nn.Conv1d(1, 1, 3),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("dim", [0, 1, 2, None])
@pytest.mark.parametrize("layer", LAYERS)
def test_weight_norm_of_every_dim(layer: str, dim: int | None) -> None:
    torch.manual_seed(0)
    module = LAYERS[layer]()
    if dim is not None and dim >= module.weight.ndim:
        pytest.skip("torch has no such axis")
    torch.nn.utils.weight_norm(module, dim=dim)
    with torch.no_grad():
        module.weight_g.mul_(1.7)
    module(torch.ones(1, module.weight.shape[0 if layer == "transposed" else 1], *(8,) * (module.weight.ndim - 2)))
    folded = one("fold = 'weight_norm'", state(module))
    np.testing.assert_allclose(folded["c.weight"], module.weight.detach().numpy(), rtol=1e-6)
    assert set(folded) == {"c.weight", "c.bias"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_layer_without_a_path_is_folded() -> None:
    module = torch.nn.utils.weight_norm(torch.nn.Linear(3, 2))
    assert set(one("fold = 'weight_norm'", state(module, ""))) == {"weight", "bias"}


@pytest.mark.parametrize("shape", [(4, 3), (3,), (4, 1, 1), (2, 1), (1, 4)])
def test_a_norm_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    tensors = {"c.weight_g": np.ones(shape, np.float32), "c.weight_v": np.ones((4, 3), np.float32)}
    with pytest.raises(CheckpointError, match=r"c.weight_g \[.*\] is not a norm of c.weight_v \[4, 3\]"):
        one("fold = 'weight_norm'", tensors)


def spectral(layer: str) -> tuple[torch.nn.Module, State]:
    torch.manual_seed(0)
    module = torch.nn.utils.spectral_norm(LAYERS[layer]())
    channels = module.weight.shape[0 if layer == "transposed" else 1]
    x = torch.randn(2, channels, *(8,) * (module.weight.ndim - 2))
    module(x)
    module.eval()
    kept = copy.deepcopy(state(module))
    module(x)
    return module, kept


@pytest.mark.parametrize("layer", ["square", "conv", "transposed"])
def test_spectral_norm_whose_dim_is_not_told_by_shapes(layer: str) -> None:
    module, tensors = spectral(layer)
    with pytest.raises(CheckpointError, match=r"fits dim 0 and dim 1: say dim = 0, or dim = 1 for transposed"):
        one("fold = 'spectral_norm'", tensors)
    right = int(layer == "transposed")
    wanted = module.weight.detach().numpy()
    folded = one(f"fold = 'spectral_norm'\ndim = {right}", tensors)["c.weight"]
    np.testing.assert_allclose(folded, wanted, rtol=1e-5)
    other = one(f"fold = 'spectral_norm'\ndim = {1 - right}", tensors)["c.weight"]
    assert not np.allclose(other, wanted, rtol=1e-3)


def test_spectral_norm_whose_dim_the_vectors_tell() -> None:
    torch.manual_seed(0)
    module = torch.nn.utils.spectral_norm(torch.nn.ConvTranspose2d(4, 6, 3))
    module(torch.randn(2, 4, 8, 8))
    module.eval()
    tensors = state(module)
    module(torch.randn(2, 4, 8, 8))
    folded = one("fold = 'spectral_norm'", tensors)["c.weight"]
    np.testing.assert_allclose(folded, module.weight.detach().numpy(), rtol=1e-5)
    with pytest.raises(CheckpointError, match="u and v do not fit dim 0"):
        one("fold = 'spectral_norm'\ndim = 0", tensors)


BATCH_NORM = "fold = 'batch_norm'\nconv = '^0\\.weight$'\nnorm = '1'"


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("out", [4, 8])
def test_a_batch_norm_after_a_transposed_convolution(out: int, groups: int) -> None:
    conv = torch.nn.ConvTranspose2d(4, out, 3, groups=groups)
    model = randomized(torch.nn.Sequential(conv, torch.nn.BatchNorm2d(out)))
    plain = one(f"{BATCH_NORM}\ntransposed = true", state(model, ""))
    x = torch.randn(2, 4, 6, 6)
    weight, bias = (torch.from_numpy(plain[key]) for key in ("0.weight", "0.bias"))
    found = torch.nn.functional.conv_transpose2d(x, weight, bias, groups=groups)
    assert torch.allclose(found, model(x), rtol=1e-4, atol=1e-5)


def test_a_transposed_convolution_of_other_sizes_needs_the_option() -> None:
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(4, 6, 3), torch.nn.BatchNorm2d(6))
    with pytest.raises(
        CheckpointError, match=r"1.weight \[6\] is not a norm of what 0.weight .* \(transposed = true is"
    ):
        one(BATCH_NORM, state(model, ""))


def test_eps_may_be_an_int() -> None:
    model = randomized(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4, eps=0)))
    plain = one(f"{BATCH_NORM}\neps = 0", state(model, ""))
    x = torch.randn(5, 3)
    found = torch.nn.functional.linear(x, *(torch.from_numpy(plain[key]) for key in ("0.weight", "0.bias")))
    assert torch.allclose(found, model(x), rtol=1e-4, atol=1e-5)


def tensors(**changes: Any) -> State:
    norm = {f"bn.{name}": np.ones(4, np.float32) for name in ("weight", "bias", "running_mean", "running_var")}
    weights = {"conv1.weight": np.ones((4, 3, 1, 1), np.float32), "conv1.bias": np.ones(4, np.float32)}
    return weights | norm | changes


@pytest.mark.parametrize(
    ("conv", "changes", "words"),
    [
        ("^conv", {}, "conv matches conv1.bias, which is not a weight"),
        ("weight$", {}, "bn is to be folded into conv1.weight and into bn.weight"),
        (
            "^conv.\\.weight$", {"conv2.weight": np.ones((4, 4), np.float32)},
            "bn is to be folded into conv1.weight and into conv2.weight",
        ),
        ("^conv1\\.weight$", {"bn.weight": np.ones(1, np.float32)}, r"bn.weight \[1\] is not a norm of what"),
        ("^conv1\\.weight$", {"bn.running_var": np.ones(1, np.float32)}, r"bn.running_var \[1\] does not have"),
        ("^conv1\\.weight$", {"conv1.bias": np.ones(1, "f4")}, r"conv1.bias \[1\] does not have the 4 channels of bn"),
    ],
)  # fmt: skip
def test_a_batch_norm_that_does_not_fit(conv: str, changes: State, words: str) -> None:
    order = dict(sorted(tensors(**changes).items(), key=lambda item: not item[0].startswith("conv")))
    with pytest.raises(CheckpointError, match=words):
        one(f"fold = 'batch_norm'\nconv = '{conv}'\nnorm = 'bn'", order)


def test_a_fold_overwrites_nothing() -> None:
    given = {"c.weight_g": np.ones((2, 1), np.float32), "c.weight_v": np.ones((2, 3), np.float32)}
    with pytest.raises(CheckpointError, match=r"folding makes c.weight, which already exists"):
        one("fold = 'weight_norm'", given | {"c.weight": np.zeros((2, 3), np.float32)})


def test_a_folded_weight_that_does_not_fit_its_dtype() -> None:
    given = {"c.weight_g": np.full((2, 1), 6e4, np.float16), "c.weight_v": np.zeros((2, 3), np.float16)}
    given["c.weight_v"][:, 0] = 1
    assert one("fold = 'weight_norm'", given)["c.weight"][0].tolist() == [6e4, 0, 0]
    variances = {"bn.running_var": np.full(4, 1e-8, np.float32), "conv1.weight": np.full((4, 3, 1, 1), 9, np.float16)}
    with pytest.raises(WeightsError, match=r"conv1.weight: 12 of 12 values do not fit float16"):
        one("fold = 'batch_norm'\nconv = '^conv1\\.weight$'\nnorm = 'bn'\neps = 0", tensors(**variances))
