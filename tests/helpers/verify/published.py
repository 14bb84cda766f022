"""Published architectures, small: torch's originals, and ours beside them with the places where a bug is planted.

Every class of ours takes the bug as an argument; without one it is right.
"""

from __future__ import annotations

from typing import Any

import torch
from helpers import originals

import trtnet
from trtnet import nn, ops
from trtnet.models.resnet import BasicBlock, resnet18


def seeded(make: Any, *args: Any, **kwargs: Any) -> torch.nn.Module:
    """A torch module whose weights, biases too, are random, and the same at each call."""
    torch.manual_seed(0)
    module = originals.randomize(make(*args, **kwargs))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
    return module


def resnet(bug: str = "") -> nn.Module:
    """The zoo's ResNet-18, which torchvision's and timm's weights fit, on a small image."""
    model = resnet18()
    model.inputs = {"x": trtnet.Input((1, 3, 64, 64))}
    if bug == "residual":
        model.layer2[1] = Unresidual(128, 128, 1, None)
    elif bug == "strides":
        model.layer2[0] = ExchangedStrides(64, 128, 2, model.layer2[0].downsample)
    elif bug == "padding":
        model.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=2, bias=False)
    elif bug == "eps":
        model.layer3[1].bn1 = nn.BatchNorm2d(256, eps=1e-3)
    return model


class Unresidual(BasicBlock):
    def forward(self, x: Any) -> Any:
        return ops.relu(self.bn2(self.conv2(ops.relu(self.bn1(self.conv1(x))))))


class ExchangedStrides(BasicBlock):
    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__(in_channels, channels, 1, downsample)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)


