"""Tokens a second of SmolLM2-135M's shape: trtnet's generator against transformers, eager and compiled.

    python tests/benchmarks/generate.py [--batches 1,8,64] [--routes fixed,named,eager,compile,tensorrt] [--json FILE]
    python tests/benchmarks/generate.py --check       # the same on the CPU, two small layers, nothing timed

Random float16 weights, prompts of 32 tokens, 128 tokens, caches of 256. The route "fixed" has an engine for single
tokens of a known batch and one for prompts, "named" one engine for any batch; both choose tokens in the network, greedy
and sampled. transformers' routes are its model with its static cache, greedy, in a loop of its own steps (mode
reduce-overhead for torch.compile); "tensorrt" is its model by Torch-TensorRT, whole, caches in and out, a CUDA graph;
where that is not installed or fails, it says why. The bare step is the decode step alone, by events; the generator's
time a token, with its part of the prompt's step, is given over it. What the choice takes is its difference to a step
without; --ways says how many levels each round of it compares with.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals
from helpers.benchmarks import TURN, reason, run
from helpers.torch_tensorrt_route import SingleToken, compiled

import trtnet
from trtnet import models
from trtnet.generation import SINGLE, GenerationConfig, Generator, Step, profiles
from trtnet.ops.transformers import sampling

originals.import_torchvision()
from transformers import LlamaConfig, LlamaForCausalLM, StaticCache  # noqa: E402

PROMPT, NEW, CAPACITY = 32, 128, 256
SAMPLED = GenerationConfig(NEW, temperature=0.8, top_k=50, top_p=0.95, repetition_penalty=1.1)
SMOLLM2 = {"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
           "num_attention_heads": 9, "num_key_value_heads": 3}  # fmt: skip
SMALL = {"vocab_size": 999, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip


def original(sizes: dict[str, int], dtype: torch.dtype, device: str) -> Any:
    torch.manual_seed(0)
    rope = {"rope_theta": 100000.0, "rope_type": "default"}
    config = LlamaConfig(**sizes, tie_word_embeddings=True, rope_parameters=rope, eos_token_id=None, bos_token_id=None)
    return LlamaForCausalLM(config).eval().to(dtype).to(device)


def network_of(model: Any, dtype: str, sampling: bool = True, **sizes: int) -> Any:
    state = {key: value.cpu() for key, value in model.state_dict().items() if key != "lm_head.weight"}
    step = Step(models.llama(model.config.to_dict(), capacity=CAPACITY), sampling=sampling, sizes=sizes)
    return trtnet.define(step, weights=state, dtype=dtype)


def prompts(batch: int, vocabulary: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(0, vocabulary, (batch, PROMPT), generator=generator).tolist()


def theirs(model: Any, step: Callable[..., Any], cache: StaticCache, ids: torch.Tensor, new: int) -> torch.Tensor:
    """Greedy tokens of transformers' model over its static cache, the same one at each call."""
    cache.reset()
    tokens = model(input_ids=ids, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)
    found = [tokens]
    for _ in range(new - 1):
        tokens = step(input_ids=tokens, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1).clone()
        found.append(tokens)
    return torch.cat(found, 1)


def theirs_without_state(model: Any, step: Callable[..., Any], cache: StaticCache, ids: torch.Tensor, new: int) -> Any:
    """The same by a step that takes and returns the caches."""
    cache.reset()
    tokens = model(input_ids=ids, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)
    held = [each for layer in cache.layers for each in (layer.keys, layer.values)]
    found, places = [tokens], torch.arange(PROMPT, PROMPT + new, device=ids.device)
    for i in range(new - 1):
        logits, *held = step(tokens, places[i : i + 1], *held)
        tokens = logits[:, -1:].argmax(-1)
        found.append(tokens)
    return torch.cat(found, 1)


