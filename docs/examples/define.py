"""Defines a network beside its PyTorch original, and checks that both compute the same: `python define.py`.

The CPU reference runs it, with `--engine` a GPU. It prints:

    output [batch, 10] float32, 7 TensorRT layers
    PASS: relative L2 ...
"""

from __future__ import annotations

import sys

import torch

import trtnet
from trtnet import nn, ops


class Net(nn.Module):
    """x [batch, 3, 32, 32] -> scores [batch, 10]."""

    inputs = {"x": trtnet.Input(("batch", 3, 32, 32))}

    def __init__(self) -> None:
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.fc(ops.relu(self.norm(self.conv(x))).mean((2, 3)))


class Original(torch.nn.Module):
    """The same in torch, with the same names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(16)
        self.fc = torch.nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def main() -> None:
    torch.manual_seed(0)
    original = Original().eval()
    network = trtnet.define(Net(), weights=original)
    (output,) = network.outputs.values()
    print(f"output [{', '.join(map(str, output.shape))}] {output.dtype}, {network.trt.num_layers} TensorRT layers")
    run = network.build({"batch": (1, 4, 8)}) if "--engine" in sys.argv else network
    report = trtnet.compare(run, original, dims={"batch": 4})  # random inputs of a seed
    report.raise_if_failed()
    print(f"PASS: relative L2 {report.outputs[0].worst.relative_l2:.1e}")


if __name__ == "__main__":
    main()
