"""Greedy tokens of a GGUF file, SmolLM2-135M-Instruct's by default, beside transformers', which reads the same file.

    python tests/generation/against_transformers.py [--file FILE.gguf] [--prompts 20] [--tokens 64]

transformers writes the tokens, one sequence a prompt (it needs the package accelerate to read GGUF). The reference gets
the same sequence; at each place the most likely tokens are compared. Places where transformers' two best logits differ
by 0.1 or more are "clear". Exit code 1 if a clear one differs. A file without a chat template goes on with the prompts.
The largest value between two layers tells whether float16, up to 65,504, can hold it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals

import trtnet
from trtnet.generation import Step
from trtnet.generation.step import caches_of
from trtnet.tools.generation.published import PublishedText, published_text
from trtnet.weights import smollm2

originals.import_torchvision()
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

MARGIN = 0.1
PROMPTS = [
    "What is the capital of France?", "Write one sentence about the sea.", "Name three fruits.",
    "How do plants make food?", "Write a haiku about autumn.", "What is 12 plus 30?", "Who wrote Hamlet?",
    "Explain gravity to a child.", "Give me a recipe for pancakes.", "Translate 'good morning' to Spanish.",
    "What is photosynthesis?", "List the planets.", "Why is the sky blue?",
    "Write a Python function that adds two numbers.", "What is the boiling point of water?",
    "Tell me a short story about a fox.", "What are prime numbers?", "How many legs does a spider have?",
    "Describe a sunset.", "What does a doctor do?",
]  # fmt: skip


def logits_of(model: Any, ids: list[int], tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """(the sequence of a prompt and what transformers goes on with, its logits at the places of the new tokens)."""
    sequence = model.generate(torch.tensor([ids]), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
    return sequence.numpy(), model(sequence).logits[0, len(ids) - 1 : -1].double().numpy()


def both_encoded(prompt: str, ours: PublishedText, tokenizer: Any) -> tuple[list[int], list[int]]:
    """(our tokens of a prompt, transformers')."""
    if ours.chat_template is None:
        return ours.tokenizer.encode(prompt), tokenizer(prompt)["input_ids"]
    messages = [{"role": "user", "content": prompt}]
    ids = ours.tokenizer.encode(ours.chat_template(messages), add_special_tokens=False)
    return ids, tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


def watched(model: Any) -> list[float]:
    """The largest value that each layer gives, of each call."""
    largest: list[float] = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _, __, given: largest.append(float(given.abs().max())))
    return largest


@torch.inference_mode()
def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--prompts", type=int, default=len(PROMPTS))
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--file", type=Path)
    chosen = options.parse_args()
    file = chosen.file or smollm2.gguf()
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    ours = published_text(file, capacity=64 + chosen.tokens)
    reference = trtnet.define(Step(ours.model, sampling=False, logits=True), weights=ours.weights).reference()
    caches = {info.name: np.zeros((1, *info.shape[1:]), np.float32) for info in caches_of(reference)}
    counts, largest = np.zeros(4, int), watched(model)
    for prompt in PROMPTS[: chosen.prompts]:
        ids, given = both_encoded(prompt, ours, tokenizer)
        assert ids == list(given), f"the tokens of {prompt!r} differ"
        sequence, wanted = logits_of(model, ids, chosen.tokens)
        places = np.arange(len(ids) - 1, sequence.shape[1] - 1)[None]
        found = reference(input_ids=sequence, write_indices=np.zeros(1, np.int32), places=places, **caches)
        two = np.sort(wanted, -1)[:, -2:]
        same, clear = found["tokens"][0] == wanted.argmax(-1), two[:, 1] - two[:, 0] >= MARGIN
        counts += [same.size, same.sum(), clear.sum(), (same & clear).sum()]
        error = np.linalg.norm(found["logits"][0] - wanted) / np.linalg.norm(wanted)
        print(f"{same.sum()} of {same.size} equal, relative L2 {error:.1e}: {prompt}", flush=True)
    print("tokens {}, equal {}; clear {}, equal {}".format(*counts))
    print(f"largest value between layers: {max(largest):,.0f}")
    sys.exit(0 if counts[2] == counts[3] else 1)


if __name__ == "__main__":
    main()
