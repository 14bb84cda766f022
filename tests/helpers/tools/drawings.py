"""Drawings that tests of several files use."""

from __future__ import annotations

from functools import cache

from trtnet import nn, ops
from trtnet.graph import Input
from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer, DrawnTensor
from trtnet.tools.draw.from_network import draw_network
from trtnet.tools.targets.networks import Choices, NetworkTarget, open_network

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"


def model(name: str, dtype: str = "float16") -> Drawing:
    return draw_network(open_network(name, Choices(dtype=dtype)))


@cache
def lenet() -> Drawing:
    return model("lenet")


@cache
def resnet18() -> Drawing:
    return model("resnet18", "float32")


def hostile() -> Drawing:
    """Names, attributes and notes that would be markup or code if anything let them."""
    tensors = (DrawnTensor(HOSTILE, (1, HOSTILE), "float32"), DrawnTensor("y\u2028", (), 'dt"ype'))
    layers = (
        DrawnLayer(HOSTILE, INPUT, "Input", outputs=(0,)),
        DrawnLayer(f"block/{HOSTILE}", HOSTILE, HOSTILE, "block." + HOSTILE.replace(".", ""), 'a"b.py:3',
                   {HOSTILE: HOSTILE}, (0,), (1,)),
        DrawnLayer("block/second", "ACTIVATION", "Relu\x00\x1b", "block", inputs=(1,), outputs=()),
        DrawnLayer("y", OUTPUT, "Output", inputs=(1,)),
    )  # fmt: skip
    return Drawing(HOSTILE, layers, tensors, {"block": HOSTILE}, (HOSTILE,))


def chain(modules: list[str]) -> Drawing:
    """A layer in each of these modules, one after the other."""
    tensors = tuple(DrawnTensor(f"t{i}", (1, 8), "float32") for i in range(len(modules) + 1))
    layers = [DrawnLayer("x", INPUT, "Input", outputs=(0,))]
    layers += [
        DrawnLayer(f"{module}/relu_{i}", "ACTIVATION", "Relu", module, inputs=(i,), outputs=(i + 1,))
        for i, module in enumerate(modules)
    ]
    layers.append(DrawnLayer("y", OUTPUT, "Output", inputs=(len(modules),)))
    return Drawing("chain", tuple(layers), tensors)


class Block(nn.Module):
    """20 layers with a way around them."""

    def forward(self, x):
        y = x
        for _ in range(9):
            y = ops.relu(y) + 1.0
        return ops.relu(y) + x


class Stage(nn.Module):
    def __init__(self, blocks: int):
        self.blocks = nn.Sequential(*(Block() for _ in range(blocks)))

    def forward(self, x):
        return self.blocks(x)


class Deep(nn.Module):
    """100 blocks in 10 stages: 2,000 layers that compute, and their constants."""

    inputs = {"x": Input(("batch", 8))}

    def __init__(self):
        self.stages = nn.Sequential(*(Stage(10) for _ in range(10)))

    def forward(self, x):
        return self.stages(x)


def deep() -> NetworkTarget:
    return open_network(f"{__file__}:Deep", Choices())
