"""Tensor parallelism on the GPUs of one host, one process a rank: results, times, and the check of collectives.

    NCCL_NVLS_ENABLE=0 python tests/benchmarks/tensor_parallel.py [--ranks 2] [--layers 32] [--parts ...] [--json FILE]

Parts: "check", engines whose collectives do nothing are refused at their first call; "threads", two ranks as threads of
one process; "vit", ViT-B/16 against one GPU and against the reference in lockstep; "small", the decode step of a
7B-shaped Llama of two layers, likewise; "decode", of all layers, against one GPU, with times. Weights are random,
float16, and made on the GPU. A part that fails says so, and the next one goes on.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.gpu.ranks import at_once, together, values

import trtnet
from trtnet import nn, ops
from trtnet.graph import Network
from trtnet.models.llama import Llama, LlamaConfig
from trtnet.models.vit import vit_b_16
from trtnet.support import backend

LLAMA = {"*.q_proj": "column", "*.k_proj": "column", "*.v_proj": "column", "*.o_proj": "row",
         "*.gate_proj": "column", "*.up_proj": "column", "*.down_proj": "row"}  # fmt: skip
VIT = {"*.self_attention": "column", "*.out_proj": "row", "*.mlp.0": "column", "*.mlp.3": "row"}
PAIR = {"first": "column", "second": "row"}
CACHES = {"*key_*": 1, "*value_*": 1}
SEVEN_B = {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
           "num_key_value_heads": 32, "tie_word_embeddings": False, "capacity": 1024}  # fmt: skip
HELD, CALLS, ROUNDS = 700, 50, 7
Arrays = dict[str, np.ndarray]


class Pair(nn.Module):
    """The smallest model with a sum over ranks."""

    def __init__(self) -> None:
        self.first, self.second = nn.Linear(64, 256), nn.Linear(256, 64)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.second(ops.relu(self.first(x)))


def random_weights(model: nn.Module, device: str) -> Arrays:
    """The same on every GPU of a kind: by their keys. Norms have ones, matrices a deviation of 0.02."""
    import torch

    found: Arrays = {}
    for key, parameter in model.named_parameters():
        if len(parameter.shape) == 1 and key.endswith("weight"):
            found[key] = np.ones(parameter.shape, np.float16)
            continue
        generator = torch.Generator(device).manual_seed(zlib.crc32(key.encode()))
        values_ = torch.randn(parameter.shape, generator=generator, device=device, dtype=torch.float16) * 0.02
        found[key] = values_.cpu().numpy()
    return found


def built(model: nn.Module, weights: Arrays, inputs: Any, plan: Mapping[str, str], rank: int, ranks: int) -> Any:
    """The engine of a rank."""
    return defined(model, weights, inputs, plan, rank, ranks).build()


def defined(model: nn.Module, weights: Arrays, inputs: Any, plan: Mapping[str, str], rank: int, ranks: int) -> Any:
    parallel = trtnet.TensorParallel(plan, rank, ranks, CACHES)
    return trtnet.define(model, inputs, weights, dtype="float16", parallel=parallel)


def opened(engine: Any, rank: int, ranks: int, meeting: str) -> Any:
    """The engine on the rank's GPU, with a communicator."""
    communicator = trtnet.Communicator(rank, ranks, meeting) if ranks > 1 else None
    found = engine.on(rank)
    found.options = trtnet.EngineOptions(communicator=communicator)
    return found


# check: engines whose collectives do nothing
def check_rank(rank: int, ranks: int, meeting: str, fault: str) -> str:
    """What the first call says of a fault: an engine built without num_ranks, or that of another rank."""
    model, inputs = Pair(), {"x": trtnet.Input((4, 64))}
    weights = random_weights(model, device_of(rank))
    number = 0 if fault == "the engine of rank 0 on every rank" else rank
    with without_ranks() if fault == "no num_ranks" else nullcontext():
        network = defined(model, weights, inputs, PAIR, number, ranks)
    engine = network.build()
    communicator = trtnet.Communicator(rank, ranks, meeting)
    engine = engine.on(rank)
    engine.options = trtnet.EngineOptions(communicator=communicator.capsule)
    try:
        result = engine(np.ones((4, 64), np.float16))
    except trtnet.TrtnetError as error:
        return f"{type(error).__name__}: {error}"
    expected = trtnet.define(model, inputs, weights, dtype="float16").reference()(np.ones((4, 64), np.float16))
    return f"it ran, relative L2 {error_of(result, expected):.1e}"


