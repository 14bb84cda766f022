"""Attention, rotary embedding and the key-value cache."""

from __future__ import annotations

import torch

from trtnet.reference.layers.quantize import to_range
from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.errors import ExecutionError


def attention_input(step: Step) -> list[torch.Tensor]:
    """The whole attention: TensorRT puts it between two layers, of which this one has the operands.

    Scores are not scaled. Keys and values serve groups of queries. A bool mask is true where a query may look, another
    is added to the scores.
    """
    attention: trt.IAttention = step.layer.attention
    query, key, value = step.input(0), step.input(1), step.input(2)
    mask = step.optional(3)
    _refuse_other_forms(step, attention)
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = query @ key.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    causal = _causal(attention, scores.shape[-2], scores.shape[-1])
    if causal is not None:
        scores = scores.masked_fill(~causal, float("-inf"))
    normal = scores if attention.norm_op.name == "NONE" else scores.softmax(-1)
    return [_quantized(step, attention, normal) @ value]


def attention_output(step: Step) -> list[torch.Tensor]:
    """What the first of the two layers computed."""
    return [step.x]


def _refuse_other_forms(step: Step, attention: trt.IAttention) -> None:
    forms = [getattr(attention, name) for name in ("query_form", "key_value_form") if hasattr(attention, name)]
    lengths = [getattr(attention, name, None) for name in ("query_lengths", "key_value_lengths")]
    if any(form.name != "PADDED_BHND" for form in forms) or any(lengths):
        raise ExecutionError(f"{describe(step.layer)}: the reference does not execute packed or ragged attention")


def _quantized(step: Step, attention: trt.IAttention, probabilities: torch.Tensor) -> torch.Tensor:
    """The probabilities as the second product takes them: quantized and dequantized where the layer says so."""
    if getattr(attention, "normalization_quantize_scale", None) is None:
        return probabilities
    scale = step.input(4)
    if scale.numel() != 1:
        raise ExecutionError(f"{describe(step.layer)}: the reference executes one scale of the probabilities")
    name = dtypes.get(attention.normalization_quantize_to_type).name
    return to_range(step, probabilities / scale.reshape(()), name).float() * scale.reshape(())


def _causal(attention: trt.IAttention, rows: int, columns: int) -> torch.Tensor | None:
    """True where the query may look; aligned at the first row and column, or at the last."""
    kind = getattr(attention, "causal_kind", None)
    name = kind.name if kind is not None else ("UPPER_LEFT" if attention.causal else "NONE")
    if name == "NONE":
        return None
    shift = columns - rows if name == "LOWER_RIGHT" else 0
    return torch.ones(rows, columns, dtype=torch.bool).tril(shift)


def rotary_embedding(step: Step) -> list[torch.Tensor]:
    """Rotates pairs of the first `rotary_embedding_dim` elements (0: all) by the angles of the tables."""
    layer, x = step.layer, step.x
    cos, sin, positions = step.input(1), step.input(2), step.optional(3)
    if positions is not None:
        cos, sin = cos[positions.long()], sin[positions.long()]
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    width = layer.rotary_embedding_dim or x.shape[-1]
    turned, rest = x[..., :width], x[..., width:]
    left, right = (turned[..., ::2], turned[..., 1::2]) if layer.interleaved else turned.chunk(2, -1)
    pair = left * cos - right * sin, right * cos + left * sin
    rotated = torch.stack(pair, -1).flatten(-2) if layer.interleaved else torch.cat(pair, -1)
    return [torch.cat([rotated, rest], -1)]


def kv_cache_update(step: Step) -> list[torch.Tensor]:
    """The cache with each sequence's update written from its index on."""
    cache, update, indices = step.input(0).clone(), step.input(1), step.input(2)
    for row, start in enumerate(indices.tolist()):
        cache[row, :, start : start + update.shape[2]] = update[row]
    return [cache]


LAYERS: dict[str, LayerFunction] = {
    "ATTENTION_INPUT": attention_input,
    "ATTENTION_OUTPUT": attention_output,
    "KV_CACHE_UPDATE": kv_cache_update,
    "ROTARY_EMBEDDING": rotary_embedding,
}
