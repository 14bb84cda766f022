"""Trains LeNet on scikit-learn's handwritten digits: ``python -m trtnet.weights.train_lenet [OUT]``.

The digits are 1,797 scans of 8x8 pixels (sklearn.datasets.load_digits; Alpaydin and Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998). A fifth of them is held out and never trained on.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from trtnet.checkpoint import save_safetensors

SEED = 0
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 4e-3
WEIGHTS = Path(__file__).with_name("lenet.safetensors")

Array = np.ndarray[Any, np.dtype[Any]]


class LeNet(nn.Module):
    """image [batch, 1, 28, 28] in [0, 1] -> logits [batch, 10]; the torch twin of ``trtnet.models.lenet``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(image)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


def load_digits_28() -> tuple[Array, Array, Array, Array]:
    """(train_x, train_y, test_x, test_y): the same stratified split at every call, a fifth held out.

    The images are [count, 1, 28, 28] float32 in [0, 1], white on black, resized bilinearly from 8x8; the labels are
    [count] int64.
    """
    digits = load_digits()
    small = torch.from_numpy(digits.images.astype(np.float32) / 16)[:, None]
    images = F.interpolate(small, size=(28, 28), mode="bilinear", align_corners=False).numpy()
    labels = digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=SEED
    )
    return train_x, train_y, test_x, test_y


def accuracy(model: nn.Module, images: Array, labels: Array) -> float:
    """The fraction of `images` that `model` names rightly."""
    model.eval()
    with torch.inference_mode():
        return float((model(torch.from_numpy(images)).argmax(1).numpy() == labels).mean())


def train(images: Array, labels: Array, epochs: int = EPOCHS, seed: int = SEED) -> LeNet:
    """A LeNet trained on `images`; the same seed on the same torch and machine makes the same weights."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LeNet()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    steps = epochs * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    model.train()
    for _ in track(range(epochs), "training LeNet"):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            logits = model(augment(x[batch], generator))
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(logits, y[batch]))
            optimizer.step()
            schedule.step()
    return model


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image turned by up to 12 degrees, scaled by up to 10 % and shifted by up to 2 pixels."""

    def uniform(limit: float) -> torch.Tensor:
        return (torch.rand(len(images), generator=generator) * 2 - 1) * limit

    angle, scale = uniform(math.radians(12)), 1 + uniform(0.1)
    # affine_grid measures in halves of the image: 2 of 28 pixels are 2 / 14.
    rows = [
        torch.stack((scale * angle.cos(), -scale * angle.sin(), uniform(2 / 14)), 1),
        torch.stack((scale * angle.sin(), scale * angle.cos(), uniform(2 / 14)), 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def main(out: Annotated[Path, typer.Argument(help="The .safetensors file to write.")] = WEIGHTS) -> None:
    """Trains LeNet on scikit-learn's digits and writes its weights."""
    began = time.perf_counter()
    train_x, train_y, test_x, test_y = load_digits_28()
    model = train(train_x, train_y)
    held_out = accuracy(model, test_x, test_y)
    metadata = {
        "dataset": "sklearn.datasets.load_digits, 8x8 resized to 28x28 bilinearly, in [0, 1]",
        "held_out": f"{len(test_x)} of {len(train_x) + len(test_x)}, stratified",
        "accuracy": f"{held_out:.4f}",
        "seed": str(SEED),
        "torch": torch.__version__.split("+")[0],
    }
    save_safetensors(out, {key: value.numpy() for key, value in model.state_dict().items()}, metadata)
    seconds = time.perf_counter() - began
    print(f"held-out accuracy {held_out:.2%} on {len(test_x)} digits, {seconds:.0f} s; {out} written")


if __name__ == "__main__":
    typer.run(main)
