"""Attention, rotary position embedding and the key-value cache."""

from __future__ import annotations

from math import sqrt

import numpy as np

from trtnet.graph import Dim, Parameter, Size, Tensor
from trtnet.graph.quantized import QuantizedAttention
from trtnet.graph.sizes.dim import numel
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.comparison import ge, gt, where
from trtnet.ops.elementwise.logic import logical_and, logical_not, logical_or
from trtnet.ops.formulations import formulated
from trtnet.ops.positions.steps import Arguments, by_position
from trtnet.ops.products.heads import apart
from trtnet.ops.quantization.attention import is_watched, operands
from trtnet.ops.quantization.layers import rounded_scale
from trtnet.ops.reductions.reduce import any
from trtnet.ops.transformers.heads import arranged
from trtnet.support.arrays import values
from trtnet.support.backend import supports, trt
from trtnet.support.dtypes import bool_
from trtnet.support.text.counted import counted

NOWHERE = float("-inf")
"""The score of a key that a query may not look at."""


def _queries(given: Arguments, ndim: int, axis: int) -> dict[str, int] | None:
    """The queries, where each sees the keys that all others see."""
    mask = given.get("attn_mask")
    own = mask is not None and (not hasattr(mask, "shape") or (len(mask.shape) > 1 and mask.shape[-2] != 1))
    is_query = axis == ndim - 2 and given["query"].ndim == ndim
    return {"query": axis} if is_query and not own and not given.get("is_causal") else None


