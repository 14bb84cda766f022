"""SmolLM2-135M-Instruct answers: `python generate.py`, on a GPU `python generate.py --engine`.

Its file (98 MB, weights in blocks of 4 bits) is fetched once; its engine is built once. On the CPU it prints:

    > What is the capital of France?
    The capital of France is Paris.
    > Name three fruits.
    1. Bananas
    2. Oranges
    3. Grapes
    > Write one sentence about the sea.
    The sea is a vast and mysterious realm, teeming with life and unending in its own way, a testament to ...
"""

from __future__ import annotations

import sys

import trtnet
from trtnet.tools.generation.generate import as_chat, load_generator
from trtnet.weights import smollm2

QUESTIONS = ("What is the capital of France?", "Name three fruits.", "Write one sentence about the sea.")


def main() -> None:
    engine = "smollm2.engine" if "--engine" in sys.argv else None
    generator = load_generator(smollm2.gguf(), capacity=128, engine=engine)
    config = trtnet.GenerationConfig(max_new_tokens=40)
    for question in QUESTIONS:
        print(">", question)
        for piece in generator.stream(as_chat(generator, question), config):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    main()
