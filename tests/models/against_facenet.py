"""Finds faces with facenet-pytorch and with ours, of the same weights, and compares boxes and points.

    python tests/models/against_facenet.py FOLDER [IMAGE ...]

FOLDER is where the package facenet-pytorch 2.6.0 is unpacked (it pins an old torch: two of its files are run alone).
Its suppression of boxes, torchvision's, is written here in numpy: it is the same. It prints the largest differences.
"""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals

import trtnet
from trtnet import models
from trtnet.weights import photographs
from trtnet.weights.packaged import PACKAGED


def nms(boxes: torch.Tensor, scores: torch.Tensor, _: object, overlap: float) -> torch.Tensor:
    """torchvision's batched_nms of one image."""
    area, gone, kept = (boxes[:, 2:4] - boxes[:, :2]).prod(1), np.zeros(len(scores), bool), []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if gone[i]:
            continue
        kept.append(i)
        low, high = torch.maximum(boxes[i, :2], boxes[:, :2]), torch.minimum(boxes[i, 2:4], boxes[:, 2:4])
        shared = (high - low).clamp(min=0).prod(1)
        gone |= (shared / (area + area[i] - shared) > overlap).numpy()
    return torch.tensor(kept, dtype=torch.long)


def original(folder: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(boxes with their probabilities, points), the likeliest first."""
    boxes: Any = sys.modules["torchvision.ops.boxes"]
    boxes.batched_nms = nms
    detect, nets = types.ModuleType("detect"), types.ModuleType("nets")
    exec((folder / "facenet_pytorch/models/utils/detect_face.py").read_text(), detect.__dict__)
    file = folder / "facenet_pytorch/models/mtcnn.py"
    nets.__file__ = str(file)
    lines = [line for line in file.read_text().split("\n") if not line.startswith("from .utils")]
    exec("\n".join(lines), nets.__dict__)
    stages = [getattr(nets, name)() for name in ("PNet", "RNet", "ONet")]
    with torch.no_grad():
        found, points = detect.detect_face(image.copy(), 20, *stages, [0.6, 0.7, 0.7], 0.709, "cpu")
    order = np.argsort(-found[0][:, 4])
    return found[0][order].astype(float), points[0][order].astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=Path, nargs="*")
    arguments = parser.parse_args()
    originals.import_torchvision()
    wrong = 0
    for path in arguments.images or [photographs.astronaut()]:
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width, _ = image.shape
        network = trtnet.define(models.mtcnn(height=height, width=width), weights=PACKAGED["mtcnn"].joined())
        found, (boxes, points) = network.reference()(image.astype(np.float32)), original(arguments.folder, image)
        count = int(found["count"])
        if count == len(boxes):
            differences = [np.abs(found["boxes"][:count] - boxes[:, :4]).max(initial=0)]
            differences += [np.abs(found["points"][:count] - points).max(initial=0)]
        else:
            differences = [np.inf, np.inf]
        print(f"{path.name}: {count} faces of {len(boxes)}, boxes within {differences[0]:.1e} pixels,"
              f" points within {differences[1]:.1e}")  # fmt: skip
        wrong += differences[0] > 1e-3
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
