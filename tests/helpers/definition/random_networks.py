"""Random networks of a few layers over images, for what only shows where layers meet: fusion, layouts, aliases.

A network is a list of (kind of step, seed). A step takes the shape that it is given, so that others can be left out:
that is how a network that fails is made small.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from helpers.comparing import relative_l2
from torch import Tensor, nn
from torch.nn import functional

Step = tuple[str, int]
Taking = Callable[[Tensor, list[Tensor]], Tensor]
LARGEST = 60_000
"""Elements of a sample, above which nothing grows."""


class Layer(nn.Module):
    """A step with its layers. call: of the tensor, those before it and the layers' module. text: what it is."""

    def __init__(self, text: str, call: Callable[[Any, Tensor, list[Tensor]], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.text, self.call = text, call
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor, before: list[Tensor]) -> Tensor:
        return self.call(self, x, before)


def _of(layer: nn.Module, text: str = "") -> Layer:
    return Layer(text or repr(layer), lambda m, x, before: m.layer(x), layer=layer)


def _function(text: str, call: Callable[[Tensor], Tensor]) -> Layer:
    return Layer(text, lambda m, x, before: call(x))


def _divisor(n: int, pick: random.Random) -> int:
    return pick.choice([each for each in range(1, n + 1) if n % each == 0])


def convolution(x: Tensor, pick: random.Random) -> Layer:
    channels, kernel = x.shape[1], pick.choice((1, 1, 2, 3, 3, 5))
    padding, stride = pick.choice((0, kernel // 2, kernel // 2)), pick.choice((1, 1, 2))
    if min(x.shape[2:]) + 2 * padding < kernel:
        kernel, padding = 1, 0
    groups = pick.choice((1, 1, channels, _divisor(channels, pick)))
    out = groups * pick.choice((1, 2)) if groups > 1 else pick.choice((8, 12, 16, 24, 32))
    conv = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=pick.random() < 0.7)
    if pick.random() < 0.7:
        return _of(conv)
    return _of(nn.Sequential(conv, nn.BatchNorm2d(out)), f"{conv!r} with batch norm")


def transposed(x: Tensor, pick: random.Random) -> Layer:
    stride = pick.choice((1, 2)) if x[0].numel() < LARGEST else 1
    return _of(
        nn.ConvTranspose2d(x.shape[1], pick.choice((8, 16)), pick.choice((2, 3, 4)), stride, pick.choice((0, 1)))
    )


def activation(x: Tensor, pick: random.Random) -> Layer:
    kinds = (nn.ReLU, nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.LeakyReLU, nn.ELU)
    return _of(pick.choice(kinds)())


def pooling(x: Tensor, pick: random.Random) -> Layer:
    kernel = pick.choice((2, 3)) if min(x.shape[2:]) >= 3 else 1
    kind = pick.choice((nn.MaxPool2d, nn.AvgPool2d))
    return _of(kind(kernel, pick.choice((1, 2)), pick.choice((0, kernel // 2)), ceil_mode=pick.random() < 0.3))


def norm(x: Tensor, pick: random.Random) -> Layer:
    channels = x.shape[1]
    if pick.random() < 0.5:
        return _of(nn.GroupNorm(_divisor(channels, pick), channels))
    text = "layer norm of channels"
    return Layer(text, lambda m, x, _: m.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), layer=nn.LayerNorm(channels))


def padding(x: Tensor, pick: random.Random) -> Layer:
    sides = tuple(pick.choice((0, 0, 1, 2)) for _ in range(4))
    mode = pick.choice(("constant", "constant", "constant", "reflect", "replicate", "circular"))
    if min(x.shape[2:]) < 3 or x[0].numel() > LARGEST:
        sides = (0, 0, 0, 0)
    value = {"value": pick.choice((0.0, 0.0, 1.0))} if mode == "constant" else {}
    return _function(f"pad {sides} {mode} {value}", lambda x: functional.pad(x, sides, mode, **value))


def moved(x: Tensor, pick: random.Random) -> Layer:
    which = pick.choice(("crop", "step", "roll", "flip", "half", "shuffle", "transpose"))
    if which == "crop" and min(x.shape[2:]) > 3:
        top, right = pick.choice((0, 1)), pick.choice((0, 1))
        return _function(f"[:, :, {top}:, :{-right or None}]", lambda x: x[:, :, top:, : -right or None])
    if which == "step":
        return _function(
            "[:, :, ::2, 1::2]" if x.shape[3] > 1 else "[:, :, ::2]", lambda x: x[:, :, ::2, x.shape[3] > 1 :: 2]
        )
    if which == "roll":
        return _function("roll", lambda x: x.roll((1, -1), (2, 3)))
    if which == "flip":
        return _function("flip", lambda x: x.flip(3))
    if which == "half" and x.shape[1] > 1:
        return _function("second half of channels", lambda x: x[:, x.shape[1] // 2 :])
    if which == "shuffle":
        groups = _divisor(x.shape[1], pick)
        return _function(f"channel_shuffle {groups}", lambda x: functional.channel_shuffle(x, groups))
    return _function("transpose", lambda x: x.transpose(2, 3))


def resized(x: Tensor, pick: random.Random) -> Layer:
    factor, channels = pick.choice((2, 2, 0.5)), x.shape[1]
    if min(x.shape[2:]) < 2 or (factor == 2 and x[0].numel() > LARGEST):
        return _function("identity", lambda x: x)
    if pick.random() < 0.3 and channels % 4 == 0:
        return _of(nn.PixelShuffle(2))
    if pick.random() < 0.3 and all(size % 2 == 0 for size in x.shape[2:]):
        return _of(nn.PixelUnshuffle(2))
    mode = pick.choice(("nearest", "bilinear"))
    return _function(f"{mode} {factor}", lambda x: functional.interpolate(x, scale_factor=factor, mode=mode))


def joined(x: Tensor, pick: random.Random) -> Layer:
    """With an earlier tensor, or with a convolution of the same one."""
    which, first = pick.choice(("add", "add", "sub", "mul", "max", "cat")), pick.random() < 0.5
    own, index = pick.random() < 0.5, pick.randrange(100)
    conv = nn.Conv2d(x.shape[1], x.shape[1], 3, padding=1) if own else nn.Identity()
    calls: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "add": torch.add, "sub": lambda a, b: a - 0.5 * b, "mul": torch.mul, "max": torch.maximum,
        "cat": lambda a, b: torch.cat([a, b], 1),
    }  # fmt: skip

    def call(m: Any, x: Tensor, before: list[Tensor]) -> Tensor:
        fits = [y for y in before if y.shape[2:] == x.shape[2:] and (which == "cat" or y.shape[1] == x.shape[1])]
        other = m.conv(x) if own else fits[index % len(fits)] if fits else x
        return calls[which](other, x) if first else calls[which](x, other)

    return Layer(f"{which} {'of a convolution' if own else 'of an earlier one'}, first={first}", call, conv=conv)


def gated(x: Tensor, pick: random.Random) -> Layer:
    channels, which = x.shape[1], pick.choice(("halves", "excitation", "centred", "softmax"))
    if which == "halves" and channels % 2 == 0:
        return _function("a * sigmoid(b)", lambda x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1].sigmoid())
    if which == "excitation":
        down, up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)
        mean = pick.choice((lambda x: x.mean((2, 3), keepdim=True), lambda x: functional.adaptive_avg_pool2d(x, 1)))
        return Layer("excitation", lambda m, x, _: x * m.up(m.down(mean(x)).relu()).sigmoid(), down=down, up=up)
    if which == "softmax":
        axis = pick.choice((1, 3))
        return _function(f"x * softmax {axis}", lambda x: x * x.softmax(axis))
    return _function("x - mean", lambda x: x - x.mean((2, 3), keepdim=True))


def reduced(x: Tensor, pick: random.Random) -> Layer:
    """An axis, or the first of its elements, beside all of them."""
    axis = pick.randrange(1, 4)
    calls: dict[str, Callable[[Tensor], Tensor]] = {
        "x - mean": lambda x: x - x.mean(axis, keepdim=True), "x * softmax": lambda x: x * x.softmax(axis),
        "x / norm": lambda x: functional.normalize(x, dim=axis), "x + amax": lambda x: x + x.amax(axis, keepdim=True),
        "x - first": lambda x: x - x.narrow(axis, 0, 1), "x * first": lambda x: x * x.select(axis, 0).unsqueeze(axis),
        "x - last": lambda x: x - x.narrow(axis, x.shape[axis] - 1, 1),
    }  # fmt: skip
    which = pick.choice([*calls])
    return _function(f"{which}, axis {axis}", calls[which])


def tokens(x: Tensor, pick: random.Random) -> Layer:
    """What transformers do to the pixels."""
    channels, which, last = x.shape[1], pick.choice(("linear", "perceptron", "attention")), pick.random() < 0.5
    heads = _divisor(channels, pick)
    layers = {
        "a": nn.Linear(channels, 2 * channels if which == "perceptron" else channels),
        "norm": nn.LayerNorm(channels),
    }
    if which == "perceptron":
        layers["b"] = nn.Linear(2 * channels, channels)
    if which == "attention":
        layers |= {name: nn.Linear(channels, channels) for name in "qkv"}

    def inside(m: Any, t: Tensor) -> Tensor:
        if which == "linear":
            return m.a(t)
        if which == "perceptron":
            return m.b(functional.gelu(m.a(t)))
        q, k, v = (each(t).unflatten(-1, (heads, -1)).transpose(1, 2) for each in (m.q, m.k, m.v))
        return m.a(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def call(m: Any, x: Tensor, before: list[Tensor]) -> Tensor:
        t = x.flatten(2).transpose(1, 2)
        y = inside(m, m.norm(t))
        return (y + t).transpose(1, 2).reshape(x.shape) if last else y.transpose(1, 2).reshape(x.shape) + x

    return Layer(f"{which} of pixels, heads={heads}, summed {'as tokens' if last else 'as images'}", call, **layers)


KINDS = {
    each.__name__: each
    for each in (
        convolution,
        transposed,
        activation,
        pooling,
        norm,
        padding,
        moved,
        resized,
        joined,
        gated,
        reduced,
        tokens,
    )
}
WEIGHTS = {"convolution": 5, "activation": 4, "padding": 2, "joined": 3}


class Network(nn.Module):
    """The steps, one after another; results of about 1 in size.

    tapped: whether the tensor in the middle is a result, too.
    """

    def __init__(self, steps: Sequence[Step], image: tuple[int, int, int], tapped: bool) -> None:
        super().__init__()
        self.steps, self.tapped = nn.ModuleList(), tapped
        generator = torch.random.get_rng_state()
        x, before = torch.randn(2, *image, generator=torch.Generator().manual_seed(0)), []
        for name, seed in steps:
            torch.manual_seed(seed)
            layer = KINDS[name](x, random.Random(seed)).eval()
            self.steps.append(layer)
            with torch.no_grad():
                y = layer(x, before)
                for weight in layer.parameters():
                    weight *= (1 / y.std().clamp(0.05, 20)).sqrt() if weight.dim() > 1 else 1
                before.append(x)
                x = layer(x, before[:-1])
        torch.random.set_rng_state(generator)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        before: list[Tensor] = []
        middle = x
        for i, step in enumerate(self.steps):
            y = step(x, list(before))
            before.append(x)
            x = y
            if i == len(self.steps) // 2:
                middle = x
        return {"y": x, "middle": middle * 2} if self.tapped else {"y": x}

    def described(self) -> str:
        return "\n".join(f"    {layer.text}" for layer in self.steps)


@dataclass(frozen=True)
class Case:
    """A network, and how it is run. fixed: whether the batch is."""

    steps: tuple[Step, ...]
    image: tuple[int, int, int]
    dtype: str
    fixed: bool
    tapped: bool

    def network(self) -> Network:
        return Network(self.steps, self.image, self.tapped).eval()

    def inputs(self, batch: int = 2) -> Tensor:
        return torch.randn(batch, *self.image, generator=torch.Generator().manual_seed(1))

    def without(self, index: int) -> Case:
        return replace(self, steps=self.steps[:index] + self.steps[index + 1 :])


def drawn(seed: int, dtypes: Sequence[str] = ("float32", "float16")) -> Case:
    """The case of a seed."""
    pick = random.Random(seed)
    names = [name for name in KINDS for _ in range(WEIGHTS.get(name, 1))]
    steps = tuple((pick.choice(names), pick.randrange(1 << 30)) for _ in range(pick.randint(2, 8)))
    image = pick.choice((2, 3, 4, 8, 16)), pick.choice((8, 12, 17, 20)), pick.choice((8, 12, 17, 20))
    return Case(steps, image, pick.choice(dtypes), pick.random() < 0.5, pick.random() < 0.3)


NOTHING = 1e-2
"""Of results of about 1 in size, the size of those of which rounding may be all that is left."""


def expected(case: Case, network: Network) -> dict[str, Tensor] | None:
    """What torch computes; None where that is not finite, or tells nothing: rounding alone makes it another.

    So it does of what cancels, as a layer norm of equal channels, which is 0.
    """
    x = case.inputs()
    with torch.inference_mode():
        found, moved = network(x), network(x * (1 + 1e-4 * torch.sin(torch.arange(x[0].numel()).reshape(x.shape[1:]))))
    if not all(y.isfinite().all() and relative_l2(moved[name], y) < 1e-2 for name, y in found.items()):
        return None
    return found if all(y.square().mean().sqrt() > NOTHING for y in found.values()) else None