# MTCNN's proposal network (Zhang et al., 2016), as its PyTorch ports have it
class TorchPNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = torch.nn.Conv2d(3, 10, 3), torch.nn.PReLU(10)
        self.pool1 = torch.nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2, self.prelu2 = torch.nn.Conv2d(10, 16, 3), torch.nn.PReLU(16)
        self.conv3, self.prelu3 = torch.nn.Conv2d(16, 32, 3), torch.nn.PReLU(32)
        self.conv4_1, self.softmax4_1 = torch.nn.Conv2d(32, 2, 1), torch.nn.Softmax(1)
        self.conv4_2 = torch.nn.Conv2d(32, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_2(x), self.softmax4_1(self.conv4_1(x))


class PNet(nn.Module):
    inputs = {"x": trtnet.Input((2, 3, 27, 21))}

    def __init__(self, bug: str = "") -> None:
        self.bug = bug
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(3 if bug == "kernel" else 2, 2, ceil_mode=bug != "ceil_mode")
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3, stride=2 if bug == "stride" else 1), nn.PReLU(16)
        self.conv3 = nn.Conv2d(16, 32, 3, padding=int(bug == "padding"), dilation=2 if bug == "dilation" else 1)
        self.prelu3 = nn.PReLU(32)
        self.conv4_1, self.softmax4_1 = nn.Conv2d(32, 2, 1), nn.Softmax(3 if bug == "softmax" else 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        boxes, scores = self.conv4_2(x), self.softmax4_1(self.conv4_1(x))
        return (scores, boxes) if self.bug == "exchanged" else (boxes, scores)


class TorchPNetLast(TorchPNet):
    """With channels last, as its users take it."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        boxes, scores = super().forward(x)
        return boxes.permute(0, 2, 3, 1), scores[:, 1]


class PNetLast(PNet):
    def forward(self, x: Any) -> Any:
        boxes, scores = super().forward(x)
        boxes = boxes if self.bug == "permute" else boxes.permute(0, 2, 3, 1)
        return boxes, scores[:, 1:] if self.bug == "squeeze" else scores[:, 1]


# torchvision's SqueezeNet 1.1
class Fire(nn.Module):
    def __init__(self, channels: int, squeezed: int, expanded: int, bug: str) -> None:
        self.bug = bug
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeezed, expanded, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = ops.relu(self.squeeze(x))
        parts = [ops.relu(self.expand1x1(x)), ops.relu(self.expand3x3(x))]
        return ops.cat(parts[::-1] if self.bug == "concat" else parts, 1)


class SqueezeNet(nn.Module):
    inputs = {"x": trtnet.Input((1, 3, 65, 65))}

    def __init__(self, bug: str = "") -> None:
        self.bug = bug
        sizes = [(64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128)]
        sizes += [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
        fires = [Fire(*size, bug if i == 5 else "") for i, size in enumerate(sizes)]
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), *fires[:2],
            nn.MaxPool2d(3, 2, ceil_mode=True), *fires[2:4],
            nn.MaxPool2d(3, 2, ceil_mode=bug != "ceil_mode"), *fires[4:],
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, 1000, 1), nn.Identity() if bug == "relu" else nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, 1)),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        x = self.classifier(self.features(x))
        return x if self.bug == "flatten" else x.flatten(1)


# torchvision's ShuffleNet v2 x0.5
def shuffled(x: Any, groups: int) -> Any:
    batch, channels, height, width = x.shape
    return x.reshape(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(x.shape)


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int, bug: str) -> None:
        self.bug, self.stride, half = bug, stride, out // 2
        first = channels if stride > 1 else half

        def depthwise(width: int) -> list[nn.Module]:
            return [nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width)]

        def pointwise(width: int) -> list[nn.Module]:
            return [nn.Conv2d(width, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()]

        self.branch1 = nn.Sequential(*depthwise(channels), *pointwise(channels)) if stride > 1 else nn.Sequential()
        self.branch2 = nn.Sequential(*pointwise(first), *depthwise(half), *pointwise(half))

    def forward(self, x: Any) -> Any:
        left, right = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
        y = ops.cat([left, self.branch2(right)], 1)
        return shuffled(y, y.shape[1] // 2 if self.bug == "shuffle" else 2)


class ShuffleNet(nn.Module):
    inputs = {"x": trtnet.Input(("batch", 3, 64, 64))}

    def __init__(self, bug: str = "") -> None:
        relu = [nn.BatchNorm2d(24), nn.ReLU()]
        self.conv1, self.maxpool = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1, bias=False), *relu), nn.MaxPool2d(3, 2, 1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(
                InvertedResidual(before, out, 2, ""),
                *(InvertedResidual(out, out, 1, bug if name == i == 2 else "") for i in range(1, times)),
            )
            for name, before, out, times in ((2, 24, 48, 4), (3, 48, 96, 8), (4, 96, 192, 4))
        )
        self.conv5 = nn.Sequential(nn.Conv2d(192, 1024, 1, bias=False), nn.BatchNorm2d(1024), nn.ReLU())
        self.fc, self.bug = nn.Linear(1024, 1000), bug

    def forward(self, x: Any) -> Any:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.amax((2, 3)) if self.bug == "pooling" else x.mean((2, 3)))


# timm's VisionTransformer
def timm_vit() -> torch.nn.Module:
    originals.import_torchvision()
    from timm.models.vision_transformer import VisionTransformer

    return seeded(VisionTransformer, 32, 8, embed_dim=48, depth=2, num_heads=4, num_classes=7)


class TimmAttention(nn.Module):
    def __init__(self, bug: str) -> None:
        self.bug, self.num_heads = bug, 3 if bug == "heads" else 4
        self.qkv, self.proj = nn.Linear(48, 144, bias=bug != "bias"), nn.Linear(48, 48)

    def forward(self, x: Any) -> Any:
        q, k, v = (nn.split_heads(part, self.num_heads) for part in self.qkv(x).chunk(3, -1))
        if self.bug == "swapped":
            q, k = k, q
        return self.proj(nn.join_heads(ops.scaled_dot_product_attention(q, k, v)))


class TimmMlp(nn.Module):
    def __init__(self, bug: str) -> None:
        self.fc1, self.fc2 = nn.Linear(48, 192), nn.Linear(192, 48)
        self.act = nn.SiLU() if bug == "activation" else nn.GELU()

    def forward(self, x: Any) -> Any:
        return self.fc2(self.act(self.fc1(x)))


class TimmBlock(nn.Module):
    def __init__(self, bug: str) -> None:
        self.norm1, self.norm2 = nn.LayerNorm(48, eps=1e-6), nn.LayerNorm(48, eps=0.1 if bug == "eps" else 1e-6)
        self.attn, self.mlp, self.bug = TimmAttention(bug), TimmMlp(bug), bug

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.norm1(x))
        return self.mlp(self.norm2(x)) if self.bug == "residual" else x + self.mlp(self.norm2(x))


class TimmPatches(nn.Module):
    def __init__(self) -> None:
        self.proj = nn.Conv2d(3, 48, 8, 8)

    def forward(self, x: Any) -> Any:
        return self.proj(x).flatten(2).transpose(1, 2)


class TimmViT(nn.Module):
    inputs = {"x": trtnet.Input((2, 3, 32, 32))}

    def __init__(self, bug: str = "") -> None:
        self.patch_embed, self.bug = TimmPatches(), bug
        self.cls_token, self.pos_embed = nn.Parameter(1, 1, 48), nn.Parameter(1, 17, 48)
        self.blocks = nn.Sequential(TimmBlock(""), TimmBlock(bug))
        self.norm, self.head = nn.LayerNorm(48, eps=1e-6), nn.Linear(48, 7)

    def forward(self, x: Any) -> Any:
        patches = self.patch_embed(x)
        x = ops.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches], 1) + self.pos_embed
        x = self.norm(self.blocks(x))
        if self.bug == "first row":
            x = ops.cat([x[:1], x[:1]], 0)
        return self.head(x[:, 1:].mean(1) if self.bug == "token" else x[:, 0])


# a recognizer of text (Shi et al., "CRNN", 2015), greedily decoded
class TorchCRNN(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cnn = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(inplace=True))
        self.rnn = torch.nn.LSTM(64, 12, bidirectional=True)
        self.embedding = torch.nn.Linear(24, 11)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.cnn(x).flatten(1, 2).permute(2, 0, 1)
        scores = self.embedding(self.rnn(y)[0])
        return scores, scores.argmax(2)


class CRNN(nn.Module):
    inputs = {"x": trtnet.Input((2, 1, 8, 9))}

    def __init__(self, bug: str = "") -> None:
        self.bug = bug
        self.cnn = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.rnn, self.embedding = nn.LSTM(64, 12, bidirectional=True), nn.Linear(24, 11)

    def forward(self, x: Any) -> Any:
        y = self.cnn(x)
        y = (y.transpose(1, 2) if self.bug == "order" else y).flatten(1, 2).permute(2, 0, 1)
        scores = self.embedding(self.rnn(y)[0])
        best = scores.argmax(2)
        if self.bug == "blank":
            best = best + 1
        return (scores.transpose(0, 1) if self.bug == "batch first" else scores), best


# torchvision's ASPP of DeepLab v3 (Chen et al., 2017)
def torch_aspp() -> torch.nn.Module:
    vision = originals.import_torchvision()
    return seeded(vision.models.segmentation.deeplabv3.ASPP, 8, [2, 3, 4], 6)


class ASPPPooling(nn.Sequential):
    def forward(self, x: Any) -> Any:
        size = x.shape[-2:]
        for part in self:
            x = part(x)
        return ops.interpolate(x, size, mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    inputs = {"x": trtnet.Input((1, 8, 13, 15))}

    def __init__(self, bug: str = "") -> None:
        def branch(*convolution: Any, **settings: Any) -> list[nn.Module]:
            return [nn.Conv2d(8, 6, *convolution, bias=False, **settings), nn.BatchNorm2d(6), nn.ReLU()]

        rates = [{"padding": rate, "dilation": rate} for rate in (2, 2 if bug == "rate" else 3, 4)]
        self.convs = nn.ModuleList(
            [
                nn.Sequential(*branch(1)),
                *(nn.Sequential(*branch(3, **rate)) for rate in rates),
                ASPPPooling(nn.AdaptiveAvgPool2d(1), *branch(1)),
            ]
        )
        self.project = nn.Sequential(nn.Conv2d(30, 6, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5))

    def forward(self, x: Any) -> Any:
        return self.project(ops.cat([conv(x) for conv in self.convs], 1))
