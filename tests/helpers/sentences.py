"""Sentences, and what MiniLM takes of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SENTENCES = (
    "A man is playing a guitar on stage.", "Someone plays an instrument in front of an audience.",
    "The stock market fell sharply today.", "Shares dropped after the central bank raised rates.",
    "A cat sleeps on the warm windowsill.", "The kitten is napping in the sunlight.",
    "How do I bake bread at home?", "What is the recipe for a simple loaf?",
    "The spacecraft entered orbit around Mars.", "NASA's probe has reached the red planet.",
    "Doctors recommend regular exercise.", "Physical activity is good for your health.",
)  # fmt: skip
"""Pairs of sentences that mean the same, one after the other."""


def descriptions() -> list[str]:
    """Sentences of scikit-learn's descriptions of its data sets."""
    spec = find_spec("sklearn")
    assert spec is not None and spec.submodule_search_locations
    files = sorted((Path(spec.submodule_search_locations[0]) / "datasets/descr").glob("*.rst"))
    text = " ".join(" ".join(file.read_text("utf-8", errors="ignore") for file in files).split())
    return [part.strip() + "." for part in text.split(". ") if 30 < len(part) < 200 and part[0].isalpha()]


def encoded(texts: Sequence[str]) -> dict[str, Any]:
    """The inputs of MiniLM, padded to the longest text, at most 128 tokens."""
    from tokenizers import Tokenizer

    from trtnet.weights import minilm

    tokenizer = Tokenizer.from_file(str(minilm.tokenizer()))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(128)
    names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    batch = tokenizer.encode_batch(list(texts))
    return {name: np.array([getattr(one, field) for one in batch]) for name, field in names.items()}


def nearest(embeddings: Any) -> Any:
    """Of each embedding of length 1, which other one is the nearest."""
    return (embeddings @ embeddings.T - 2 * np.eye(len(embeddings))).argmax(1)
