"""Choosing boxes, and other operations with data-dependent shapes."""

from __future__ import annotations

from numbers import Integral
from typing import Any, overload

import numpy as np

from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.control import scan
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, sub
from trtnet.ops.elementwise.comparison import eq, gt, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and, logical_or
from trtnet.ops.indexing.gather import index_select
from trtnet.ops.reductions.extremes import argmax
from trtnet.ops.reductions.reduce import prod, sum
from trtnet.support import backend
from trtnet.support.backend import trt


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, max_output_boxes: Size) -> tuple[Tensor, Tensor]:
    """The best boxes that do not overlap a better one, in order of their scores; -1 after the last.

    boxes: [n, 4] of (x1, y1, x2, y2), floating; at least one. scores: [n], floating; boxes of score -inf or NaN are
    left out. max_output_boxes: an int or a Dim. As torchvision's ``nms``, but with a fixed number of results, so that
    it runs on every backend. Returns (int64 [max_output_boxes], an int64 scalar: how many are boxes).
    Layer: ILoop, which takes the best box (ITopKLayer, IGatherLayer) and removes those whose intersection over union
    with it is above iou_threshold; IConcatenationLayer of the results.
    Raises LayerError for other shapes and dtypes.
    Source: torchvision.ops.nms's documentation.
    """
    return _suppressed(boxes, scores, None, iou_threshold, max_output_boxes)


def batched_nms(
    boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float, max_output_boxes: Size
) -> tuple[Tensor, Tensor]:
    """The best boxes that do not overlap a better one of their class, in order of their scores; -1 after the last.

    boxes: [n, 4] of (x1, y1, x2, y2), floating; at least one. scores: [n], floating; boxes of score -inf or NaN are
    left out. idxs: [n], the class of each box, integer. max_output_boxes: an int or a Dim. Returns (int64
    [max_output_boxes], an int64 scalar: how many are boxes).
    Layer: ILoop, as nms, which takes the best box (ITopKLayer, IGatherLayer) and removes those of its class that it
    overlaps; IConcatenationLayer of the results.
    Raises LayerError for other shapes and dtypes.
    Source: torchvision.ops.batched_nms's documentation.
    """
    return _suppressed(boxes, scores, idxs, iou_threshold, max_output_boxes)


def _suppressed(
    boxes: Tensor, scores: Tensor, idxs: Tensor | None, iou_threshold: float, max_output_boxes: Size
) -> tuple[Tensor, Tensor]:
    """The best boxes one after another, each of which removes those of its class that it overlaps."""
    _check_boxes(boxes, scores, idxs, max_output_boxes)
    n = boxes.shape[0]
    places = arange(n, network=boxes.network)
    low, high = boxes[:, :2], boxes[:, 2:]
    areas = prod(sub(high, low), 1)
    gone = float("-inf")
    scores = where(gt(scores, gone), scores, gone)  # nothing is greater than NaN, nor NaN than anything

    def step(left: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        best = argmax(left, 0, keepdim=True)
        here = index_select(boxes, 0, best)
        sides = maximum(sub(minimum(high, here[:, 2:]), maximum(low, here[:, :2])), 0)
        shared = prod(sides, 1)
        overlap = div(shared, sub(add(areas, index_select(areas, 0, best)), shared))
        rivals = gt(overlap, iou_threshold)
        if idxs is not None:
            rivals = logical_and(rivals, eq(idxs, index_select(idxs, 0, best)))
        struck = logical_or(rivals, eq(places, best))
        found = gt(index_select(left, 0, best), gone)
        return where(struck, gone, left), where(found, best, -1).reshape(())

    _, chosen = scan(step, scores, arange(max_output_boxes, network=boxes.network))
    return chosen, sum(cast(gt(chosen, -1), "int64"))


def _check_boxes(boxes: Tensor, scores: Tensor, idxs: Tensor | None, most: Size) -> None:
    given = {"boxes": boxes, "scores": scores, **({} if idxs is None else {"idxs": idxs}), "max_output_boxes": most}
    fits = boxes.ndim == 2 and boxes.shape[1] == 4 and boxes.shape[0] != 0
    fits = fits and all(each.ndim == 1 for each in (scores, idxs) if each is not None)
    if not (fits and boxes.dtype.is_floating and scores.dtype.is_floating):
        boxes.network.fail(
            "nms takes boxes [n, 4] and scores [n], floating, of at least one box; classes are [n]", given
        )
    if not isinstance(most, Dim) and not (isinstance(most, Integral) and int(most) >= 0):
        boxes.network.fail("nms: max_output_boxes is a whole number of at least 0, or a Dim", given)


def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    max_output_boxes_per_class: int,
    iou_threshold: float = 0.0,
    score_threshold: float = float("-inf"),
) -> tuple[Tensor, Tensor]:
    """The boxes of each class that do not overlap a better one, by descending score within an image.

    boxes: [batch, n, 4] corners, floating. scores: [batch, n, classes], floating. Returns (int64 [found, 3] of batch,
    class and box; an int32 scalar, the count), the first of a data-dependent shape.
    Layer: INMSLayer.
    Raises LayerError on TensorRT-RTX, which has no kernels for it: use ops.nms there.
    Source: ONNX operator NonMaxSuppression.
    """
    need_kernels(boxes, "NMS", "non_max_suppression", "ops.nms gives a fixed number of boxes on every backend")
    network = boxes.network
    most = constant(network, np.array(max_output_boxes_per_class, np.int32))
    limits = {3: np.array(iou_threshold, np.float32), 4: np.array(score_threshold, np.float32)}
    found, count = network.add(
        "nms",
        {"boxes": boxes, "scores": scores, "max_output_boxes_per_class": most},
        attributes={"bounding_box_format": trt.BoundingBoxFormat.CORNER_PAIRS},
        inputs={index: constant(network, limit) for index, limit in limits.items()},
        name="non_max_suppression",
    )
    return cast(found, "int64"), count


@overload
def nonzero(x: Tensor) -> Tensor: ...


@overload
def nonzero(x: Tensor, *, as_tuple: bool) -> Any: ...


def nonzero(x: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not 0.

    x: any shape, floating, integer or bool. Returns [count, rank], int64, of a data-dependent shape; with as_tuple a
    tuple of [count], one for each axis.
    Layer: INonZeroLayer.
    Raises LayerError on TensorRT-RTX, which has no kernels for it: use a mask with ops.where, or ops.topk.
    """
    need_kernels(x, "NON_ZERO", "nonzero", "use a mask with ops.where, or ops.topk of it, whose sizes are known")
    (places,) = x.network.add("non_zero", {"input": x}, name="nonzero")
    axes = cast(places, "int64")
    return axes.unbind(0) if as_tuple else axes.transpose(0, 1)


def need_kernels(x: Tensor, kind: str, operation: str, instead: str) -> None:
    """Raises LayerError, with what to do instead, where the backend builds no layer of a kind."""
    if not backend.has_kernels(kind):
        x.network.fail(f"{operation}: {backend.name()} has no kernels for {kind} layers; {instead}", {"x": x})
