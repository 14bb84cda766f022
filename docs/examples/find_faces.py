"""Finds faces in a photograph, with MTCNN as one network: `python find_faces.py [--engine] [IMAGE]`. Needs Pillow.

The weights (2 MB) and the photograph, of an astronaut, are fetched once; `faces.png` shows what was found. With
`--engine` it runs on a GPU. It prints:

    1 face
    100.0 %: left 181.1, top 62.2, right 267.7, bottom 172.1
    faces.png written
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import trtnet
from trtnet import models
from trtnet.weights import photographs
from trtnet.weights.packaged import PACKAGED


def main(path: Path) -> None:
    image = Image.open(path).convert("RGB")
    network = trtnet.define(models.mtcnn(height=image.height, width=image.width), weights=PACKAGED["mtcnn"].joined())
    run = network.build() if "--engine" in sys.argv else network.reference()
    found = run(np.asarray(image, np.float32))
    count, drawing = int(found["count"]), ImageDraw.Draw(image)
    print(f"{count} face{'s' * (count != 1)}")
    if found["full"]:
        print("there may be more, or others: give mtcnn more candidates and faces")
    results = (found[name][:count] for name in ("boxes", "probabilities", "points"))
    for box, probability, points in zip(*results, strict=True):
        sides = zip(("left", "top", "right", "bottom"), box, strict=True)
        print(f"{probability:.1%}: ".replace("%", " %") + ", ".join(f"{side} {place:.1f}" for side, place in sides))
        drawing.rectangle([*map(float, box)], outline="lime", width=3)
        for x, y in points:
            drawing.ellipse([x - 2, y - 2, x + 2, y + 2], fill="lime")
    image.save("faces.png")
    print("faces.png written")


if __name__ == "__main__":
    files = [text for text in sys.argv[1:] if text != "--engine"]
    main(Path(files[0]) if files else photographs.astronaut())
