"""What transformers decides by values, and the network computes without: experts by token, masks by torch.vmap."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from helpers.originals import import_torchvision
from torch import nn

import trtnet

import_torchvision()  # which transformers imports
EXPERTS = {"hidden_size": 8, "intermediate_size": 6, "num_local_experts": 5}
KINDS = {
    "mixtral": ("MixtralExperts", EXPERTS),
    "gpt_oss": ("GptOssExperts", EXPERTS),  # biases, the weights transposed, a gate of its own
    "qwen3_moe": ("Qwen3MoeExperts", {"hidden_size": 8, "moe_intermediate_size": 6, "num_experts": 5}),
}


def experts_of(family: str) -> nn.Module:
    """The experts of a family with random weights, as its model calls them."""
    where = f"transformers.models.{family}"
    name, values = KINDS[family]
    configuration = importlib.import_module(f"{where}.configuration_{family}")
    config = getattr(configuration, name.replace("Experts", "Config"))(**values)
    config._experts_implementation = "eager"
    experts: nn.Module = getattr(importlib.import_module(f"{where}.modeling_{family}"), name)(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in experts.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return experts.eval()


@pytest.mark.parametrize("implementation", ["eager", "grouped_mm"])
@pytest.mark.parametrize("family", KINDS)
def test_experts_equal_transformers(family: str, implementation: str) -> None:
    experts = experts_of(family)
    inputs = {
        "x": trtnet.Input(("tokens", 8)),
        "chosen": trtnet.Input(("tokens", 2), "int64"),
        "shares": trtnet.Input(("tokens", 2)),
    }
    experts.config._experts_implementation = implementation
    network = trtnet.define(experts, inputs)
    assert not network.folded  # the weights keep their names
    experts.config._experts_implementation = "eager"
    for tokens in (1, 7):
        x = torch.randn(tokens, 8)
        shares, chosen = torch.randn(tokens, 5).softmax(-1).topk(2)
        expected = experts(x, chosen, shares).detach().numpy()
        found = network.reference()(x.numpy(), chosen.numpy(), shares.numpy())
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


class Masked(nn.Module):
    """Images in a text: their tokens see each other, which transformers writes as a function of indices."""

    def forward(self, x: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        masks = importlib.import_module("transformers.masking_utils")
        config = importlib.import_module("transformers.models.gemma3.configuration_gemma3").Gemma3TextConfig(
            num_hidden_layers=1, attn_implementation="eager"
        )

        def image(batch: Any, head: Any, query: Any, key: Any) -> torch.Tensor:
            return (kinds[batch, query] == 1) & (kinds[batch, key] == 1)

        found: torch.Tensor = masks.create_causal_mask(
            config, x, None, None, or_mask_function=image, and_mask_function=lambda b, h, q, k: k - q < 3
        )
        return found


def test_a_mask_by_torchs_vmap() -> None:
    inputs = {"x": trtnet.Input(("batch", 6, 4)), "kinds": trtnet.Input(("batch", 6), "int64")}
    network = trtnet.define(Masked().eval(), inputs)
    for batch in (1, 3):
        x, kinds = torch.randn(batch, 6, 4), torch.randint(0, 2, (batch, 6))
        expected = Masked()(x, kinds)
        assert 0 < (expected == 0).sum() < expected.numel()
        np.testing.assert_array_equal(network.reference()(x.numpy(), kinds.numpy()), expected.numpy())