@by_position(_queries, is_product=True)
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query @ key.T * scale + mask) @ value``.

    query: [..., heads, length, dim]. key: [..., key heads, key length, dim]. value: [..., key heads, key length,
    width]. Two dimensions or more, of one floating dtype. The key heads divide the heads, and each serves a group of
    queries, whatever enable_gqa. attn_mask: bool (true where a query may attend) or floating (added to the scores), of
    a shape that broadcasts to [..., heads, length, key length]; a query that may attend nowhere gets zeros, as in
    torch. is_causal: query i attends to keys up to i. scale: 1 / sqrt(dim) by default; the queries are multiplied by
    it. Returns [..., heads, length, width], in the dtype of `query`. Both products are in 8 bits where the network's
    quantization says that of the module.
    Layer: IAttention; for values of another width than keys, on backends without it, and in other forms
    (``trtnet.ops.forms.transformers.attention``), IMatrixMultiplyLayer and ISoftMaxLayer with the same numerics.
    Raises LayerError for a dropout_p other than 0, for integers, and for heads that are not a multiple of the key
    heads.
    Source: Vaswani et al., 2017, arXiv:1706.03762; Ainslie et al., 2023, arXiv:2305.13245 (grouped queries).

    >>> import numpy as np, trtnet
    >>> class Attention(trtnet.nn.Module):
    ...     def forward(self, q, k, v):
    ...         return trtnet.ops.scaled_dot_product_attention(q, k, v, is_causal=True)
    >>> shapes = {"q": (1, 8, "n", 64), "k": (1, 2, "n", 64), "v": (1, 2, "n", 64)}
    >>> network = trtnet.define(Attention(), {name: trtnet.Input(shape) for name, shape in shapes.items()})
    >>> network.outputs["output"]
    Tensor('output', [1, 8, n, 64], float32)
    """
    given = {"query": apart(query), "key": apart(key), "value": apart(value)}
    query, key, value = arranged(*given.values())
    mask = None if attn_mask is None else tensor(attn_mask, query.network)
    _check(given, mask, dropout_p)
    lead, (q, k, v), mask = _of_four_dimensions(_scaled(query, scale), key, value, mask)
    blinding = mask is not None and (is_causal or _may_blind(attn_mask))
    if is_causal and mask is not None:
        mask, is_causal = _with_causal(mask, q, k), False
    if mask is not None and blinding and _is_of_all_queries(mask, q):
        mask, v, blinding = _open(mask), where(_sighted(mask), v, 0.0), False
    found = q.network.quantized.attention(q.network.path)
    y = (_one_query if q.shape[2] == 1 else _attention)(q, k, v, mask, is_causal, found)
    y = where(_sighted(mask), y, 0.0) if mask is not None and blinding else y
    absent = 4 - max(x.ndim for x in given.values())
    return _of_shape(y, (*lead[max(absent, 0) :], q.shape[2], v.shape[3]))


def _scaled(query: Tensor, scale: float | None) -> Tensor:
    factor = _factor(query, scale)
    return query if factor == 1 else mul(query, factor)


def _of_shape(y: Tensor, shape: tuple[Size, ...]) -> Tensor:
    return y if y.shape == shape else y.reshape(*shape)


def _check(operands: dict[str, Tensor], mask: Tensor | None, dropout_p: float) -> None:
    network = operands["query"].network
    if dropout_p:
        network.fail(f"attention has no dropout at inference: dropout_p is {dropout_p}", operands)
    if min(x.ndim for x in operands.values()) < 2:
        network.fail("attention takes [..., length, dim], found a tensor of fewer than two dimensions", operands)
    dtypes = {x.dtype for x in operands.values()}
    if len(dtypes) != 1 or not operands["query"].dtype.is_floating:
        names = ", ".join(str(x.dtype) for x in operands.values())
        network.fail(f"attention takes a query, a key and a value of one floating dtype, found {names}", operands)
    if mask is not None and mask.dtype != bool_ and not mask.dtype.is_floating:
        network.fail(f"attention takes a mask that is bool or floating, found {mask.dtype}", {"attn_mask": mask})


def _factor(query: Tensor, scale: float | None) -> float:
    width = query.shape[-1]
    if scale is not None:
        return scale
    if not isinstance(width, int):
        query.network.fail("attention needs the size of its last axis, or a scale", {"query": query})
    return 1 / sqrt(width) if width else 1.0


def _of_four_dimensions(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> tuple[tuple[Size, ...], tuple[Tensor, ...], Tensor | None]:
    """(the sizes before the last two axes, queries, keys and values of four dimensions, the mask like that).

    Heads of a size that is not known, and every axis before them, become one batch.
    """
    rank = max(4, query.ndim, key.ndim, value.ndim)
    parts = [tensor(x, x.network, ndim=rank) for x in (query, key, value)]
    lead = tuple(_common(sizes) for sizes in zip(*(x.shape[:-3] for x in parts), strict=True))
    heads, groups, others = (x.shape[-3] for x in parts)
    parts = [_expanded(x, lead) for x in parts]
    if not isinstance(heads, int):
        shape = (*lead, heads)
        if groups != heads or others != heads:
            needed = counted(heads, "query head needs", "query heads need")
            text = f"attention: {needed} as many key and value heads, found {groups} and {others}"
            query.network.fail(text, {"query": query, "key": key, "value": value})
        flat = tuple(x.reshape(numel(shape), 1, *x.shape[-2:]) for x in parts)
        return shape, flat, _flat(mask, shape, 1)
    if heads == 1 and isinstance(groups, int) and groups > 1:
        heads, parts[0] = groups, parts[0].expand(*lead, groups, -1, -1)
    if not isinstance(groups, int) or others != groups or groups < 1 or heads % groups:
        given = counted(heads, "query head is", "query heads are")
        text = f"attention: {given} not a multiple of {counted(groups, 'key head')}"
        if others != groups:
            text = f"attention: there are as many value heads as key heads, found {others} and {groups}"
        query.network.fail(text, {"query": query, "key": key, "value": value})
    if rank == 4:
        return (*lead, heads), tuple(parts), mask
    flat = tuple(x.reshape(numel(lead), *x.shape[-3:]) for x in parts)
    return (*lead, heads), flat, _flat(mask, lead, 3)


def _common(sizes: tuple[Size, ...]) -> Size:
    """The size that others broadcast to: an int over a Dim, both over 1."""
    return next((n for n in sizes if isinstance(n, int) and n != 1), next((n for n in sizes if n != 1), 1))


def _expanded(x: Tensor, lead: tuple[Size, ...]) -> Tensor:
    return x if x.shape[:-3] == lead else x.expand(*lead, -1, -1, -1)


def _flat(mask: Tensor | None, lead: tuple[Size, ...], kept: int) -> Tensor | None:
    """A mask for axes `lead` that have become one batch; `kept`: 3 if the heads are not among them, else 1."""
    if mask is None:
        return None
    last = 3 if kept == 3 else 2
    if mask.ndim <= last:
        return mask
    if all(n == 1 for n in mask.shape[:-last]):
        return mask.reshape(*mask.shape[-last:])
    whole = tensor(mask, mask.network, ndim=len(lead) + last)
    tail = whole.shape[-last:]
    own = whole.expand(*lead, *(-1,) * last).reshape(numel(lead), *tail)
    return own if last == 3 else own.unsqueeze(1)


def _has_kernel(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> bool:
    """Whether TensorRT has a kernel for these heads.

    It needs values as wide as keys; RTX 1.6 does not build some 16-bit heads of no multiple of 16 bytes, and computes
    wrong numbers for several queries of one key (H200, tests/gpu/test_gpu_attention.py). Of quantized products RTX
    1.7.1 has one for float8 beside 16 bits; int8 and float32 it decomposes.
    """
    width = query.shape[-1]
    if not supports("attention_v2") or width != value.shape[-1] or key.shape[-2] == 1 or is_watched(query):
        return False
    if found is not None and not (
        supports("attention_probabilities") and found.dtype.is_floating and query.dtype.bits == 16
    ):
        return False
    return query.dtype.bits > 16 or (isinstance(width, int) and width % 8 == 0)


def _lengths(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, *_: object
) -> dict[str, int]:
    """The number of keys and their width, where they are known; whether there are as many queries, and only later keys
    are hidden."""
    sizes = {n: size for n, size in zip(("keys", "width"), key.shape[-2:], strict=True) if isinstance(size, int)}
    return sizes | {"square": int(query.shape[-2] == key.shape[-2]), "causal": int(is_causal)}


@formulated("attention", "fused", facts=_lengths, applies=_has_kernel)
def _attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    return _fused(query, key, value, mask, is_causal, found)


def _decoding_facts(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, *_: object
) -> dict[str, int]:
    """The same, and whether a mask hides keys, as those of a cache that are not written yet."""
    return _lengths(query, key, value, mask, is_causal) | {"masked": int(mask is not None)}


@formulated("decoding", "fused", facts=_decoding_facts, applies=_has_kernel)
def _one_query(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    return _fused(query, key, value, mask, is_causal, found)


def _fused(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    query, key, value = operands(query, key, value, found)
    kind = trt.CausalMaskKind.UPPER_LEFT if is_causal else trt.CausalMaskKind.NONE
    attributes: dict[str, object] = {"decomposable": True}
    if mask is not None:
        attributes["mask"] = tensor(mask, query.network, None if mask.dtype == bool_ else query.dtype, 4)
    if found is not None:
        scale = rounded_scale(np.array(found.probability, np.float32), query.dtype)
        attributes["normalization_quantize_scale"] = tensor(scale, query.network)
        attributes["normalization_quantize_to_type"] = found.dtype.trt
    arguments = {"query": query, "key": key, "value": value, "norm_op": trt.AttentionNormalizationOp.SOFTMAX}
    shape = (*query.shape[:3], value.shape[3])
    (y,) = query.network.add("attention_v2", arguments | {"causal_kind": kind}, attributes=attributes, dims=[shape])
    return y


def causal_mask(query: Tensor, key: Tensor) -> Tensor:
    """[length, key length], true where the query is not before the key."""
    rows, columns = (arange(x.shape[2], network=x.network) for x in (query, key))
    return ge(rows.unsqueeze(1), columns.unsqueeze(0))


def _with_causal(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    causal = causal_mask(query, key)
    return logical_and(mask, causal) if mask.dtype == bool_ else where(causal, mask, NOWHERE)


def _may_blind(mask: Operand | None) -> bool:
    """Whether a query may see nothing by a mask: one of the network, or constants with a row of nothing."""
    if mask is None or isinstance(mask, Tensor | Parameter | Dim):
        return isinstance(mask, Tensor)
    array = values(mask)
    return not (array if array.dtype == np.bool_ else array.astype(np.float32) > NOWHERE).any(-1).all()


def _sighted(mask: Tensor) -> Tensor:
    """Which queries see a key at all, [..., length, 1]; once for all attentions with a mask."""
    cache, key = mask.network.cache, ("sighted", mask.trt)
    if key not in cache:
        cache[key] = any(mask if mask.dtype == bool_ else gt(mask, NOWHERE), -1, keepdim=True)
    return cache[key]


def _is_of_all_queries(mask: Tensor, query: Tensor) -> bool:
    """Whether several queries, of all heads, share a mask: those of a sample see something, or none does."""
    return query.shape[2] != 1 and all(size == 1 for size in mask.shape[-3:-1])


def _open(mask: Tensor) -> Tensor:
    """The mask, by which queries that see nothing see everything; once for all attentions with it."""
    cache, key = mask.network.cache, ("open", mask.trt)
    if key not in cache:
        seen = _sighted(mask)
        cache[key] = logical_or(mask, logical_not(seen)) if mask.dtype == bool_ else where(seen, mask, 0.0)
    return cache[key]
