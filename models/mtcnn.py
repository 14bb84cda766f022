"""MTCNN (Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks", 2016).

From an image to faces in one network: the pyramid, three stages of ever fewer boxes, and the suppression of those that
overlap. Names and numbers are those of facenet-pytorch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source
from trtnet.support.configuration.ranges import check_ranges
from trtnet.support.errors import InputError

STRIDE, CELL = 2, 12
NOWHERE = float("-inf")


@dataclass(frozen=True)
class MTCNNConfig:
    """thresholds: the least probability of a face in each stage. factor: from a level of the pyramid to the next.

    considered: the most places of a level, the likeliest ones. candidates: the most boxes of the first stage.
    refined: of the second one. faces: the most results.
    Raises InputError for a value out of range, and for images that are smaller than a face.
    """

    height: int = 512
    width: int = 512
    min_face_size: int = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709
    considered: int = 512
    candidates: int = 512
    refined: int = 128
    faces: int = 32

    def __post_init__(self) -> None:
        counts = ("min_face_size", "considered", "candidates", "refined", "faces")
        check_ranges(self, {"factor": (0 < self.factor < 1, "above 0 and below 1")}, **dict.fromkeys(counts, 1))
        if min(self.height, self.width) < self.min_face_size:
            raise InputError(
                f"an image of {self.height} x {self.width} pixels holds no face of min_face_size={self.min_face_size}:"
                " enlarge it, or give a smaller min_face_size"
            )

    def scales(self) -> list[float]:
        """Of the levels of the pyramid, until the smaller side has fewer than 12 pixels."""
        found: list[float] = []
        scale = CELL / self.min_face_size
        while min(self.height, self.width) * CELL / self.min_face_size * self.factor ** len(found) >= CELL:
            found.append(scale)
            scale *= self.factor
        return found


class Net(nn.Module):
    """Convolutions, each with PReLU and, but the last of them, a pooling; then dense layers, and the heads."""

    def __init__(self, channels: list[int], kernels: list[int], pools: list[int], dense: int, heads: list[int]) -> None:
        self.count, self.pools = len(kernels), pools
        for i, kernel in enumerate(kernels):
            setattr(self, f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], kernel))
            setattr(self, f"prelu{i + 1}", nn.PReLU(channels[i + 1]))
        n = self.count + 1
        self.dense = f"dense{n}" if dense else ""
        if dense:
            setattr(self, self.dense, nn.Linear(dense, heads[0]))
            setattr(self, f"prelu{n}", nn.PReLU(heads[0]))
        self.heads = [f"{'dense' if dense else 'conv'}{n + bool(dense)}_{i + 1}" for i in range(len(heads) - 1)]
        for name, size in zip(self.heads, heads[1:], strict=True):
            setattr(self, name, nn.Linear(heads[0], size) if dense else nn.Conv2d(heads[0], size, 1))

    def forward(self, x: trtnet.Tensor) -> list[trtnet.Tensor]:
        for i in range(self.count):
            x = getattr(self, f"prelu{i + 1}")(getattr(self, f"conv{i + 1}")(x))
            if i < len(self.pools):
                x = ops.max_pool2d(x, self.pools[i], 2, ceil_mode=True)
        if self.dense:
            x = getattr(self, self.dense)(x.permute(0, 3, 2, 1).flatten(1))
            x = getattr(self, f"prelu{self.count + 1}")(x)
        likely, *rest = (getattr(self, name)(x) for name in self.heads)
        return [ops.softmax(likely, 1)[:, 1], *rest]


def averages(size: int, count: int) -> np.ndarray:
    """[count, size]: a matrix whose rows take means of neighbours, as torch's interpolate of mode "area" does."""
    begins, ends = np.arange(count) * size // count, -(-(np.arange(count) + 1) * size // count)
    places = np.arange(size)
    inside = (places >= begins[:, None]) & (places < ends[:, None])
    return (inside / (ends - begins)[:, None]).astype(np.float32)


