"""What trtnet's own operations, which torch has not, or not so, mean: the same in torch, for the oracle."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils import _pytree


def cast(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return x.to(dtype)


def embedding_bag(indices: torch.Tensor, table: torch.Tensor, mode: str = "mean") -> torch.Tensor:
    return F.embedding_bag(indices, table, mode=mode)


def shuffle(
    x: torch.Tensor,
    before: Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
    after: Sequence[int] | None = None,
) -> torch.Tensor:
    y = x if before is None else x.permute(*before)
    y = y if shape is None else y.reshape(tuple(shape))
    return y if after is None else y.permute(*after)


def unfold_dim(x: torch.Tensor, dimension: int, size: int, step: int) -> torch.Tensor:
    return x.unfold(dimension, size, step)


def stft(x: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    windows = {key: v.to(wide.dtype) if isinstance(v, torch.Tensor) else v for key, v in named.items()}
    return torch.view_as_real(torch.stft(wide, *arguments, **{**windows, "return_complex": True})).to(x.dtype)


def scan(combine_fn: Callable[..., Any], init: Any, xs: Any, dim: int = 0, reverse: bool = False) -> Any:
    carry, results = init, []
    leaves, shape = _pytree.tree_flatten(xs)
    slices = list(zip(*(x.unbind(dim) for x in leaves), strict=True))
    for parts in reversed(slices) if reverse else slices:
        carry, y = combine_fn(carry, _pytree.tree_unflatten(list(parts), shape))
        results.append(y)
    results = results[::-1] if reverse else results
    return carry, _pytree.tree_map(lambda *values: torch.stack(values, dim), *results)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        carried = body_fn(*carried)
    return carried


def for_loop(count: Any, body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    carried = tuple(carried_inputs)
    for i in range(int(count)):
        found = body_fn(torch.tensor(i), *carried)
        carried = found if isinstance(found, tuple) else (found,)
    return carried


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    return (true_fn if pred else false_fn)(*operands)


def assertion(condition: torch.Tensor, message: str) -> None:
    if not condition.all():
        raise RuntimeError(message)


def _scale(x: torch.Tensor, scale: Any, axis: int | None) -> torch.Tensor:
    given = torch.as_tensor(scale, dtype=x.dtype if x.is_floating_point() else torch.float32)
    return given if axis is None else given.reshape([-1 if i == axis % x.dim() else 1 for i in range(x.dim())])


def quantize(x: torch.Tensor, scale: Any, axis: int | None = None) -> torch.Tensor:
    return (x / _scale(x, scale, axis)).round().clamp(-128, 127).to(torch.int8)


def dequantize(x: torch.Tensor, scale: Any, axis: int | None = None, dtype: Any = torch.float32) -> torch.Tensor:
    return (x.to(dtype) * _scale(x, scale, axis)).to(dtype)


def fake_quantize(x: torch.Tensor, scale: Any, axis: int | None = None) -> torch.Tensor:
    return dequantize(quantize(x, scale, axis), scale, axis, x.dtype)


def rotary_embedding(
    x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, position_ids: Any = None, interleaved: bool = False
) -> torch.Tensor:
    if position_ids is not None:
        cos, sin = cos[position_ids], sin[position_ids]
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    left, right = (x[..., ::2], x[..., 1::2]) if interleaved else x.chunk(2, -1)
    first, second = left * cos - right * sin, right * cos + left * sin
    return torch.stack([first, second], -1).flatten(-2) if interleaved else torch.cat([first, second], -1)


def mixture_of_experts(
    x: torch.Tensor,
    experts: torch.Tensor,
    scores: torch.Tensor,
    gate: torch.Tensor,
    up: torch.Tensor,
    down: torch.Tensor,
) -> torch.Tensor:
    each = torch.stack([(F.silu(x @ g) * (x @ u)) @ w for g, u, w in zip(gate, up, down, strict=True)], -2)
    weights = torch.zeros(*x.shape[:2], len(gate), dtype=x.dtype).scatter_add(-1, experts.long(), scores)
    return (each * weights.unsqueeze(-1)).sum(-2)


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, max_output_boxes: int) -> Any:
    return batched_nms(boxes, scores, torch.zeros(len(boxes)), iou_threshold, max_output_boxes)


def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float, max_output_boxes: int
) -> Any:
    areas, left, chosen = (boxes[:, 2:] - boxes[:, :2]).prod(1), scores.clone(), []
    for _ in range(max_output_boxes):
        best = int(left.argmax())
        if left[best] == float("-inf"):
            break
        chosen.append(best)
        sides = torch.minimum(boxes[:, 2:], boxes[best, 2:]) - torch.maximum(boxes[:, :2], boxes[best, :2])
        shared = sides.clamp(min=0).prod(1)
        left[(shared / (areas + areas[best] - shared) > iou_threshold) & (idxs == idxs[best])] = float("-inf")
        left[best] = float("-inf")
    filled = chosen + [-1] * (max_output_boxes - len(chosen))
    return torch.tensor(filled), torch.tensor(len(chosen))


def _pixel(image: torch.Tensor, y: float, x: float, border: bool) -> torch.Tensor:
    """The bilinear value [channels] at a place, 0 outside; border: of the nearest pixel up to one pixel outside."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(len(image), dtype=image.dtype)
    if border:
        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left, total = math.floor(y), math.floor(x), torch.zeros(len(image), dtype=image.dtype)
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        if 0 <= row < height and 0 <= column < width:
            total = total + image[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def roi_align(
    x: torch.Tensor,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> torch.Tensor:
    if not isinstance(boxes, torch.Tensor):
        boxes = torch.cat([F.pad(each, (1, 0), value=float(i)) for i, each in enumerate(boxes)])
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    found = torch.zeros(len(boxes), x.shape[1], rows, columns)
    steps = [(i + 0.5) / sampling_ratio for i in range(sampling_ratio)]
    for k, (image, *corners) in enumerate(boxes.double().tolist()):
        left, top, right, bottom = (each * spatial_scale - (0.5 if aligned else 0.0) for each in corners)
        high, wide = (size if aligned else max(size, 1.0) for size in (bottom - top, right - left))
        for r, c in itertools.product(range(rows), range(columns)):
            places = [(top + high / rows * (r + a), left + wide / columns * (c + b)) for a in steps for b in steps]
            found[k, :, r, c] = sum(_pixel(x[int(image)].float(), *place, border=True) for place in places) / len(
                places
            )
    return found.to(x.dtype)


def deform_conv2d(
    x: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    (sy, sx), (py, px), (dy, dx) = (
        (each, each) if isinstance(each, int) else each for each in (stride, padding, dilation)
    )
    out, inner, kh, kw = weight.shape
    (batch, _, rows, columns), taps = offset.shape, kh * kw
    moved = offset.reshape(batch, -1, taps, 2, rows, columns).tolist()
    groups, width = len(moved[0]), x.shape[1] // len(moved[0])
    pixels = torch.zeros(batch, x.shape[1], taps, rows, columns)
    for n, g, t, r, c in itertools.product(*map(range, (batch, groups, taps, rows, columns))):
        down, right = (moved[n][g][t][axis][r][c] for axis in (0, 1))
        y, z = r * sy - py + t // kw * dy + down, c * sx - px + t % kw * dx + right
        value = _pixel(x[n, g * width : (g + 1) * width].float(), y, z, border=False)
        scale = 1.0 if mask is None else mask.reshape(batch, groups, taps, rows, columns)[n, g, t, r, c].float()
        pixels[n, g * width : (g + 1) * width, t, r, c] = value * scale
    patches = pixels.to(x.dtype).reshape(batch, x.shape[1] // inner, inner * taps, rows * columns)
    y = weight.reshape(x.shape[1] // inner, -1, inner * taps) @ patches
    y = y.reshape(batch, out, rows, columns)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


OWN = {
    f.__name__: f
    for f in (cast, embedding_bag, shuffle, unfold_dim, stft, scan, while_loop, for_loop, cond, assertion, quantize,
              dequantize, fake_quantize, rotary_embedding, mixture_of_experts, nms, batched_nms, roi_align,
              deform_conv2d)
}  # fmt: skip
"""By name."""
