"""torchvision's compiled operations: those that a network has, and why it has no others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock

import torch

from trtnet import ops
from trtnet.graph import Tensor, current
from trtnet.ops.images.detection import need_kernels

_FIXED = (
    "make the module a member of a trtnet Module, by trtnet.TorchModule, and use ops.nms or ops.batched_nms there,"
    " which give a fixed number of boxes: docs/examples/detect.py"
)
_REGIONS = "TensorRT has no such layer; use roi_align"
_ROTATED = "it is not written for rotated boxes"
_FLOATS = "use the function of floats"


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """torch.ops.torchvision.nms: as many boxes as are left, which is known only when the engine runs."""
    need_kernels(boxes, "NMS", "torchvision's nms, of a number of boxes that depends on values", _FIXED)
    most = boxes.shape[0]
    if not isinstance(most, int):
        current().fail("torchvision's nms takes a known number of boxes", {"boxes": boxes})
    found, _ = ops.non_max_suppression(boxes[None], scores[None, :, None], most, iou_threshold)
    return found[:, 2]


def roi_align(
    x: Tensor, boxes: Tensor, spatial_scale: float, rows: int, columns: int, sampling_ratio: int, aligned: bool
) -> Tensor:
    """torch.ops.torchvision.roi_align."""
    return ops.roi_align(x, boxes, (rows, columns), spatial_scale, sampling_ratio, aligned)


def deform_conv2d(x: Tensor, weight: Any, offset: Tensor, mask: Any, bias: Any, *numbers: Any) -> Tensor:
    """torch.ops.torchvision.deform_conv2d: stride, padding and dilation as pairs, two numbers of groups, use_mask."""
    stride, padding, dilation = numbers[0:2], numbers[2:4], numbers[4:6]
    return ops.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask if numbers[-1] else None)


def _absent(name: str, why: str) -> Callable[..., Any]:
    def refuse(x: Tensor, *_: Any, **__: Any) -> Any:
        current().fail(f"torchvision's {name}: {why}", {"x": x})

    return refuse


TABLE: dict[str, Callable[..., Any]] = {
    "nms": nms,
    "roi_align": roi_align,
    "deform_conv2d": deform_conv2d,
    "roi_pool": _absent("roi_pool", _REGIONS),
    "ps_roi_align": _absent("ps_roi_align", _REGIONS),
    "ps_roi_pool": _absent("ps_roi_pool", _REGIONS),
    "box_iou_rotated": _absent("box_iou_rotated", _ROTATED),
    "qnms": _absent("qnms", _FLOATS),
    "qroi_align": _absent("qroi_align", _FLOATS),
}
"""By name, called with torch's arguments in their order."""


def _levels(
    features: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    output_size: Sequence[int],
    sampling_ratio: int,
    scales: Sequence[float],
    mapper: Callable[[Sequence[torch.Tensor]], torch.Tensor],
) -> torch.Tensor:
    """MultiScaleRoIAlign: all boxes at every level, and then each one's level.

    torchvision's own sorts the boxes by level, and how many a level has depends on values.
    """
    from torchvision.ops import poolers

    rois = poolers._convert_to_roi_format(boxes)
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


def exchanged_poolers() -> AbstractContextManager[Any]:
    """Inside, MultiScaleRoIAlign pools as networks do, if torchvision is there at all."""
    poolers = sys.modules.get("torchvision.ops.poolers")
    return nullcontext() if poolers is None else mock.patch.object(poolers, "_multiscale_roi_align", _levels)
