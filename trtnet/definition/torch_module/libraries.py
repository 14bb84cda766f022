"""Functions of published libraries whose own code decides by values, and what computes the same without that."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from trtnet.support.errors import ModelError
from trtnet.support.source import here


def of_libraries() -> Iterator[tuple[Any, str, Any]]:
    """(owner, name, what is there instead) in the libraries that are imported."""
    poolers = sys.modules.get("torchvision.ops.poolers")
    if poolers is not None:
        yield poolers, "_multiscale_roi_align", pooled
    experts = getattr(sys.modules.get("transformers.integrations.moe"), "ExpertsInterface", None)
    if experts is not None:
        yield experts, "get_interface", lambda *_: mixed
    masks = sys.modules.get("transformers.masking_utils")
    if hasattr(masks, "_vmap_expansion_sdpa") and hasattr(masks, "_non_vmap_expansion_sdpa"):
        yield masks, "_vmap_expansion_sdpa", broadcast
        yield masks, "TransformGetItemToIndex", nullcontext  # which is for torch.vmap


def pooled(
    features: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    output_size: Sequence[int],
    sampling_ratio: int,
    scales: Sequence[float],
    mapper: Callable[[Sequence[torch.Tensor]], torch.Tensor],
) -> torch.Tensor:
    """torchvision's MultiScaleRoIAlign: all boxes at every level, and then each one's level.

    torchvision's own sorts the boxes by level, and how many a level has depends on values.
    """
    rois = sys.modules["torchvision.ops.poolers"]._convert_to_roi_format(boxes)
    sizes = int(output_size[0]), int(output_size[1])
    found = [
        torch.ops.torchvision.roi_align(feature, rois, scale, *sizes, sampling_ratio, False)
        for feature, scale in zip(features, scales, strict=True)
    ]
    result = found[0]
    if len(found) > 1:
        level = mapper(boxes)[:, None, None, None]
        for index, each in enumerate(found[1:], 1):
            result = torch.where(level == index, each, result)
    return result


def mixed(
    experts: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """transformers' mixture of experts: all experts for every token, and of each token those that it chose.

    transformers' own sort the tokens by expert, and how many an expert has depends on values. hidden_states: [tokens,
    hidden]. top_k_index, top_k_weights: [tokens, k], each expert once. Returns [tokens, hidden].
    """
    if experts._is_expert_parallel:
        raise ModelError(here("experts that are divided among ranks by transformers: define the whole model"))
    kinds = torch.arange(experts.num_experts, device=hidden_states.device)
    chosen = top_k_index.unsqueeze(-1) == kinds
    shares = torch.where(chosen, top_k_weights.unsqueeze(-1), 0.0).sum(1)
    first = "gate_up_proj" if experts.has_gate else "up_proj"
    found = _each(experts, first, hidden_states.unsqueeze(0))
    found = _each(experts, "down_proj", experts._apply_gate(found) if experts.has_gate else experts.act_fn(found))
    if experts.has_post_expert_norm:
        found = experts.post_expert_norm(found)
    return (found * shares.t().unsqueeze(-1)).sum(0).to(hidden_states.dtype)


def _each(experts: Any, name: str, x: torch.Tensor) -> torch.Tensor:
    """The product of every expert with all tokens: [experts, tokens, outputs]."""
    weight = getattr(experts, name)
    product = torch.matmul(x, weight if experts.is_transposed else weight.transpose(-2, -1))
    return product + getattr(experts, f"{name}_bias").unsqueeze(1) if experts.has_bias else product


def broadcast(mask_function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """transformers' mask of all positions by a function of indices, without torch.vmap: the indices broadcast."""
    masks = sys.modules["transformers.masking_utils"]

    @functools.wraps(mask_function)
    def mask(*positions: torch.Tensor) -> torch.Tensor:
        batch, _, queries, keys = (each.shape[0] for each in positions)
        return mask_function(*masks._non_vmap_expansion_sdpa(*positions)).expand(batch, -1, queries, keys)

    return mask