@contextmanager
def without_ranks() -> Iterator[None]:
    """Collectives are added as by someone who forgets to say how many ranks there are."""
    add = Network.add

    def forgetful(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "dist_collective":
            kwargs.pop("attributes")
        return add(self, method, *args, **kwargs)

    with mock.patch.object(Network, "add", forgetful):
        yield


def check(ranks: int) -> dict[str, Any]:
    faults = "none", "no num_ranks", "the engine of rank 0 on every rank"
    runs = at_once({fault: functools.partial(together, check_rank, ranks, fault, timeout=90) for fault in faults})
    found: dict[str, Any] = {fault: [str(x) for x in runs[fault]] for fault in faults}
    found["caught"] = [all("DeviceError" in one for one in found[fault]) for fault in faults[1:]]
    return found


# threads: both ranks in one process
def in_threads(_: int, __: int, meeting: str, ranks: int) -> list[str]:
    """Each rank a thread, which makes its communicator and calls its engine."""
    model, inputs = Pair(), {"x": trtnet.Input((4, 64))}
    weights = random_weights(model, device_of(0))
    engines = [built(model, weights, inputs, PAIR, rank, ranks) for rank in range(ranks)]
    found = ["did not end"] * ranks

    def run(rank: int) -> None:
        try:
            engine = opened(engines[rank], rank, ranks, meeting)
            found[rank] = f"ran, {float(np.abs(engine(np.ones((4, 64), np.float16))).mean()):.4f}"
        except Exception as error:
            found[rank] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return list(found)


def threads(ranks: int) -> dict[str, Any]:
    (found,) = together(in_threads, 1, ranks, timeout=90)
    return {"one process, a thread a rank": [str(found)] if isinstance(found, Exception) else found}


# ViT-B/16
def vit_rank(rank: int, ranks: int, meeting: str, settings: dict[str, int], alone: bool) -> dict[str, Any]:
    model = vit_b_16(**settings)
    image = np.random.default_rng(0).normal(size=(8, 3, model_side(settings), model_side(settings))).astype(np.float16)
    inputs = {"image": trtnet.Input(image.shape)}
    weights = random_weights(model, device_of(rank))
    engine = opened(
        built(model, weights, inputs, VIT, rank, 1 if alone else ranks), rank, 1 if alone else ranks, meeting
    )
    found = {"logits": engine(image)}
    if alone:
        networks = [defined(model, weights, inputs, VIT, each, 2) for each in range(2)]
        found["lockstep"] = trtnet.Lockstep([network.reference() for network in networks])(image)
        found["reference"] = trtnet.define(model, inputs, weights, dtype="float16").reference()(image)
    return found


def device_of(rank: int) -> str:
    """Where weights are made: a GPU is faster."""
    import torch

    return f"cuda:{rank}" if torch.cuda.is_available() else "cpu"


def model_side(settings: dict[str, int]) -> int:
    return settings.get("image_size", 224)


def vit(ranks: int) -> dict[str, Any]:
    runs = at_once(
        {
            "ranks": lambda: values(together(vit_rank, ranks, {}, False, timeout=180)),
            "one": lambda: values(together(vit_rank, 1, {}, True, timeout=180)),
        }
    )
    divided, (whole,) = values(list(runs.values()))
    return {
        "one GPU against the reference": error_of(whole["logits"], whole["reference"]),
        "ranks against one GPU": error_of(divided[0]["logits"], whole["logits"]),
        "ranks against the reference in lockstep": error_of(divided[0]["logits"], whole["lockstep"]),
        "lockstep against the reference": error_of(whole["lockstep"], whole["reference"]),
        "ranks equal each other": all(np.array_equal(divided[0]["logits"], x["logits"]) for x in divided),
    }


# the decode step
def decode_rank(
    rank: int, ranks: int, meeting: str, layers: int, alone: bool, lockstep: bool, folder: str
) -> dict[str, Any]:
    """One token after HELD others: results, median milliseconds, seconds of each stage."""
    started = time.perf_counter()
    seconds: dict[str, float] = {}

    def done(stage: str) -> None:
        nonlocal started
        seconds[stage] = round(time.perf_counter() - started, 1)
        print(f"rank {rank} of {1 if alone else ranks}: {stage} {seconds[stage]} s", file=sys.stderr, flush=True)
        started = time.perf_counter()

    model = Llama(LlamaConfig(**SEVEN_B, num_hidden_layers=layers))
    fixed = {"batch": 1, "length": 1}
    inputs = {
        name: trtnet.Input(tuple(fixed.get(str(n), n) for n in spec.shape), spec.dtype)
        for name, spec in model.inputs.items()
    }
    weights = random_weights(model, device_of(rank))
    done("weights")
    number = 1 if alone else ranks
    engine = opened(built(model, weights, inputs, LLAMA, rank, number), rank, number, meeting)
    done("build")
    feeds = feeds_of(inputs)
    call, logits, caches = called(engine, feeds, rank, number)
    call()
    done("load and first call")
    found: dict[str, Any] = {"logits": logits.cpu().numpy(), "ms": None, "seconds": seconds}
    found["new key"] = caches["key_0"][:, :, HELD].cpu().numpy()
    if folder:  # times are taken one engine after another
        _in_turn(folder, alone, lambda: found.update(ms=milliseconds(call)))
        done("times")
    if lockstep:
        del engine, call
        networks = [defined(model, weights, inputs, LLAMA, each, 2) for each in range(2)]
        found["lockstep"] = trtnet.Lockstep([network.reference() for network in networks])(**feeds)["logits"]
        done("lockstep on the CPU")
    return found


def _in_turn(folder: str, first: bool, work: Callable[[], None]) -> None:
    """The engine of one GPU first, then the ranks."""
    mark = _mark(folder)
    if first:
        work()
        mark.touch()
        return
    while not mark.exists():
        time.sleep(0.05)
    work()


def _mark(folder: str) -> Path:
    return Path(folder) / "one GPU is timed"


def feeds_of(inputs: Mapping[str, trtnet.Input]) -> Arrays:
    """Whole inputs of a call: caches of random keys and values for the tokens that are held."""
    rng = np.random.default_rng(1)
    feeds: Arrays = {"input_ids": np.array([[7]]), "write_indices": np.array([HELD], np.int32)}
    for name, spec in inputs.items():
        if name not in feeds:
            feeds[name] = np.zeros(spec.shape, np.float16)
            feeds[name][:, :, :HELD] = rng.normal(size=(spec.shape[0], spec.shape[1], HELD, spec.shape[3]))
    return feeds


def called(engine: Any, feeds: Arrays, rank: int, ranks: int) -> tuple[Callable[[], Any], Any, dict[str, Any]]:
    """(a call in place, the logits that it writes, the caches that it writes)."""
    import torch

    device = f"cuda:{rank}"
    torch.cuda.set_device(rank)
    divided = engine.info.divided
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(np.split(a, ranks, 1)[rank] if name in divided else a)).to(device)
        for name, a in feeds.items()
    }
    caches = {name: tensor for name, tensor in tensors.items() if name[0] in "kv"}
    (shape,) = (info.shape for info in engine.outputs if info.name == "logits")
    logits = torch.empty(shape, dtype=torch.float16, device=device)
    out = {"logits": logits} | {f"new_{name}": cache for name, cache in caches.items()}
    session = engine.session()

    def call() -> Any:
        session(**tensors, out=out)
        torch.cuda.synchronize(rank)
        return session

    return call, logits, caches


