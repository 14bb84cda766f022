"""A decode step of Qwen2-0.5B's shape: trtnet's engine against the ONNX parser's, torch eager and torch.compile.

    python tests/benchmarks/decode.py [--forms decoding=fused]... [--routes onnx,trtnet] [--json FILE]
    python tests/benchmarks/decode.py --check       # the same on the CPU, two small layers, nothing timed

Random float16 weights, batch 1, 700 tokens in a cache of 1,024. torch's routes are transformers' model with its static
cache (max-autotune for torch.compile); the ONNX route is the same step with caches as inputs and outputs. Greedy tokens
are compared with transformers', which leads, wherever its best logit is 0.1 above the next.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import PEAK_BYTES, PEAK_FLOPS, medians
from gpu.onnx_engines import plan
from helpers import originals
from helpers.benchmarks import run

import trtnet
from trtnet.graph.layers.work import count
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.reference.onnx import parse
from trtnet.runtime import Engine

originals.import_torchvision()
from transformers import (  # noqa: E402
    Qwen2Config as TheirConfig,
    Qwen2ForCausalLM,
    StaticCache,
)
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb  # noqa: E402

HELD, STEPS, MARGIN = 700, 64, 0.1
QWEN2 = {"vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
         "num_attention_heads": 14, "num_key_value_heads": 2}  # fmt: skip
SMALL = {"vocab_size": 999, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip


class Step(torch.nn.Module):
    """One token with the caches as inputs and outputs, for the ONNX exporter."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, input_ids: torch.Tensor, position: torch.Tensor, *caches: torch.Tensor) -> tuple[Any, ...]:
        inner, config = self.model.model, self.config
        width = config.hidden_size // config.num_attention_heads
        x = inner.embed_tokens(input_ids)
        angles = inner.rotary_emb(x, position[:, None])
        mask = (torch.arange(caches[0].shape[2], device=x.device) <= position)[None, None, None]
        updated: list[torch.Tensor] = []
        for i, layer in enumerate(inner.layers):
            part, y = layer.self_attn, layer.input_layernorm(x)
            q, k, v = (f(y).view(1, 1, -1, width).transpose(1, 2) for f in (part.q_proj, part.k_proj, part.v_proj))
            q, k = apply_rotary_pos_emb(q, k, *angles)
            updated += [cache.index_copy(2, position, new) for cache, new in zip(caches[2 * i :], (k, v), strict=False)]
            repeats = config.num_attention_heads // config.num_key_value_heads
            keys, values = (cache.repeat_interleave(repeats, 1) for cache in updated[-2:])
            y = torch.nn.functional.scaled_dot_product_attention(q, keys, values, mask)
            x = x + part.o_proj(y.transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.model.lm_head(inner.norm(x)), *updated


class Transformers:
    """The original with its static cache."""

    def __init__(self, model: Any, held: int, capacity: int) -> None:
        self.model, self.held = model, held
        self.cache = StaticCache(config=model.config, max_cache_len=capacity)
        generator = torch.Generator().manual_seed(1)
        prompt = torch.randint(0, model.config.vocab_size, (1, held), generator=generator).to(model.device)
        self.first = self.call(prompt, model)[:, -1:].argmax(-1)

    def call(self, ids: torch.Tensor, function: Callable[..., Any]) -> torch.Tensor:
        return function(input_ids=ids, past_key_values=self.cache, use_cache=True).logits

    def caches(self) -> list[torch.Tensor]:
        """Copies, the keys and the values of each layer."""
        return [x.clone() for layer in self.cache.layers for x in (layer.keys, layer.values)]

    def reset(self) -> None:
        for layer in self.cache.layers:
            layer.cumulative_length.fill_(self.held)


def model_of(sizes: dict[str, int], dtype: torch.dtype, device: str) -> Any:
    torch.manual_seed(0)
    rope = {"rope_theta": 1000000.0, "rope_type": "default"}
    config = TheirConfig(**sizes, tie_word_embeddings=True, rope_parameters=rope)
    model = Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
    return model.to(dtype).to(device)


def network_of(model: Any, sizes: dict[str, int], capacity: int, dtype: str, forms: dict[str, str]) -> Any:
    module = Qwen2(Qwen2Config(**sizes, capacity=capacity))
    fixed = {"batch": 1, "length": 1}
    inputs = {
        name: trtnet.Input(tuple(fixed.get(str(n), n) for n in spec.shape), spec.dtype)
        for name, spec in module.inputs.items()
    }
    state = {key: value.cpu() for key, value in model.state_dict().items() if key != "lm_head.weight"}
    return trtnet.define(module, inputs, state, dtype=dtype, forms=forms)


def onnx_of(model: Any, caches: list[torch.Tensor], held: int) -> tuple[Any, list[str]]:
    """NVIDIA's parser's network, and the names of its inputs."""
    ids, position = torch.zeros(1, 1, dtype=torch.int64), torch.tensor([held])
    step, arguments = Step(model.cpu()).eval(), (ids, position, *(x.cpu() for x in caches))
    with warnings.catch_warnings(), io.BytesIO() as file:
        warnings.simplefilter("ignore")
        torch.onnx.export(step, arguments, dynamo=True, verbose=False).save(file)
        parsed = parse(file.getvalue())
    return parsed, [info.name for info in parsed.reference().inputs]


def ours_called(engine: Engine, first: torch.Tensor, caches: list[torch.Tensor], held: int) -> Callable[..., Any]:
    session = engine.session()
    position = torch.full((1,), held, dtype=torch.int32, device="cuda")
    names = [info.name for info in engine.inputs][2:]
    fixed = dict(zip(names, caches, strict=True))
    logits = torch.empty(1, 1, engine.outputs[0].shape[2], dtype=torch.float16, device="cuda")
    out = {"logits": logits} | {f"new_{name}": cache for name, cache in fixed.items()}

    def call(ids: torch.Tensor = first, at: torch.Tensor = position) -> torch.Tensor:
        session(input_ids=ids, write_indices=at, out=out, **fixed)
        return logits

    return call


def onnx_called(engine: Engine, first: torch.Tensor, caches: list[torch.Tensor], held: int) -> Callable[..., Any]:
    session = engine.session()
    position = torch.full((1,), held, dtype=torch.int64, device="cuda")
    given = [first, position, *caches]
    shapes = [(1, 1, engine.outputs[0].shape[2]), *(tuple(x.shape) for x in caches)]
    out = {
        info.name: torch.empty(shape, dtype=torch.float16, device="cuda")
        for info, shape in zip(engine.outputs, shapes, strict=True)
    }

    def call() -> torch.Tensor:
        session(*given, out=out)
        return next(iter(out.values()))

    return call


def agreement(theirs: Transformers, call: Callable[..., torch.Tensor]) -> dict[str, int]:
    """Greedy tokens over the steps: transformers leads, so that both see the same tokens."""
    theirs.reset()
    ids, found = theirs.first.clone(), {"steps": STEPS, "clear": 0, "equal where clear": 0, "equal": 0}
    for step in range(STEPS):
        at = torch.full((1,), theirs.held + step, dtype=torch.int32, device=ids.device)
        logits = call(ids, at)[0, 0].float().clone()
        wanted = theirs.call(ids, theirs.model)[0, -1].float()
        best = wanted.topk(2)
        same, clear = bool(logits.argmax() == best.indices[0]), bool(best.values[0] - best.values[1] >= MARGIN)
        found["equal"] += same
        found["clear"] += clear
        found["equal where clear"] += same and clear
        ids = best.indices[:1].reshape(1, 1)
    theirs.reset()
    return found


def routes(chosen: list[str], forms: list[dict[str, str]]) -> Iterator[tuple[str, Any]]:
    model = model_of(QWEN2, torch.float16, "cuda")
    theirs = Transformers(model, HELD, 1024)
    caches = theirs.caches()
    if "onnx" in chosen:
        parsed, names = onnx_of(model_of(QWEN2, torch.float16, "cpu"), caches, HELD)
        shapes = [(1, 1), (1,), *(tuple(x.shape) for x in caches)]
        built = plan(parsed, dict(zip(names, shapes, strict=True)))
        assert built is not None, "the ONNX parser's network does not build"
        yield "onnx", onnx_called(Engine(built), theirs.first, [x.clone() for x in caches], HELD)
    for choice in forms if "trtnet" in chosen else []:
        network = network_of(model, QWEN2, 1024, "float16", choice)
        work = count(network.trt)
        yield "floor", 1e3 * max(work.flops / PEAK_FLOPS, work.minimum_bytes / PEAK_BYTES)
        label = " ".join(["trtnet", *(f"{kind}={form}" for kind, form in choice.items())])
        call = ours_called(network.build(), theirs.first, [x.clone() for x in caches], HELD)
        yield f"tokens of {label}", agreement(theirs, call)
        yield label, call
    if "eager" in chosen:
        theirs.reset()
        yield "eager", lambda: theirs.call(theirs.first, model)
    if "compile" in chosen:
        compiled = torch.compile(model, mode="max-autotune")
        other = Transformers(model, HELD, 1024)
        yield "compile", lambda: other.call(other.first, compiled)


def measure(chosen: list[str], forms: list[dict[str, str]]) -> dict[str, Any]:
    results: dict[str, Any] = {"case": f"qwen2-0.5b decode, {HELD} of 1024"}
    calls = {}
    for name, value in routes(chosen, forms):
        if callable(value):
            for _ in range(4):
                value()
            calls[name] = value
        else:
            results[name] = value
    return results | medians(calls, rounds=5, calls=20)


def check() -> None:
    """Every route of a small model on the CPU gives transformers' logits."""
    model = model_of(SMALL, torch.float32, "cpu")
    theirs = Transformers(model, 5, 16)
    caches = theirs.caches()
    network = network_of(model, SMALL, 16, "float32", {})
    network.build()
    reference, names = network.reference(), [name for name in network.inputs if name[0] in "kv"]
    held = dict(zip(names, caches, strict=True))

    def call(ids: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        outputs = reference(input_ids=ids, write_indices=at, **held)
        held.update({name: outputs[f"new_{name}"] for name in names})
        return outputs["logits"]

    global STEPS
    STEPS = 8
    found = agreement(theirs, call)
    print(found)
    assert found["equal"] == STEPS
    caches = theirs.caches()
    step = Step(model)(theirs.first, torch.tensor([5]), *caches)[0]
    parsed, names = onnx_of(model, caches, 5)
    onnx = parsed.reference()(theirs.first, torch.tensor([5]), *caches)
    onnx = next(iter(onnx.values()))
    wanted = theirs.call(theirs.first, model)
    for name, logits in (("step", step), ("onnx", onnx)):
        error = float((logits - wanted).norm() / wanted.norm())
        print(name, f"relative L2 {error:.1e}")
        assert error < 1e-5
    assert plan(parsed, dict(zip(names, [(1, 1), (1,), *(tuple(x.shape) for x in caches)], strict=True)))


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, printed."""
    forms = [dict(pair.split("=") for pair in text.split(",") if pair) for text in chosen.forms or [""]]
    results = measure(chosen.routes.split(","), forms)
    print({key: round(v, 3) if isinstance(v, float) else v for key, v in results.items()}, flush=True)
    return results


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--forms", action="append")
    options.add_argument("--routes", default="eager,compile,onnx,trtnet")
    run(options, check, measured)


if __name__ == "__main__":
    main()
