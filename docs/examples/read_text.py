"""Reads lines of Khmer text from images, with a CRNN: `python read_text.py`, on a GPU with `--engine`. It needs Pillow.

The weights, the characters and a font (35 MB) are fetched once. The lines are drawn, and read. It prints:

    ភាសាខ្មែរ: read as ភាសាខ្មែរ
    ...
    5 of 5 lines are right
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

import trtnet
from trtnet import models
from trtnet.weights.packaged import PACKAGED

LINES = ("ភាសាខ្មែរ", "កម្ពុជា", "រាជធានីភ្នំពេញ", "ប្រាសាទអង្គរវត្ត", "ទន្លេមេគង្គ")


def drawn(text: str, font: Path) -> np.ndarray:
    """A line as the network takes it: [1, 48, 512] from -1 to 1."""
    image = Image.new("L", (400, 60), 255)
    ImageDraw.Draw(image).text((10, 5), text, font=ImageFont.truetype(font, 30), fill=0)
    return np.asarray(image.resize((512, 48), Image.Resampling.BILINEAR), np.float32)[None] / 127.5 - 1


def main() -> None:
    if not features.check("raqm"):
        sys.exit("Pillow cannot put Khmer's marks in their places here: install libfribidi0, which its libraqm needs")
    weights, vocabulary, font = PACKAGED["crnn"].fetch()
    characters = json.loads(vocabulary.read_text(encoding="utf-8"))["idx2char"]
    network = trtnet.define(models.crnn(), weights=weights)
    run = network.build({"batch": len(LINES)}) if "--engine" in sys.argv else network.reference()
    found = run(np.stack([drawn(line, font) for line in LINES]))["characters"]
    read = ["".join(characters[str(i)] for i in row if i) for row in found]
    for line, text in zip(LINES, read, strict=True):
        print(f"{line}: read as {text}")
    print(f"{sum(line == text for line, text in zip(LINES, read, strict=True))} of {len(LINES)} lines are right")


if __name__ == "__main__":
    main()