def milliseconds(call: Callable[[], Any]) -> dict[str, float]:
    """Of one call, waited for: the median of rounds, and the fastest and the slowest round."""
    for _ in range(10):
        session = call()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        rounds.append(1e3 * (time.perf_counter() - start) / CALLS)
    print(f"no CUDA graph: {session.no_cuda_graph or 'there is one'}", file=sys.stderr)
    return {"median": statistics.median(rounds), "least": min(rounds), "most": max(rounds)}


def decode(ranks: int, layers: int, lockstep: bool, timeout: float) -> dict[str, Any]:
    """One GPU and all ranks: built at the same time, timed one after another."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        given = "" if lockstep else folder

        def run(number: int, alone: bool) -> list[Any]:
            try:
                return values(together(decode_rank, number, layers, alone, lockstep and alone, given, timeout=timeout))
            finally:
                _mark(folder).touch()

        runs = at_once({"one": lambda: run(1, True), "ranks": lambda: run(ranks, False)})
    (one,), divided = values([runs["one"], runs["ranks"]])
    keys = np.concatenate([each["new key"] for each in divided], 1)
    result = {
        "layers": layers,
        "logits: ranks against one GPU": error_of(divided[0]["logits"], one["logits"]),
        "keys written: ranks against one GPU": error_of(keys, one["new key"]),
        "ranks equal each other": all(np.array_equal(divided[0]["logits"], x["logits"]) for x in divided),
        "seconds": [one["seconds"], *(each["seconds"] for each in divided)],
    }
    if lockstep:
        result["logits: ranks against the reference in lockstep"] = error_of(divided[0]["logits"], one["lockstep"])
    else:
        result["ms"] = {"one GPU": one["ms"], "ranks": [each["ms"] for each in divided]}
        result["times faster"] = one["ms"]["median"] / divided[0]["ms"]["median"]
    return result


def error_of(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2."""
    a, b = found.astype(np.float32), expected.astype(np.float32)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--ranks", type=int, default=2)
    options.add_argument("--layers", type=int, default=32)
    options.add_argument("--parts", nargs="+", default=["check", "threads", "vit", "small", "decode"])
    options.add_argument("--json")
    chosen = options.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "check": lambda: check(chosen.ranks),
        "threads": lambda: threads(chosen.ranks),
        "vit": lambda: vit(chosen.ranks),
        "small": lambda: decode(chosen.ranks, 2, True, 200),
        "decode": lambda: decode(chosen.ranks, chosen.layers, False, 420),
    }
    results: dict[str, Any] = {"backend": f"{backend.name()} {backend.version()}", "ranks": chosen.ranks}
    for part in chosen.parts:
        start = time.perf_counter()
        try:
            results[part] = parts[part]()
        except Exception as error:
            results[part] = {"failed": f"{type(error).__name__}: {error}"}
        results[part]["took"] = round(time.perf_counter() - start, 1)
        print(f"{part}: {json.dumps(results[part], indent=2)}", flush=True)
        if chosen.json:
            Path(chosen.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
