"""PP-OCRv6 small (PaddleOCR team, 2026): where a page has text, and what a line of text says.

Weight names are those of rapidocr's PyTorch networks, as they are deployed: parallel convolutions are one, and batch
norms are in the convolutions before them, but for those of the recognizer's neck.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.ctc import collapsed
from trtnet.models.published import OWN_NAMES, Source


@dataclass(frozen=True)
class DetectorConfig:
    """channels: of the four levels. neck_channels: of each level before they are joined."""

    channels: tuple[int, int, int, int] = (48, 96, 192, 384)
    neck_channels: int = 96


@dataclass(frozen=True)
class RecognizerConfig:
    """channels: of the three levels. dims, depth, heads: of attention. num_classes: characters and the blank, 0."""

    num_classes: int = 18710
    channels: tuple[int, int, int] = (96, 192, 384)
    dims: int = 120
    depth: int = 2
    heads: int = 8
    image_height: int = 48


class ConvAct(nn.Module):
    """A convolution and ReLU. same: two pixels wide, the second of them below and to the right."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, same: bool = False) -> None:
        self.conv, self.same = nn.Conv2d(before, after, kernel, stride, 0 if same else kernel // 2), same

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.relu(self.conv(ops.pad(x, (0, 1, 0, 1)) if self.same else x))


class Stem(nn.Module):
    """A quarter of the height and width."""

    def __init__(self, after: int) -> None:
        inside = after // 2
        self.stem1 = ConvAct(3, inside, 3, 2)
        self.stem2a = ConvAct(inside, inside // 2, 2, same=True)
        self.stem2b = ConvAct(inside // 2, inside, 2, same=True)
        self.stem3, self.stem4 = ConvAct(2 * inside, inside, 3, 2), ConvAct(inside, after, 1)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x = self.stem1(image)
        largest = ops.max_pool2d(ops.pad(x, (0, 1, 0, 1)), 2, 1)  # after ReLU zeros change no maximum
        return self.stem4(self.stem3(ops.cat([largest, self.stem2b(self.stem2a(x))], 1)))


class Gate(nn.Module):
    """Each channel times a number between 0 and 1, computed from the means of all."""

    def __init__(self, channels: int, slope: float = 1 / 6) -> None:
        self.conv1, self.conv2 = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)
        self.slope = slope

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.conv2(ops.relu(self.conv1(x.mean((2, 3), keepdim=True))))
        return x * ops.clamp(y * self.slope + 0.5, 0, 1)


class Block(nn.Module):
    """A depthwise convolution, a gate or none, and two linear layers over channels, beside a shortcut if sizes stay."""

    def __init__(self, before: int, after: int, stride: int | tuple[int, int], gated: bool) -> None:
        self.keeps = before == after and stride == 1
        conv = nn.Conv2d(before, before, 3, stride, 1, groups=before)
        spatial = {"rep_dw": nn.Sequential({"reparam_conv": conv})} if self.keeps else {"dw_conv": conv}  # three as one
        self.token_mixer = nn.ModuleDict({**spatial, **({"se": Gate(before)} if gated else {})})
        layers = {"expand": nn.Conv2d(before, 2 * before, 1), "compress": nn.Conv2d(2 * before, after, 1)}
        self.channel_mixer = nn.ModuleDict(layers)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        for layer in self.token_mixer.values():
            x = layer(x)
        y = self.channel_mixer["compress"](ops.gelu(self.channel_mixer["expand"](x)))
        return x + y if self.keeps else y


def stage(before: int, after: int, stride: int | tuple[int, int], gates: str) -> nn.Sequential:
    """Blocks, of which the first one changes the size. gates: "+" for a block with a gate, "-" for one without."""
    first = [Block(before, after, stride, gates[0] == "+")]
    return nn.Sequential(*first, *(Block(after, after, 1, gate == "+") for gate in gates[1:]))


class Level(nn.Module):
    """A level's channels to those of the neck, plus the same through a gate."""

    def __init__(self, before: int, after: int) -> None:
        self.in_conv, self.se_block = nn.Conv2d(before, after, 1, bias=False), Gate(after, 0.2)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.in_conv(x)
        return y + self.se_block(y)


class Neck(nn.Module):
    """Four levels, each added to the next larger one, joined at the largest size."""

    def __init__(self, levels: tuple[int, ...], channels: int) -> None:
        self.ins_conv = nn.ModuleList(Level(each, channels) for each in levels)
        wide = (nn.Conv2d(channels, channels, 7, padding=3, groups=channels) for _ in levels)
        self.inp_conv_dw = nn.ModuleList(nn.Sequential({"lk_origin": conv}) for conv in wide)  # parallel ones as one
        self.inp_conv_pw = nn.ModuleList(nn.Conv2d(channels, channels // 4, 1, bias=False) for _ in levels)
        self.inp_conv_se = nn.ModuleList(Gate(channels // 4, 0.2) for _ in levels)

    def forward(self, levels: list[trtnet.Tensor]) -> trtnet.Tensor:
        found, above = [], None
        for i in reversed(range(len(levels))):
            x = self.ins_conv[i](levels[i])
            above = x if above is None else x + ops.interpolate(above, scale_factor=2)
            y = self.inp_conv_pw[i](self.inp_conv_dw[i](above))
            y = y + self.inp_conv_se[i](y)
            found.append(ops.interpolate(y, scale_factor=2**i) if i else y)
        return ops.cat(found, 1)


class Head(nn.Module):
    """[batch, channels, height / 4, width / 4] -> probabilities [batch, 1, height, width]."""

    def __init__(self, channels: int) -> None:
        inside = channels // 4
        self.conv1 = nn.Conv2d(channels, inside, 3, padding=1)
        self.conv2, self.conv3 = nn.ConvTranspose2d(inside, inside, 2, 2), nn.ConvTranspose2d(inside, 1, 2, 2)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.sigmoid(self.conv3(ops.relu(self.conv2(ops.relu(self.conv1(x))))))


class Detector(nn.Module):
    """image [batch, 3, height, width], blue, green, red from -1 to 1, sizes that 32 divides -> probabilities [batch,
    height, width] that a pixel is inside a line of text.
    """

    inputs = {"image": trtnet.Input(("batch", 3, "height", "width"))}

    def __init__(self, config: DetectorConfig) -> None:
        a, b, c, d = config.channels
        stages = {"blocks_s1": stage(a, a, 1, "+-"), "blocks_s2": stage(a, b, 2, "-+-")}
        stages |= {"blocks_s3": stage(b, c, 2, "-+-+-"), "blocks_s4": stage(c, d, 2, "-+-")}
        self.backbone = nn.ModuleDict({"stem": Stem(a), **stages})
        self.neck = Neck(config.channels, config.neck_channels)
        self.head = nn.ModuleDict({"binarize": Head(config.neck_channels)})

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        levels = [image]
        for layer in self.backbone.values():
            levels.append(layer(levels[-1]))
        return {"probabilities": self.head["binarize"](self.neck(levels[2:]))[:, 0]}


class ConvNorm(nn.Module):
    """A convolution of one pixel, its norm and SiLU."""

    def __init__(self, before: int, after: int) -> None:
        self.conv, self.norm = nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.silu(self.norm(self.conv(x)))


class Attention(nn.Module):
    """Each place looks at all."""

    def __init__(self, width: int, heads: int) -> None:
        self.qkv, self.proj, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        query, key, value = (nn.split_heads(part, self.heads) for part in self.qkv(x).chunk(3, -1))
        return self.proj(nn.join_heads(ops.scaled_dot_product_attention(query, key, value)))


class AttentionBlock(nn.Module):
    """Attention and two linear layers, each after a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        self.norm1, self.mixer = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 2 * width), "fc2": nn.Linear(2 * width, width)})

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp["fc2"](ops.silu(self.mlp["fc1"](self.norm2(x))))


class LightSVTR(nn.Module):
    """Columns [batch, channels, 1, places] to states [batch, places, dims]."""

    def __init__(self, channels: int, config: RecognizerConfig) -> None:
        dims = config.dims
        self.skip_conv, self.conv_reduce = ConvNorm(channels, dims), ConvNorm(channels, dims)
        local = nn.Conv2d(dims, dims, (1, 7), padding=(0, 3), groups=dims, bias=False)
        self.local_conv = nn.Sequential(local, nn.BatchNorm2d(dims), nn.SiLU())
        self.svtr_block = nn.Sequential(*(AttentionBlock(dims, config.heads) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(dims, 1e-6)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.conv_reduce(x)
        places = (y + self.local_conv(y)).flatten(2).transpose(1, 2)
        return self.norm(self.svtr_block(places)) + self.skip_conv(x).flatten(2).transpose(1, 2)


class Recognizer(nn.Module):
    """image [batch, 3, 48, width], blue, green, red from -1 to 1, zeros to the right of the text, 5 pixels wide or more
    -> characters [batch, width / 8] int64, the most likely one where it is another than at the place before, else 0;
    and scores [batch, width / 8], how likely it is.
    """

    def __init__(self, config: RecognizerConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_height, "width"))}
        a, b, c = config.channels
        stages = {"blocks2": stage(a, a, 1, "+"), "blocks3": stage(a, a, 1, "--")}
        stages |= {"blocks4": stage(a, b, (2, 1), "-+-+-+-"), "blocks5": stage(b, c, (2, 1), "-+-")}
        self.backbone = nn.ModuleDict({"conv1": Stem(a), **stages})
        encoder = nn.ModuleDict({"encoder": LightSVTR(c, config)})
        classifier = nn.ModuleDict({"fc": nn.Linear(config.dims, config.num_classes)})
        self.head = nn.ModuleDict({"ctc_encoder": encoder, "ctc_head": classifier})

    def logits(self, image: trtnet.Tensor) -> trtnet.Tensor:
        """[batch, width / 8, num_classes]."""
        x = image
        for layer in self.backbone.values():
            x = layer(x)
        return self.head["ctc_head"]["fc"](self.head["ctc_encoder"]["encoder"](ops.avg_pool2d(x, (3, 2))))

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        scores, likely = ops.topk(ops.softmax(self.logits(image), -1), 1)
        return {"characters": collapsed(likely[:, :, 0]), "scores": scores[:, :, 0]}


def pp_ocr_detector(config: DetectorConfig | Source | None = None, **fields: Any) -> Detector:
    """The detector of PP-OCRv6 small."""
    return Detector(OWN_NAMES.read(config, DetectorConfig(), fields))


def pp_ocr_recognizer(config: RecognizerConfig | Source | None = None, **fields: Any) -> Recognizer:
    """The recognizer of PP-OCRv6 small: 18,708 characters of 50 languages and the space."""
    return Recognizer(OWN_NAMES.read(config, RecognizerConfig(), fields))
