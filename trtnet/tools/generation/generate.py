"""`trtnet generate` and `trtnet.generate`: from a published model's files to text."""

from __future__ import annotations

from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from trtnet.definition import define
from trtnet.definition.quantization import Schemes
from trtnet.generation import SINGLE, GenerationConfig, Generator, Step, profiles
from trtnet.generation.configuration import GREEDY
from trtnet.runtime import load
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import InputError
from trtnet.tools.generation.published import published_text


def load_generator(
    source: str | PathLike[str],
    *,
    capacity: int = 1024,
    dtype: DTypeLike = "float32",
    engine: str | PathLike[str] | None = None,
    batch: int = 1,
    drafted: int = 0,
    fixed: bool = True,
    quantization: Schemes | None = None,
) -> Generator:
    """The generator of a published model: Llama, Mistral, Qwen2, Qwen3, SmolLM2, Gemma or Phi-3.

    source: a folder of Hugging Face's with config.json, tokenizer.json and .safetensors, or a GGUF file. capacity: how
    many tokens a sequence may have. dtype: that the model computes in. engine: a plan file, which is built if it is not
    there, and run on the GPU; None runs the network on the CPU reference. batch: the most sequences of a new engine.
    drafted: the prompt_lookup_num_tokens that a new engine has a profile for. fixed: new engines take `batch` sequences
    each time, so that TensorRT knows the sizes of a step of single tokens, which is faster; prompts then have an engine
    of their own beside it, FILE.prompts, of 256 tokens a step unless there are guesses, and the weights are on the GPU
    twice. quantization: as in
    :class:`trtnet.Quantize`: "checkpoint" keeps the blocks of a quantized checkpoint; None makes floats of them.
    Raises CheckpointError and ModelError for what is no such model, BuildError, and DeviceError without a GPU for an
    engine.
    """
    found = published_text(Path(source), capacity)
    made = partial(
        Generator, tokenizer=found.tokenizer, eos_token_id=found.eos_token_id, chat_template=found.chat_template
    )
    options: dict[str, Any] = {"weights": found.weights, "dtype": dtype, "quantization": quantization}
    if engine is None:
        return made(define(Step(found.model), **options).reference())
    single, prompts = Path(engine), Path(f"{engine}.prompts")
    if not single.exists():
        chunk = min(256, capacity)
        sizes = {"batch": batch} if fixed else {}
        static = {"length": chunk, "count": 1} if fixed and not drafted else {}
        step = define(Step(found.model, sizes=sizes | static), **options)
        several = step.build({} if static else profiles(batch, chunk, drafted, fixed=fixed))
        several.save(prompts if fixed else single)
        if fixed:
            define(Step(found.model, sizes=sizes | SINGLE), **options).build().save(single)
    return made(load(single), prompts=load(prompts) if prompts.exists() else None, device="cuda")


def generate(
    source: str | PathLike[str] | Generator, prompt: str, config: GenerationConfig = GREEDY, *, chat: bool = False
) -> str:
    """The text that a language model writes after a prompt.

    source: a :class:`trtnet.Generator`, or a folder or GGUF file, which is read anew at each call and computed in
    float32: see ``trtnet.tools.generation.generate.load_generator``. chat: the prompt is a message, which the model's
    template puts into words.
    Returns the text, without the prompt.
    Raises what load_generator and the generator raise.
    """
    generator = source if isinstance(source, Generator) else load_generator(source)
    return generator([as_chat(generator, prompt) if chat else prompt], config)[0].text


def as_chat(generator: Generator, *messages: str) -> list[int]:
    """The tokens of messages of a user and of the model, in turn. Raises InputError without a template."""
    if generator.chat_template is None or generator.tokenizer is None:
        raise InputError("the model has no chat template: give it a plain prompt")
    roles = ("user", "assistant")
    text = generator.chat_template([{"role": roles[i % 2], "content": each} for i, each in enumerate(messages)])
    return generator.tokenizer.encode(text, add_special_tokens=False)
