"""Pages of drawn text, and their pixels as PP-OCR takes them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "Invoice",
    "Total:",
    "EUR",
    "1,234.50",
    "quick",
    "brown fox",
    "2026-11-29",
    "(draft)",
    "#42",
    "café",
    "50%",
    "A/B",
]


def page(seed: int) -> tuple[Image.Image, list[str]]:
    """Lines of some words, of sizes and colours of their own."""
    rng = np.random.default_rng(seed)
    image, texts = Image.new("RGB", (704, 384), tuple(rng.integers(180, 256, 3).tolist())), []
    for i in range(5):
        texts.append(" ".join(rng.choice(WORDS, 3, replace=False)))
        font, ink = ImageFont.load_default(int(rng.integers(18, 34))), tuple(rng.integers(0, 90, 3).tolist())
        ImageDraw.Draw(image).text((int(rng.integers(10, 60)), 15 + 72 * i), texts[-1], font=font, fill=ink)
    return image, texts


def pixels(image: Image.Image, width: int = 0) -> np.ndarray:
    found = np.asarray(image, np.float32)[:, :, ::-1].transpose(2, 0, 1)[None] / 127.5 - 1
    return np.pad(found, ((0, 0), (0, 0), (0, 0), (0, max(0, width - image.width))))