def by_torch_tensorrt(model: Any, batch: int) -> Callable[..., Any]:
    """Its step. Raises what compiling raises, and AssertionError where it computes something else than torch."""
    with torch.inference_mode(False):
        config, step, random = model.config, SingleToken(model), torch.Generator("cuda").manual_seed(0)
        sizes = (batch, config.num_key_value_heads, CAPACITY, config.hidden_size // config.num_attention_heads)
        held = [
            torch.randn(sizes, generator=random, device="cuda", dtype=torch.float16)
            for _ in range(2 * config.num_hidden_layers)
        ]
        given = [torch.tensor(prompts(batch, config.vocab_size), device="cuda")[:, :1], torch.tensor([PROMPT]).cuda()]
        made = compiled(step, [*given, *held])
    for found, wanted in zip(made(*given, *held), step(*given, *held), strict=True):
        error = float((found.float() - wanted.float()).norm() / wanted.float().norm())
        assert error < 3e-2, f"relative L2 {error:.2g} from torch"
    return made


def seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    """The least of some calls, each to its end, after one that warms up."""
    times = []
    for _ in range(1 + repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def bare_step(engine: Any, batch: int) -> float:
    """Seconds of the decode step alone: the same tensors again, as a CUDA graph."""
    session = engine.session()
    sizes = {"batch": batch, **SINGLE}
    given = {
        info.name: torch.ones(
            [size if isinstance(size, int) else sizes[size] for size in info.shape],
            dtype=getattr(torch, info.dtype), device="cuda",
        )
        for info in engine.inputs
    }  # fmt: skip
    given["places"].zero_()
    given["write_indices"].fill_(PROMPT + NEW // 2)
    out = {f"new_{name}": given[name] for name in given if name.startswith(("key_", "value_", "history"))}
    out["tokens"] = torch.empty(batch, 1, dtype=torch.int64, device="cuda")
    for _ in range(8):
        session(**given, out=out)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(50):
        session(**given, out=out)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 50 / 1e3


def engines(model: Any, route: str, batch: int) -> list[Any]:
    """For single tokens, for prompts, and for single tokens without the choice of them."""
    if route == "fixed":
        return [
            network_of(model, "float16", batch=batch, **SINGLE).build(),
            network_of(model, "float16", batch=batch).build(profiles(batch, PROMPT, fixed=True)),
            network_of(model, "float16", sampling=False, batch=batch, **SINGLE).build(),
        ]
    plain = network_of(model, "float16", sampling=False).build(profiles(batch, PROMPT))
    return [network_of(model, "float16").build(profiles(batch, PROMPT))] * 2 + [plain]


def ours(made: list[Any], route: str, batch: int, report: Callable[[str, float], None]) -> None:
    """One route and batch. made: its engines."""
    single, prompting, plain = made
    given = prompts(batch, SMOLLM2["vocab_size"])
    generator = Generator(single, prompts=prompting, device="cuda", chunk=PROMPT)
    for engine in (single, plain):  # whose kernels are compiled here
        bare_step(engine, batch)
    generator(given, GenerationConfig(2))
    with TURN:
        bare = bare_step(single, batch)
        report(f"{route}, batch {batch}: ms of the bare step", 1e3 * bare)
        report(f"{route}, batch {batch}: ms of it for the choice of tokens", 1e3 * (bare - bare_step(plain, batch)))
        for name, config in (("greedy", GenerationConfig(NEW)), ("sampled", SAMPLED)):
            took = seconds(partial(generator, given, config))
            report(f"{route}, batch {batch}, {name}: tokens/s", batch * NEW / took)
            report(f"{route}, batch {batch}, {name}: time a token over the bare step's", took / NEW / bare)


def measure_torch_tensorrt(model: Any, batches: list[int], report: Callable[[str, float], None]) -> None:
    for batch in batches:
        try:
            step, cache = by_torch_tensorrt(model, batch), StaticCache(config=model.config, max_cache_len=CAPACITY)
            given = torch.tensor(prompts(batch, SMOLLM2["vocab_size"]), device="cuda")
            theirs_without_state(model, step, cache, given, 4)
            with TURN:
                call = partial(theirs_without_state, model, step, cache, given, NEW)
                report(f"tensorrt, batch {batch}: tokens/s", batch * NEW / seconds(call, repeats=1))
        except Exception as error:  # another tool's: said, and the next batch is tried
            print(f"tensorrt, batch {batch}: skipped, {reason(error)}", flush=True)


def measure(batches: list[int], routes: list[str]) -> dict[str, float]:
    """Tokens a second by route and batch; each is printed as it comes, the compiled one last."""
    with torch.inference_mode(False):  # Torch-TensorRT exports it
        model = original(SMOLLM2, torch.float16, "cuda").requires_grad_(False)
    found: dict[str, float] = {}

    def report(name: str, value: float) -> None:
        found[name] = value
        print(f"{name}: {value:.4g}", flush=True)

    made = engines(model, "named", max(batches)) if "named" in routes else []
    for route in [route for route in ("fixed", "named") if route in routes]:
        for batch in batches:
            ours(made if route == "named" else engines(model, route, batch), route, batch, report)
    steps = {"eager": model, "compile": torch.compile(model, mode="reduce-overhead")}
    for name in [name for name in steps if name in routes]:
        for batch in batches:
            cache = StaticCache(config=model.config, max_cache_len=CAPACITY)
            given = torch.tensor(prompts(batch, SMOLLM2["vocab_size"]), device="cuda")
            theirs(model, steps[name], cache, given, 4)
            with TURN:
                call = partial(theirs, model, steps[name], cache, given, NEW)
                report(f"{name}, batch {batch}: tokens/s", batch * NEW / seconds(call, repeats=1))
    if "tensorrt" in routes:
        measure_torch_tensorrt(model, batches, report)
    return found


def check() -> None:
    """On the CPU, the generator over the reference gives the tokens of transformers' loop."""
    model = original(SMALL, torch.float32, "cpu")
    network_of(model, "float32").build(profiles(4, PROMPT))
    several = network_of(model, "float32", batch=4)
    several.build(profiles(4, PROMPT, fixed=True))
    given = prompts(3, SMALL["vocab_size"])
    single = network_of(model, "float32", batch=4, **SINGLE)
    single.build()
    generator = Generator(single.reference(), prompts=several.reference(), chunk=PROMPT)
    found = generator(given, GenerationConfig(12))
    cache = StaticCache(config=model.config, max_cache_len=CAPACITY)
    for _ in range(2):
        wanted = theirs(model, model, cache, torch.tensor(given), 12)
        assert [each.tokens for each in found] == wanted.tolist()
        assert theirs_without_state(model, SingleToken(model), cache, torch.tensor(given), 12).equal(wanted)
    print("equal")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--batches", default="1,8,64")
    options.add_argument("--routes", default="fixed,named,eager,compile,tensorrt")
    options.add_argument("--ways", type=int, choices=(2, 4, 8, 16, 64), default=sampling.WAYS)

    def measured(given: argparse.Namespace) -> dict[str, float]:
        sampling.WAYS, sampling.ROUNDS = given.ways, 24 // (given.ways.bit_length() - 1)
        return measure([int(n) for n in given.batches.split(",")], given.routes.split(","))

    run(options, check, measured)


if __name__ == "__main__":
    main()