def crop_averages(begin: trtnet.Tensor, end: trtnet.Tensor, size: int, count: int) -> trtnet.Tensor:
    """The same for parts: [n] int64 from `begin` up to `end` of `size` -> [n, count, size] float32."""
    length = (end - begin).clamp(min=1)[:, None]
    numbers = ops.arange(count)[None]
    begins = begin[:, None] + numbers * length // count
    ends = begin[:, None] + ((numbers + 1) * length + count - 1) // count
    places = ops.arange(size)
    inside = (places >= begins[..., None]) & (places < ends[..., None])
    return inside.float() / (ends - begins).float()[..., None]


class MTCNN(nn.Module):
    """image [height, width, 3], RGB from 0 to 255 -> boxes [faces, 4] of (x1, y1, x2, y2) in pixels, probabilities
    [faces], points [faces, 5, 2] (eyes, nose, mouth) and count [], how many of them are faces; the likeliest first.
    full [] bool: whether there were as many boxes as a stage takes (considered, candidates, refined, faces), so that
    faces may be missing, or be others than those of the original.
    """

    def __init__(self, config: MTCNNConfig) -> None:
        self.config = config
        self.inputs = {"image": trtnet.Input((config.height, config.width, 3))}
        self.pnet = Net([3, 10, 16, 32], [3, 3, 3], [2], 0, [32, 2, 4])
        self.rnet = Net([3, 28, 48, 64], [3, 3, 2], [3, 3], 576, [128, 2, 4])
        self.onet = Net([3, 32, 64, 64, 128], [3, 3, 3, 2], [3, 3, 2], 1152, [256, 2, 4, 10])

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        pixels, config = image.permute(2, 0, 1), self.config
        levels = [self.level(pixels, scale) for scale in config.scales()]
        numbers = ops.cat([ops.full((level[0].shape[0],), i, dtype="int64") for i, level in enumerate(levels)], 0)
        boxes, scores, moves, full = (ops.cat(parts, 0) for parts in zip(*levels, strict=True))
        boxes, scores, moves, first = suppressed(config.candidates, 0.5, boxes, scores, moves, numbers)
        boxes, scores, moves, _ = suppressed(config.candidates, 0.7, boxes, scores, moves)
        sides = boxes[:, 2:] - boxes[:, :2]
        boxes = square(boxes + moves * ops.cat([sides, sides], 1))

        likely, moves = self.rnet(self.crops(pixels, boxes, 24))
        scores = ops.where((scores > NOWHERE) & (likely > config.thresholds[1]), likely, NOWHERE)
        boxes, scores, moves, second = suppressed(config.refined, 0.7, boxes, scores, moves)
        boxes = square(moved(boxes, moves))

        likely, moves, points = self.onet(self.crops(pixels, boxes, 48))
        scores = ops.where((scores > NOWHERE) & (likely > config.thresholds[2]), likely, NOWHERE)
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        points = points.reshape(-1, 2, 5).transpose(1, 2) * sides[:, None] + boxes[:, None, :2] - 1
        chosen, left = self.apart(moved(boxes, moves), scores)
        kept, count = ops.clamp(chosen, min=0), (chosen >= 0).to("int64").sum()
        return {
            "boxes": moved(boxes, moves)[kept],
            "probabilities": scores[kept],
            "points": points[kept],
            "count": count,
            "full": ops.cat([full, first, second, left > NOWHERE], 0).any(),
        }

    def level(self, pixels: trtnet.Tensor, scale: float) -> tuple[trtnet.Tensor, ...]:
        """(boxes, scores, moves) of a level of the pyramid, and whether it may have more of them."""
        config = self.config
        rows, columns = (averages(n, int(n * scale + 1)) for n in (config.height, config.width))
        small = ops.matmul(ops.matmul(rows, pixels), columns.T)
        likely, moves = self.pnet(((small - 127.5) * 0.0078125).unsqueeze(0))
        width = likely.shape[2]
        places = likely.shape[1] * width
        best, place = ops.topk(likely.flatten(), min(config.considered, places))
        cell = ops.stack([place % width, place // width], 1).float() * STRIDE
        boxes = ops.cat([((cell + 1) / scale).floor(), ((cell + CELL) / scale).floor()], 1)
        scores = ops.where(best >= config.thresholds[0], best, NOWHERE)
        full = scores[-1:] > (NOWHERE if places > config.considered else float("inf"))
        return boxes, scores, moves[0].flatten(1).transpose(0, 1)[place], full

    def crops(self, pixels: trtnet.Tensor, boxes: trtnet.Tensor, size: int) -> trtnet.Tensor:
        """The boxes as images, [n, 3, size, size]."""
        low = (boxes[:, :2].trunc().to("int64") - 1).clamp(min=0)
        high = boxes[:, 2:].trunc().to("int64")
        rows = crop_averages(low[:, 1], high[:, 1].clamp(max=self.config.height), self.config.height, size)
        columns = crop_averages(low[:, 0], high[:, 0].clamp(max=self.config.width), self.config.width, size)
        found = ops.matmul(ops.matmul(rows.unsqueeze(1), pixels), columns.unsqueeze(1).transpose(2, 3))
        return (found - 127.5) * 0.0078125

    def apart(self, boxes: trtnet.Tensor, scores: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        """The likeliest boxes of which no two share 0.7 of the smaller one, [faces] int64; -1 after the last.

        And the scores of those that are left, -inf for the others.
        """
        areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
        places = ops.arange(boxes.shape[0])

        def step(left: trtnet.Tensor, _: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
            best = ops.argmax(left, 0, keepdim=True)
            here = ops.index_select(boxes, 0, best)
            sides = ops.minimum(boxes[:, 2:], here[:, 2:]) - ops.maximum(boxes[:, :2], here[:, :2]) + 1
            shared = sides.clamp(min=0).prod(1) / ops.minimum(areas, ops.index_select(areas, 0, best))
            found = ops.index_select(left, 0, best) > NOWHERE
            return ops.where((shared > 0.7) | (places == best), NOWHERE, left), ops.where(found, best, -1).reshape(())

        left, chosen = ops.scan(step, scores, ops.arange(self.config.faces))
        return chosen, left


def suppressed(
    most: int, overlap: float, boxes: trtnet.Tensor, scores: trtnet.Tensor, moves: trtnet.Tensor, levels: Any = None
) -> tuple[trtnet.Tensor, ...]:
    """(boxes, scores, moves) of the boxes that do not overlap a likelier one of their level; scores of -inf after them.

    And [1] bool, whether there may be more than `most`.
    """
    count = boxes.shape[0]
    if levels is None:
        chosen, _ = ops.nms(boxes, scores, overlap, min(most, count))
    else:
        chosen, _ = ops.batched_nms(boxes, scores, levels, overlap, min(most, count))
    here = ops.clamp(chosen, min=0)
    scores = ops.where(chosen >= 0, scores[here], NOWHERE)
    return boxes[here], scores, moves[here], scores[-1:] > (NOWHERE if count > most else float("inf"))


def moved(boxes: trtnet.Tensor, moves: trtnet.Tensor) -> trtnet.Tensor:
    """Boxes with their corners moved by parts of their sides."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + moves * ops.cat([sides, sides], 1)


def square(boxes: trtnet.Tensor) -> trtnet.Tensor:
    """Boxes with the shorter side made as long as the other one, around the same middle."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.amax(1, keepdim=True)
    corner = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return ops.cat([corner, corner + longest], 1)


def mtcnn(config: MTCNNConfig | Source | None = None, **fields: Any) -> MTCNN:
    """The detector of facenet-pytorch, for images of one size."""
    return MTCNN(OWN_NAMES.read(config, MTCNNConfig(), fields))
