"""The command that writes text: `trtnet generate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Quantization

if TYPE_CHECKING:
    from trtnet.generation import GenerationConfig, Generator


@dataclass(frozen=True)
class TextOptions:
    """How tokens are chosen, and when the text ends."""

    max_new_tokens: Annotated[int, typer.Option(help="Largest number of generated tokens.")] = 128
    temperature: Annotated[float, typer.Option(help="Divisor of the logits; 0: the most likely token.")] = 0.0
    top_k: Annotated[int, typer.Option(help="Sample from this many most likely tokens; 0: from all.")] = 0
    top_p: Annotated[
        float, typer.Option(help="Sample from the most likely tokens that together have this probability.")
    ] = 1.0
    min_p: Annotated[float, typer.Option(help="Least probability of a token, relative to the most likely one.")] = 0.0
    repetition_penalty: Annotated[float, typer.Option(help="Divisor for the logits of tokens that came before.")] = 1.0
    seed: Annotated[int, typer.Option(help="Seed of the random choice.")] = 0
    stop: Annotated[list[str], typer.Option(help="A string that ends the text.")] = field(default_factory=list)
    lookup: Annotated[int, typer.Option(help="Number of tokens to guess from earlier text and check in one step.")] = 0

    @property
    def config(self) -> GenerationConfig:
        from trtnet.generation import GenerationConfig

        return GenerationConfig(
            self.max_new_tokens, self.temperature, self.top_k, self.top_p, self.min_p, self.repetition_penalty,
            self.seed, tuple(self.stop), self.lookup,
        )  # fmt: skip


@grouped
def generate(
    source: Annotated[Path, typer.Argument(help="A Hugging Face folder, or a GGUF file.")],
    options: TextOptions,
    prompt: Annotated[str | None, typer.Argument(help="The text to continue; with --chat, a message.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Chat line by line, with the model's chat template.")] = False,
    engine: Annotated[
        Path | None,
        typer.Option(help="Run this plan on the GPU, built first if it does not exist; without it, on the CPU."),
    ] = None,
    fixed: Annotated[
        bool,
        typer.Option(help="Build two plans: FILE for single tokens, which is faster, FILE.prompts for prompts."),
    ] = True,
    dtype: Annotated[str, typer.Option(help="dtype of the network: float32, float16, bfloat16.")] = "float32",
    quantization: Quantization = None,
    capacity: Annotated[
        int, typer.Option(min=1, help="Largest number of tokens of a text, including its prompt.")
    ] = 1024,
) -> None:
    """Writes text with a language model, such as Llama, Mistral, Qwen3, Gemma or Phi-3."""
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.support.errors import InputError
    from trtnet.tools.generation.generate import as_chat, load_generator

    config = options.config
    if prompt is None and not chat:
        raise InputError("give a prompt, or --chat to talk line by line")
    if engine is not None:
        CudaDevice()  # before plans are built, which takes minutes
    generator = load_generator(
        source, capacity=capacity, dtype=dtype, engine=engine, drafted=options.lookup, fixed=fixed,
        quantization=quantization,
    )  # fmt: skip
    if prompt is None:
        _talk(generator, config)
    else:
        _write(generator, as_chat(generator, prompt) if chat else prompt, config)


def _write(generator: Generator, prompt: str | list[int], config: GenerationConfig) -> str:
    pieces = []
    for piece in generator.stream(prompt, config):
        print(piece, end="", flush=True)
        pieces.append(piece)
    print()
    return "".join(pieces)


def _talk(generator: Generator, config: GenerationConfig) -> None:
    """Messages from standard input until it ends, each answered with those before in mind."""
    from trtnet.tools.generation.generate import as_chat

    messages: list[str] = []
    while True:
        try:
            messages.append(input("> "))
        except EOFError:
            return
        messages.append(_write(generator, as_chat(generator, *messages), config))
