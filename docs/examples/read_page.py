"""Reads the text of a page with PP-OCRv6, on a GPU with `--engine`: `python read_page.py [--engine] [IMAGE]`.

The weights (31 MB) are fetched once. One network finds the lines, another one reads each. A page is drawn if none is
given. It needs Pillow, and prints:

    Invoice 2026-11-29
    Total: 1,234.50 EUR
    The quick brown fox jumps over it
    3 of 3 lines are right
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import trtnet
from trtnet import models
from trtnet.models.text_lines import text_lines
from trtnet.weights import pp_ocr

LINES = ("Invoice 2026-11-29", "Total: 1,234.50 EUR", "The quick brown fox jumps over it")


def drawn() -> Image.Image:
    page = Image.new("RGB", (640, 256), "white")
    for i, line in enumerate(LINES):
        ImageDraw.Draw(page).text((24, 20 + 75 * i), line, font=ImageFont.load_default(32), fill=(20, 20, 60))
    return page


def pixels(image: Image.Image, width: int) -> np.ndarray:
    """As the networks take it: blue, green, red from -1 to 1, zeros to the right of the image."""
    found = np.asarray(image, np.float32)[:, :, ::-1].transpose(2, 0, 1)[None] / 127.5 - 1
    return np.pad(found, ((0, 0), (0, 0), (0, 0), (0, max(0, width - image.width))))


def main(files: list[str]) -> None:
    page = Image.open(files[0]).convert("RGB") if files else drawn()
    page = page.resize([max(32, round(size / 32) * 32) for size in page.size])
    finder = trtnet.define(models.pp_ocr_detector(), weights=pp_ocr.detector())
    reader = trtnet.define(models.pp_ocr_recognizer(), weights=pp_ocr.recognizer())
    find, read = finder.reference(), reader.reference()
    if "--engine" in sys.argv:
        find = finder.build({"batch": 1, "height": page.height, "width": page.width})
        read = reader.build({"batch": 1, "width": (320, 640, 4096)})
    characters, texts = pp_ocr.characters(), []
    for box in text_lines(find(pixels(page, page.width))[0]):
        line = page.crop(box)
        line = line.resize((max(8, round(48 * line.width / line.height)), 48))
        texts.append("".join(characters[i] for i in read(pixels(line, 320))["characters"][0]))
        print(texts[-1])
    if not files:
        print(f"{sum(a == b for a, b in zip(LINES, texts, strict=False))} of {len(LINES)} lines are right")


if __name__ == "__main__":
    main([text for text in sys.argv[1:] if text != "--engine"])
