"""PP-OCRv6's networks in torch, as they are deployed, small: their architecture written anew; rapidocr's names."""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from helpers.comparing import relative_l2
from helpers.originals import randomize
from helpers.parts import Parts
from torch import Tensor, nn
from torch.nn import functional

from trtnet import models

LEVELS, NECK = (8, 12, 16, 24), 16
COLUMNS, DIMS, HEADS, CLASSES = (8, 12, 16), 12, 2, 11
PAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
COARSE = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
TEXTS = torch.nn.functional.interpolate(COARSE, (48, 64))
SIZES: dict[str, dict[str, Any]] = {
    "detector": {"channels": LEVELS, "neck_channels": NECK},
    "recognizer": {
        "channels": COLUMNS, "dims": DIMS, "heads": HEADS, "num_classes": CLASSES,
    },
}  # fmt: skip
IMAGES = {"detector": PAGES, "recognizer": TEXTS}


def relu(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    """Convolutions of an even size look at the right and below, as "SAME_UPPER" in ONNX."""

    def call(m: Any, x: Tensor) -> Tensor:
        even = functional.pad(x, (0, 1, 0, 1)) if kernel == 2 else x
        return torch.relu(m.conv(even))

    return Parts(call, conv=nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2))


def stem(after: int) -> nn.Module:
    def call(m: Any, image: Tensor) -> Tensor:
        x = m.stem1(image)
        below = functional.pad(x, (0, 1, 0, 1), value=float("-inf"))
        y = m.stem2b(m.stem2a(x))
        return m.stem4(m.stem3(torch.cat([functional.max_pool2d(below, 2, 1), y], 1)))

    half = after // 2
    return Parts(
        call, stem1=relu(3, half, 3, 2), stem2a=relu(half, half // 2, 2), stem2b=relu(half // 2, half, 2),
        stem3=relu(after, half, 3, 2), stem4=relu(half, after, 1),
    )  # fmt: skip


def gate(channels: int, slope: float | None = None) -> nn.Module:
    def call(m: Any, x: Tensor) -> Tensor:
        y = m.conv2(torch.relu(m.conv1(functional.adaptive_avg_pool2d(x, 1))))
        return x * (functional.hardsigmoid(y) if slope is None else (y * slope + 0.5).clip(0, 1))

    return Parts(call, conv1=nn.Conv2d(channels, channels // 4, 1), conv2=nn.Conv2d(channels // 4, channels, 1))


def block(before: int, after: int, stride: Any, gated: bool) -> nn.Module:
    same = before == after and stride == 1
    depthwise = nn.Conv2d(before, before, 3, stride, 1, groups=before)
    token = nn.Sequential()
    if same:
        token.add_module("rep_dw", Parts(lambda m, x: m.reparam_conv(x), reparam_conv=depthwise))
    else:
        token.add_module("dw_conv", depthwise)
    if gated:
        token.add_module("se", gate(before))
    channel = nn.Sequential()
    channel.add_module("expand", nn.Conv2d(before, 2 * before, 1))
    channel.add_module("act", nn.GELU())
    channel.add_module("compress", nn.Conv2d(2 * before, after, 1))

    def call(m: Any, x: Tensor) -> Tensor:
        y = m.token_mixer(x)
        return m.channel_mixer(y) + (y if same else 0)

    return Parts(call, token_mixer=token, channel_mixer=channel)


def detector() -> nn.Module:
    a, b, c, d = LEVELS

    def last(channels: int) -> list[nn.Module]:
        return [block(channels, channels, 1, True), block(channels, channels, 1, False)]

    backbone = Parts(
        lambda m, x: x, stem=stem(a), blocks_s1=nn.Sequential(*last(a)),
        blocks_s2=nn.Sequential(block(a, b, 2, False), *last(b)),
        blocks_s3=nn.Sequential(block(b, c, 2, False), *last(c), *last(c)),
        blocks_s4=nn.Sequential(block(c, d, 2, False), *last(d)),
    )  # fmt: skip
    return Parts(find, backbone=backbone, neck=neck(), head=Parts(lambda m, x: m.binarize(x), binarize=head()))


def find(m: Any, image: Tensor) -> Tensor:
    layers, x, levels = m.backbone, m.backbone.stem(image), []
    for stage in (layers.blocks_s1, layers.blocks_s2, layers.blocks_s3, layers.blocks_s4):
        x = stage(x)
        levels.append(x)
    return m.head(m.neck(levels))


def neck() -> nn.Module:
    def up(x: Tensor, times: int) -> Tensor:
        return x.repeat_interleave(times, 2).repeat_interleave(times, 3)

    def call(m: Any, levels: Any) -> Tensor:
        fourth, third, second, first = (m.ins_conv[i](levels[i]) for i in (3, 2, 1, 0))
        third = third + up(fourth, 2)
        second = second + up(third, 2)
        first = first + up(second, 2)
        found = []
        for i, x in ((3, fourth), (2, third), (1, second), (0, first)):
            y = m.inp_conv_pw[i](m.inp_conv_dw[i].lk_origin(x))
            found.append(up(y + m.inp_conv_se[i](y), 2**i))
        return torch.cat(found, 1)

    def level(before: int) -> nn.Module:
        modules = {"in_conv": nn.Conv2d(before, NECK, 1, bias=False), "se_block": gate(NECK, 0.2)}
        return Parts(lambda m, x: m.se_block(m.in_conv(x)) + m.in_conv(x), **modules)

    large = [nn.Conv2d(NECK, NECK, 7, 1, 3, groups=NECK) for _ in LEVELS]
    return Parts(
        call, ins_conv=nn.ModuleList(map(level, LEVELS)),
        inp_conv_dw=nn.ModuleList(Parts(lambda m, x: m.lk_origin(x), lk_origin=each) for each in large),
        inp_conv_pw=nn.ModuleList(nn.Conv2d(NECK, NECK // 4, 1, bias=False) for _ in LEVELS),
        inp_conv_se=nn.ModuleList(gate(NECK // 4, 0.2) for _ in LEVELS),
    )  # fmt: skip


def head() -> nn.Module:
    inside = NECK // 4
    up = nn.ConvTranspose2d(inside, inside, 2, 2), nn.ConvTranspose2d(inside, 1, 2, 2)

    def call(m: Any, x: Tensor) -> Tensor:
        return m.conv3(m.conv2(m.conv1(x).relu()).relu()).sigmoid().squeeze(1)

    return Parts(call, conv1=nn.Conv2d(NECK, inside, 3, 1, 1), conv2=up[0], conv3=up[1])


def recognizer() -> nn.Module:
    a, b, c = COLUMNS
    low = (2, 1)
    backbone = nn.Sequential()
    backbone.add_module("conv1", stem(a))
    backbone.add_module("blocks2", nn.Sequential(block(a, a, 1, True)))
    backbone.add_module("blocks3", nn.Sequential(block(a, a, 1, False), block(a, a, 1, False)))
    wide = [block(b, b, 1, i % 2 == 0) for i in range(6)]
    backbone.add_module("blocks4", nn.Sequential(block(a, b, low, False), *wide))
    deep = [block(c, c, 1, True), block(c, c, 1, False)]
    backbone.add_module("blocks5", nn.Sequential(block(b, c, low, False), *deep))
    texts = Parts(
        lambda m, x: m.ctc_head.fc(m.ctc_encoder.encoder(x)),
        ctc_encoder=nn.ModuleDict({"encoder": encoder(c)}),
        ctc_head=nn.ModuleDict({"fc": nn.Linear(DIMS, CLASSES)}),
    )
    call = lambda m, x: m.head(functional.avg_pool2d(m.backbone(x), (3, 2)))  # noqa: E731
    return Parts(call, backbone=backbone, head=texts)


def encoder(channels: int) -> nn.Module:
    def narrow() -> nn.Module:
        modules = {"conv": nn.Conv2d(channels, DIMS, 1, bias=False), "norm": nn.BatchNorm2d(DIMS)}
        return Parts(lambda m, x: functional.silu(m.norm(m.conv(x))), **modules)

    def call(m: Any, x: Tensor) -> Tensor:
        kept = m.skip_conv(x)
        y = m.conv_reduce(x)
        states = (y + m.local_conv(y)).squeeze(2).permute(0, 2, 1)
        return m.norm(m.svtr_block(states)) + kept.squeeze(2).permute(0, 2, 1)

    local = nn.Conv2d(DIMS, DIMS, (1, 7), padding=(0, 3), groups=DIMS, bias=False)
    return Parts(
        call, skip_conv=narrow(), conv_reduce=narrow(),
        local_conv=nn.Sequential(local, nn.BatchNorm2d(DIMS), nn.SiLU()),
        svtr_block=nn.Sequential(attention_block(), attention_block()), norm=nn.LayerNorm(DIMS, eps=1e-6),
    )  # fmt: skip


def attention_block() -> nn.Module:
    def attend(m: Any, x: Tensor) -> Tensor:
        batch, places, _ = x.shape
        query, key, value = m.qkv(x).view(batch, places, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = (query @ key.mT / sqrt(DIMS // HEADS)).softmax(-1) @ value
        return m.proj(seen.transpose(1, 2).reshape(x.shape))

    def call(m: Any, x: Tensor) -> Tensor:
        x = x + m.mixer(m.norm1(x))
        return x + m.mlp(m.norm2(x))

    mixer = Parts(attend, qkv=nn.Linear(DIMS, 3 * DIMS), proj=nn.Linear(DIMS, DIMS))
    layers = {"fc1": nn.Linear(DIMS, 2 * DIMS), "fc2": nn.Linear(2 * DIMS, DIMS)}
    mlp = Parts(lambda m, x: m.fc2(functional.silu(m.fc1(x))), **layers)
    return Parts(call, norm1=nn.LayerNorm(DIMS), mixer=mixer, norm2=nn.LayerNorm(DIMS), mlp=mlp)


def both(kind: str) -> tuple[Any, torch.nn.Module]:
    """(ours, the one in torch with random weights under which images matter)."""
    torch.manual_seed(0)
    original = randomize((detector if kind == "detector" else recognizer)())
    with torch.no_grad():
        for name, weight in original.named_parameters():
            weight *= 0.3 if name.endswith(("compress.weight", "binarize.conv3.weight")) else 1.0
        if kind == "recognizer":  # no class is likelier everywhere
            original.head.ctc_head.fc.bias -= original(TEXTS).mean((0, 1))
    first, second = run(original, IMAGES[kind]).flatten(1)
    assert relative_l2(first, second) > 0.05
    return getattr(models, f"pp_ocr_{kind}")(**SIZES[kind]), original


def run(model: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(image)
        return found
