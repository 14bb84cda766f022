"""Non-maximum suppression."""

from __future__ import annotations

import torch

from trtnet.reference.step import LayerFunction, Step


def nms(step: Step) -> list[torch.Tensor]:
    """[count, 3] of (batch, class, box) and the count: of each class the best boxes that overlap no better one.

    Within an image the better scores come first.
    """
    boxes, scores = step.input(0), step.input(1)
    most = int(step.input(2))
    overlap, least = (_scalar(step.optional(index), default) for index, default in ((3, 0.0), (4, float("-inf"))))
    corners = _corners(boxes, step.layer.bounding_box_format.name)
    rows: list[tuple[int, int, int]] = []
    for image in range(scores.shape[0]):
        found = []
        for kind in range(scores.shape[2]):
            own = corners[image, :, kind] if corners.ndim == 4 else corners[image]
            kept = _best(own, scores[image, :, kind], most, overlap, least, step.layer.topk_box_limit)
            found += [(float(scores[image, box, kind]), kind, box) for box in kept]
        rows += [(image, kind, box) for _, kind, box in sorted(found, key=lambda row: -row[0])]
    wanted = torch.int64 if step.layer.get_output(0).dtype.name == "INT64" else torch.int32
    return [torch.tensor(rows, dtype=wanted).reshape(-1, 3), torch.tensor(len(rows), dtype=torch.int32)]


def _scalar(x: torch.Tensor | None, default: float) -> float:
    return default if x is None else float(x)


def _corners(boxes: torch.Tensor, form: str) -> torch.Tensor:
    """(low, low, high, high) of each box, whichever of its corners were given, or of its centre and size."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if form == "CENTER_SIZES":
        first, second = first - second / 2, first + second / 2
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], -1)


def _best(
    boxes: torch.Tensor, scores: torch.Tensor, most: int, overlap: float, least: float, considered: int
) -> list[int]:
    order = [i for i in torch.argsort(scores, descending=True, stable=True).tolist() if scores[i] > least]
    kept: list[int] = []
    for i in order[:considered]:
        if len(kept) == most:
            break
        if all(_iou(boxes[i], boxes[j]) <= overlap for j in kept):
            kept.append(i)
    return kept


def _iou(a: torch.Tensor, b: torch.Tensor) -> float:
    """The area two boxes share, over the area of both."""
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    shared = float(sides.prod())
    both = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / both if both > 0 else 0.0


LAYERS: dict[str, LayerFunction] = {
    "NMS": nms,
}
