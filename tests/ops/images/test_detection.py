"""Boxes, mixtures of experts, and layers that only some backends build."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import network_of, random_tensor, relative_l2

import trtnet
from trtnet import ops
from trtnet.support import backend
from trtnet.support.errors import LayerError

BOXES = {"boxes": trtnet.Input(("n", 4)), "scores": trtnet.Input(("n",))}


def boxes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator) * 10
    return torch.cat([corner, corner + 1 + torch.rand(n, 2, generator=generator) * 5], 1), torch.rand(
        n, generator=generator
    )


def greedy(box: torch.Tensor, scores: torch.Tensor, threshold: float) -> list[int]:
    """torchvision's nms, written down."""
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        low, high = torch.maximum(box[i, :2], box[kept, :2]), torch.minimum(box[i, 2:], box[kept, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        if not bool((shared / (area[i] + area[kept] - shared) > threshold).any()):
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_nms_keeps_what_torchvision_keeps(threshold: float) -> None:
    network = network_of(lambda b, s: dict(zip(("kept", "count"), ops.nms(b, s, threshold, 12), strict=True)), BOXES)
    reference = network.reference()
    for n in (1, 8, 30):
        box, scores = boxes(n, n)
        found, wanted = reference(box, scores), greedy(box, scores, threshold)[:12]
        assert found["kept"][: len(wanted)].tolist() == wanted
        assert int(found["count"]) == len(wanted) and (found["kept"][len(wanted) :] == -1).all()
    network.build({"n": (1, 8, 30)})


def test_nms_leaves_out_scores_that_are_no_numbers_and_takes_the_first_of_equal_ones() -> None:
    box = torch.tensor([[0, 0, 4, 4]] * 3 + [[9, 9, 12, 12]] * 3, dtype=torch.float32)
    network = network_of(lambda b, s: dict(zip(("kept", "count"), ops.nms(b, s, 0.5, 4), strict=True)), BOXES)
    nan, gone = float("nan"), float("-inf")
    for scores, kept in (
        ([nan, 0.5, 0.7, 0.3, nan, 0.3], [2, 3]), ([0.5] * 6, [0, 3]), ([nan, gone] * 3, []), ([gone] * 6, []),
        ([-1.0, -2.0, gone, gone, -3.0, nan], [0, 4]),
    ):  # fmt: skip
        found = network.reference()(box, torch.tensor(scores))
        assert found["kept"].tolist() == [*kept, -1, -1, -1, -1][:4] and int(found["count"]) == len(kept)


@pytest.mark.parametrize(
    ("boxes", "scores", "dtype", "most", "text"),
    [
        ((3, 5), (3,), "float32", 2, r"nms takes boxes \[n, 4\] and scores \[n\], floating, of at least one box"),
        ((1, 3, 4), (3,), "float32", 2, "nms takes boxes"),
        ((3, 4), (1, 3), "float32", 2, "nms takes boxes"),
        ((3, 4), (3,), "int32", 2, "nms takes boxes"),
        ((0, 4), (0,), "float32", 2, "nms takes boxes .* of at least one box"),
        ((3, 4), (3,), "float32", 2.5, "max_output_boxes is a whole number of at least 0, or a Dim"),
        ((3, 4), (3,), "float32", -1, "max_output_boxes is a whole number"),
    ],
)
def test_what_is_no_boxes(boxes: Any, scores: Any, dtype: str, most: Any, text: str) -> None:
    inputs = {"b": trtnet.Input(boxes, dtype), "s": trtnet.Input(scores, dtype)}
    with pytest.raises(LayerError, match=text):
        network_of(lambda b, s: ops.nms(b, s, 0.5, most)[0], inputs)


def test_batched_nms_keeps_boxes_of_other_classes() -> None:
    inputs = BOXES | {"classes": trtnet.Input(("n",), "int64")}
    network = network_of(lambda b, s, c: ops.batched_nms(b, s, c, 0.3, 9)[0], inputs)
    for n in (1, 8, 30):
        box, scores = boxes(n, n)
        classes = torch.arange(n) % 3
        kept = [places[i] for c in range(3) if len(places := (classes == c).nonzero()[:, 0].tolist())
                for i in greedy(box[classes == c], scores[classes == c], 0.3)]  # fmt: skip
        wanted = sorted(kept, key=lambda place: -float(scores[place]))[:9]
        found = network.reference()(box, scores, classes)
        assert found[: len(wanted)].tolist() == wanted and (found[len(wanted) :] == -1).all()
    network.build({"n": (1, 8, 30)})


def test_a_number_of_samples_that_depends_on_the_boxes_is_refused() -> None:
    shapes = {"x": trtnet.Input((1, 3, 8, 8)), "boxes": trtnet.Input(("n", 5))}
    with pytest.raises(LayerError, match=r"roi_align: with sampling_ratio=-1 .* give the number of samples"):
        network_of(lambda x, boxes: ops.roi_align(x, boxes, 2), shapes)


@pytest.mark.skipif(not backend.NO_KERNELS.get(backend.name()), reason="this backend builds them")
@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: ops.nonzero(x), r"nonzero: tensorrt_rtx has no kernels for NON_ZERO layers; use a mask"),
        (
            lambda x: ops.non_max_suppression(x[None], x[None, :, :1], 3)[0],
            r"non_max_suppression: tensorrt_rtx has no kernels for NMS layers; ops\.nms gives",
        ),
        (
            lambda x: ops.mixture_of_experts(x[None], x[None], x[None], x, x, x, fused=True),
            r"tensorrt_rtx has no kernels for MOE layers; leave out `fused`",
        ),
    ],
)
def test_layers_without_kernels_are_refused_with_what_to_do(function: Any, text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(function, {"x": trtnet.Input((5, 4))})


def test_the_layers_of_other_backends_are_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    network = network_of(lambda x: ops.nonzero(x > 0), {"x": trtnet.Input((3, 4))})
    x = random_tensor(3, 4)
    assert torch.equal(network.reference()(x), (x > 0).nonzero())
    network = network_of(lambda x: ops.nonzero(x > 0, as_tuple=True), {"x": trtnet.Input((3, 4))})
    assert all(map(torch.equal, network.reference()(x), (x > 0).nonzero(as_tuple=True)))

    def suppressed(box: Any, scores: Any) -> Any:
        return ops.non_max_suppression(box[None], scores[None, :, None], 5, 0.4)[0]

    network = network_of(suppressed, BOXES)
    box, scores = boxes(20, 1)
    assert network.reference()(box, scores)[:, 2].tolist() == greedy(box, scores, 0.4)[:5]


def test_experts_equal_the_fused_layer_and_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    shapes = {"x": ("n", 5, 8), "scores": ("n", 5, 2), "gate": (4, 8, 6), "up": (4, 8, 6), "down": (4, 6, 8)}
    inputs = {"experts": trtnet.Input(("n", 5, 2), "int32")} | {k: trtnet.Input(s) for k, s in shapes.items()}
    given = {
        k: random_tensor(*(2 if s == "n" else s for s in shape), seed=i) for i, (k, shape) in enumerate(shapes.items())
    }
    given["experts"] = torch.stack([torch.randperm(4)[:2] for _ in range(10)]).reshape(2, 5, 2).int()

    def mixed(fused: bool) -> Any:
        return lambda experts, x, scores, gate, up, down: ops.mixture_of_experts(
            x, experts, scores, gate, up, down, fused
        )

    wanted = torch.zeros(2, 5, 8)
    for b in range(2):
        for t in range(5):
            for expert, score in zip(given["experts"][b, t].tolist(), given["scores"][b, t], strict=True):
                x = given["x"][b, t]
                inner = torch.nn.functional.silu(x @ given["gate"][expert]) * (x @ given["up"][expert])
                wanted[b, t] += score * (inner @ given["down"][expert])
    for fused in (False, True):
        network = network_of(mixed(fused), inputs)
        assert relative_l2(network.reference()(**given), wanted) <= 1e-6
        if not fused:
            network.build({"n": (1, 2, 4)})
