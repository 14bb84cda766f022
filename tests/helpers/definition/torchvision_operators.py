"""torchvision's compiled operators beside a CPU build of torch: the published formulas in their places."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from helpers.originals import import_torchvision
from ops.searching import meanings
from torch import library

SCHEMAS = {
    "roi_align": "(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width,"
    " int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool": "(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width)"
    " -> (Tensor, Tensor)",
    "deform_conv2d": "(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h,"
    " int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups,"
    " bool use_mask) -> Tensor",
}
KEPT: list[Any] = []
"""Declarations live as long as their library object."""


def with_operators(monkeypatch: pytest.MonkeyPatch) -> Any:
    """torchvision, whose operators are there, compiled or not."""
    torchvision = import_torchvision()
    if torchvision.extension._has_ops():
        return torchvision
    if not KEPT:
        _declare()
    for module in ("torchvision.extension", "torchvision.ops.roi_align"):
        monkeypatch.setattr(sys.modules[module], "_has_ops", lambda: True)
    return torchvision


def _declare() -> None:
    declared = library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        declared.define(f"{name}{schema}")
    declared.impl("nms", _nms, "CPU")
    declared.impl("roi_align", _roi_align, "CPU")
    declared.impl("deform_conv2d", _deform_conv2d, "CPU")
    KEPT.append(declared)


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    kept, count = meanings.nms(boxes, scores, iou_threshold, len(boxes))
    return kept[: int(count)]


def _roi_align(
    x: Any, boxes: Any, scale: float, rows: int, columns: int, sampling_ratio: int, aligned: bool
) -> torch.Tensor:
    """As the compiled one. torchvision's own substitute in Python does not leave out what is far outside."""
    return meanings.roi_align(x, boxes, (rows, columns), scale, sampling_ratio, aligned)


def _deform_conv2d(x: Any, weight: Any, offset: Any, mask: Any, bias: Any, *numbers: Any) -> torch.Tensor:
    pairs, use_mask = (numbers[0:2], numbers[2:4], numbers[4:6]), numbers[-1]
    return meanings.deform_conv2d(x, offset, weight, bias, *pairs, mask=mask if use_mask else None)
