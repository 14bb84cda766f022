"""YOLOv8n and YOLO11n in torch: their published architectures, layer by layer, written anew; ultralytics' names."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import torch
from helpers.definition.published import randomize
from helpers.parts import Parts
from torch import Tensor, nn

import trtnet
from trtnet.models.yolo import YOLO

SIZE = {"num_classes": 5, "height": 64, "width_pixels": 96}
IMAGES = torch.rand(8, 3, 64, 96, generator=torch.Generator().manual_seed(0))
IMAGE = IMAGES[:1]


class Dense(trtnet.nn.Module):
    """All boxes and scores."""

    def __init__(self, model: YOLO) -> None:
        self.model, self.dense, self.inputs = model.model, model.dense, model.inputs

    def forward(self, image: trtnet.Tensor) -> Any:
        return self.dense(image)


class Conv(nn.Module):
    def __init__(self, before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)
        self.act: nn.Module = nn.SiLU() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


def bottleneck(channels: int, inside: int, shortcut: bool) -> nn.Module:
    modules = {"cv1": Conv(channels, inside, 3), "cv2": Conv(inside, channels, 3)}
    return Parts(lambda m, x: m.cv2(m.cv1(x)) + (x if shortcut else 0), **modules)


def joined(before: int, after: int, inside: int, blocks: Iterable[nn.Module]) -> nn.Module:
    layers = nn.ModuleList(blocks)

    def call(m: Any, x: Tensor) -> Tensor:
        first, last = m.cv1(x).split(inside, 1)
        found = [first, last]
        for block in m.m:
            last = block(last)
            found.append(last)
        return m.cv2(torch.cat(found, 1))

    wide = (2 + len(layers)) * inside
    return Parts(call, cv1=Conv(before, 2 * inside), cv2=Conv(wide, after), m=layers)


def c2f(before: int, after: int, count: int, shortcut: bool) -> nn.Module:
    return joined(before, after, after // 2, (bottleneck(after // 2, after // 2, shortcut) for _ in range(count)))


def c3k(channels: int) -> nn.Module:
    half = channels // 2
    inner = nn.Sequential(bottleneck(half, half, True), bottleneck(half, half, True))
    modules = {"cv1": Conv(channels, half), "cv2": Conv(channels, half), "cv3": Conv(channels, channels), "m": inner}
    return Parts(lambda m, x: m.cv3(torch.cat((m.m(m.cv1(x)), m.cv2(x)), 1)), **modules)


def c3k2(before: int, after: int, nested: bool, divisor: int = 2) -> nn.Module:
    inside = after // divisor
    return joined(before, after, inside, [c3k(inside) if nested else bottleneck(inside, inside // 2, True)])


def sppf(channels: int) -> nn.Module:
    def call(m: Any, x: Tensor) -> Tensor:
        y = m.cv1(x)
        wider = [nn.functional.max_pool2d(y, size, 1, size // 2) for size in (5, 9, 13)]
        return m.cv2(torch.cat((y, *wider), 1))

    return Parts(call, cv1=Conv(channels, channels // 2), cv2=Conv(2 * channels, channels))


def attention(channels: int) -> nn.Module:
    heads = max(1, channels // 64)
    width = channels // heads
    narrow = width // 2

    def call(m: Any, x: Tensor) -> Tensor:
        found = []
        by_head = m.qkv(x).flatten(2).chunk(heads, 1)
        for query, key, value in (each.split((narrow, narrow, width), 1) for each in by_head):
            scores = torch.einsum("bcq,bck->bqk", query, key) / sqrt(narrow)
            found.append((torch.einsum("bqk,bck->bcq", scores.softmax(2), value), value))
        seen, values = (torch.cat(parts, 1).view_as(x) for parts in zip(*found, strict=True))
        return m.proj(seen + m.pe(values))

    mixed = channels + 2 * heads * narrow
    return Parts(
        call, qkv=Conv(channels, mixed, act=False), proj=Conv(channels, channels, act=False),
        pe=Conv(channels, channels, 3, groups=channels, act=False),
    )  # fmt: skip


def c2psa(channels: int) -> nn.Module:
    half = channels // 2

    def attend(m: Any, x: Tensor) -> Tensor:
        y = x + m.attn(x)
        return y + m.ffn(y)

    def call(m: Any, x: Tensor) -> Tensor:
        kept, seen = m.cv1(x).split(half, 1)
        return m.cv2(torch.cat((kept, m.m(seen)), 1))

    forward = nn.Sequential(Conv(half, channels), Conv(channels, half, act=False))
    block = Parts(attend, attn=attention(half), ffn=forward)
    return Parts(call, cv1=Conv(channels, channels), cv2=Conv(channels, channels), m=nn.Sequential(block))


class Detect(nn.Module):
    """Three levels -> [batch, 4 + classes, places]: middle and size of boxes, scores."""

    def __init__(self, channels: tuple[int, ...], classes: int, light: bool):
        super().__init__()
        wide = max(channels[0], min(classes, 100))

        def plain(before: int, inside: int, after: int) -> nn.Module:
            return nn.Sequential(Conv(before, inside, 3), Conv(inside, inside, 3), nn.Conv2d(inside, after, 1))

        def separable(before: int) -> nn.Module:
            return nn.Sequential(Conv(before, before, 3, groups=before), Conv(before, wide))

        def scores(before: int) -> nn.Module:
            if not light:
                return plain(before, wide, classes)
            return nn.Sequential(separable(before), separable(wide), nn.Conv2d(wide, classes, 1))

        self.cv2 = nn.ModuleList(plain(each, 64, 64) for each in channels)
        self.cv3 = nn.ModuleList(scores(each) for each in channels)
        self.dfl = nn.ModuleDict({"conv": nn.Conv2d(16, 1, 1, bias=False)})
        self.dfl["conv"].weight.data = torch.arange(16.0).view(1, 16, 1, 1)

    def forward(self, *levels: Tensor) -> Tensor:
        found = []
        for x, sides, kinds, stride in zip(levels, self.cv2, self.cv3, (8, 16, 32), strict=True):
            batch, _, height, width = x.shape
            bins = sides(x).view(batch, 4, 16, height, width).softmax(2)
            left, top, right, bottom = torch.einsum("bsnhw,n->sbhw", bins, self.dfl["conv"].weight.flatten())
            rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            middle = [columns + (right - left) / 2, rows + (bottom - top) / 2]
            box = torch.stack([*middle, left + right, top + bottom], 1) * stride
            found.append(torch.cat((box, kinds(x).sigmoid()), 1).flatten(2))
        return torch.cat(found, 2)


class Network(nn.Module):
    """Layers, each with the numbers of those that it is given: -1 for the last one."""

    def __init__(self, layers: list[tuple[tuple[int, ...], nn.Module]]):
        super().__init__()
        self.sources = [sources for sources, _ in layers]
        self.model = nn.ModuleList(layer for _, layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        found: list[Tensor] = [x]
        for sources, layer in zip(self.sources, self.model, strict=True):
            given = [found[-1 if source == -1 else source + 1] for source in sources]
            found.append(layer(*given) if len(given) == 1 or isinstance(layer, Detect) else torch.cat(given, 1))
        return found[-1]


ABOVE = (-1,)


def _up() -> tuple[tuple[int, ...], nn.Module]:
    return ABOVE, nn.Upsample(scale_factor=2)


def _with(number: int) -> tuple[tuple[int, ...], nn.Module]:
    return (-1, number), nn.Identity()


def yolov8n(classes: int) -> nn.Module:
    backbone = [
        Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), c2f(32, 32, 1, True), Conv(32, 64, 3, 2), c2f(64, 64, 2, True),
        Conv(64, 128, 3, 2), c2f(128, 128, 2, True), Conv(128, 256, 3, 2), c2f(256, 256, 1, True), sppf(256),
    ]  # fmt: skip
    head = [
        _up(), _with(6), (ABOVE, c2f(384, 128, 1, False)), _up(), _with(4), (ABOVE, c2f(192, 64, 1, False)),
        (ABOVE, Conv(64, 64, 3, 2)), _with(12), (ABOVE, c2f(192, 128, 1, False)), (ABOVE, Conv(128, 128, 3, 2)),
        _with(9), (ABOVE, c2f(384, 256, 1, False)), ((15, 18, 21), Detect((64, 128, 256), classes, False)),
    ]  # fmt: skip
    return Network([*((ABOVE, layer) for layer in backbone), *head])


def yolo11n(classes: int) -> nn.Module:
    backbone = [
        Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), c3k2(32, 64, False, 4), Conv(64, 64, 3, 2), c3k2(64, 128, False, 4),
        Conv(128, 128, 3, 2), c3k2(128, 128, True), Conv(128, 256, 3, 2), c3k2(256, 256, True), sppf(256), c2psa(256),
    ]  # fmt: skip
    head = [
        _up(), _with(6), (ABOVE, c3k2(384, 128, False)), _up(), _with(4), (ABOVE, c3k2(256, 64, False)),
        (ABOVE, Conv(64, 64, 3, 2)), _with(13), (ABOVE, c3k2(192, 128, False)), (ABOVE, Conv(128, 128, 3, 2)),
        _with(10), (ABOVE, c3k2(384, 256, True)), ((16, 19, 22), Detect((64, 128, 256), classes, True)),
    ]  # fmt: skip
    return Network([*((ABOVE, layer) for layer in backbone), *head])


def randomized(original: torch.nn.Module) -> torch.nn.Module:
    """Random, with batch norms that have seen images."""
    torch.manual_seed(0)
    for module in original.modules():
        if isinstance(module, torch.nn.Conv2d) and module.out_channels > 1:
            module.reset_parameters()
    randomize(original, {"image": IMAGES}, by_name=False)
    return original


def published(name: str) -> torch.nn.Module:
    return randomized({"yolov8n": yolov8n, "yolo11n": yolo11n}[name](SIZE["num_classes"]))
