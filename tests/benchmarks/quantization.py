"""Quantized networks on a GPU: time, error, memory, and in which dtype each product really computes.

    python tests/benchmarks/quantization.py FOLDER [--only REGEX] [--jobs 16] [--limit 330] [--out FOLDER]
    python tests/benchmarks/quantization.py FOLDER --build     # builds alone, for 8.9, which needs no GPU
    python tests/benchmarks/quantization.py --table FILE       # the tables of results.json again

Engines are built and their kernels compiled in parallel processes, then timed as CUDA graphs in one process, those of a
group in turns; medians of CUDA event times. Errors are relative L2: of the engine from the reference executor, which
executes the same quantized network, and from float32. Each engine is audited. The folder of --out gets results.json,
and inspect.zip with what the engine inspector says of each engine. Groups:

    schemes, convolutions   two products or convolutions, every scheme
    published               a product with each checkpoint of tests/data/quantized
    perceptron, row         1,024 rows and one row, 4096 -> 16384 -> 4096
    placed ROWSxCOLUMNSxN   a product, with the scales of its channels in several places; "of float32" is then exact
    planted                 what shall fall back: float8 in blocks of 128 x 128, activations a token
    vit                     ViT-B/16, 32 images
    decode                  a step of 4 layers of Llama 7B, one sequence, 700 tokens of a cache of 1,024
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.definition import quantized_networks as networks

import trtnet
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.definition.quantization import NAMED
from trtnet.models.llama import llama
from trtnet.ops.formulations import APPROXIMATIONS
from trtnet.runtime.profiling import layer_times
from trtnet.support import backend
from trtnet.tools.audit.audit import examine
from trtnet.tools.audit.report import to_json
from trtnet.tools.bench.other_tools.against import engine_call, in_turns, relative_l2
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.statistics import summarize
from trtnet.tools.inspect.engine import parse

PUBLISHED = Path(__file__).parents[1] / "data" / "quantized"
FLOATS = "float16"
SCHEMES = [name for name, scheme in NAMED.items() if scheme is not None]
OF_CHANNELS = [name for name in SCHEMES if isinstance(NAMED[name].block, str)]
WIDTH, INNER, BATCH, LAYERS, HELD, CAPACITY = 4096, 16384, 32, 4, 700, 1024
PLACED = {"64x1024x2048": (64, 1024, 2048), "1024x4096x4096": (1024, 4096, 4096), "6304x768x3072": (6304, 768, 3072)}
"""Rows, columns of the inputs, and of the result."""
LINEARS = "in_proj out_proj mlp"
PROFILED = re.compile(r"^vit (float16|int8)|^decode (float16|int8_weights|int4_weights)$|^perceptron int8$")


@dataclass(frozen=True)
class Case:
    """An engine. scheme: of its weights, "float16" for none. fits: words in the keys of what is quantized."""

    group: str
    name: str
    scheme: str
    fits: str = ""
    forms: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.group} {self.name}"

    def file(self, folder: Path, suffix: str) -> Path:
        return folder / (re.sub(r"[^a-zA-Z0-9]+", "_", str(self)) + suffix)


def cases() -> Iterator[Case]:
    """The largest first: they take the longest to build."""
    for scheme in (FLOATS, "int4_weights", "int8_weights", "fp8_weights", "fp8_blocks", "mxfp8_weights", "int8", "fp8"):
        yield Case("decode", scheme, scheme)
    for form in ("", "tanh", "polynomial", "polynomial_float16"):
        forms = {"gelu": form} if form else {}
        for scheme in (FLOATS, "int8"):
            yield Case("vit", f"{scheme} gelu={form}" if form else scheme, scheme, LINEARS, forms)
    yield Case("vit", "int8 layer_norm=decomposed", "int8", LINEARS, {"layer_norm": "decomposed"})
    tanh = {"gelu": "tanh"}
    yield Case("vit", "int8 perceptrons, gelu=tanh", "int8", "mlp", tanh)
    yield Case("vit", "int8 all but the output of attention, gelu=tanh", "int8", "in_proj mlp", tanh)
    yield Case("vit", "int8 gelu=tanh, layer_norm=decomposed", "int8", LINEARS, tanh | {"layer_norm": "decomposed"})
    yield Case("vit", "fp8 gelu=tanh", "fp8", LINEARS, tanh)
    for group in ("perceptron", "row"):
        for scheme in (FLOATS, "int8", "fp8", "int8_weights", "int4_weights", "fp8_weights"):
            yield Case(group, scheme, scheme)
    for size in PLACED:
        for dtype in ("int8", "float8_e4m3fn"):
            for placement in networks.PLACEMENTS:
                yield Case(f"placed {size}", f"{dtype}, {placement}", "placed")
    yield Case("planted", "fp8_blocks", "fp8_blocks")
    yield Case("planted", "activations a token", "per_token")
    for scheme in (FLOATS, *SCHEMES):
        yield Case("schemes", scheme, scheme)
    for scheme in (FLOATS, *OF_CHANNELS):
        yield Case("convolutions", scheme, scheme)
    for folder in sorted(PUBLISHED.iterdir()):
        if (folder / "config.json").exists() and folder.name != "gpt_oss":
            yield Case("published", folder.name, "checkpoint")


def inputs_of(case: Case) -> dict[str, torch.Tensor]:
    """What the engine is called with, but for caches, which are made on the GPU."""
    if case.group == "decode":
        return {"input_ids": torch.ones(1, 1, dtype=torch.int64), "write_indices": torch.full((1,), HELD).int()}
    shapes = {
        "perceptron": (1024, WIDTH), "row": (1, WIDTH), "planted": (1024, WIDTH), "schemes": (64, 1024),
        "convolutions": (8, 64, 56, 56), "vit": (BATCH, 3, 224, 224),
    }  # fmt: skip
    if case.group.startswith("placed"):
        return {"x": networks.random(7, *PLACED[case.group.split()[1]][:2]).half()}
    shape = (16, columns_of(case)[1]) if case.group == "published" else shapes[case.group]
    return {"image" if case.group == "vit" else "x": networks.random(7, *shape).half()}


def columns_of(case: Case) -> tuple[int, ...]:
    """The shape of a published weight."""
    found = quantization_of(PUBLISHED / case.name / "model.safetensors")
    assert found is not None
    return found.weights["up.weight"].read().shape


def model_of(case: Case) -> tuple[Any, Any]:
    """The model and its weights."""
    if case.group == "decode":
        config = networks.decoder_config(LAYERS, CAPACITY)
        return llama(config), networks.decoder_weights(config)
    if case.group == "vit":
        from benchmarks.latency import torch_model

        return trtnet.models.vit_b_16(), torch_model("vit_b_16").state_dict()
    if case.group.startswith("placed"):
        return placed(case), {}
    if case.group == "convolutions":
        return networks.Convolutions(64), networks.convolution_weights(64)
    if case.group == "published":
        return networks.Up(*columns_of(case)), PUBLISHED / case.name / "model.safetensors"
    sizes = (1024, 2048) if case.group == "schemes" else (WIDTH, INNER)
    return networks.Perceptron(*sizes), networks.perceptron_weights(*sizes)


def placed(case: Case) -> networks.Placed:
    dtype, _, placement = case.name.partition(", ")
    _, columns, rows = PLACED[case.group.split()[1]]
    return networks.Placed(placement, dtype, rows, columns)


def quantization_for(case: Case, model: Any, weights: Any, folder: Path) -> tuple[Any, Any]:
    """(weights, quantization) for define."""
    if case.scheme in (FLOATS, "placed"):
        return weights, None
    if case.scheme == "checkpoint":
        return weights, trtnet.Quantize("checkpoint", fallback="warn")
    if case.scheme == "per_token":
        file = networks.per_token_checkpoint(case.file(folder, ""), weights)
        return file, trtnet.Quantize("checkpoint", fallback="warn")
    if case.group == "decode":  # after a norm, values are within 5 of 0
        most = {"int8": 5 / 127, "float8_e4m3fn": 5 / 448}
        return weights, networks.schemes_for(case.scheme, {f"model.layers.*{n}_proj": most for n in "qkvoepn"})
    call = {name: x[:4].float().numpy() for name, x in inputs_of(case).items()}
    declared = {name: trtnet.Input(x.shape) for name, x in call.items()}
    scales = {key: {} for key in weights if weights[key].ndim > 1} if networks.scale_free(case.scheme) else None
    if scales is None:
        scales = networks.calibrated(model, declared, weights, call)
    return weights, networks.schemes_for(case.scheme, scales, case.fits)


def network_of(case: Case, folder: Path, capabilities: tuple[str, ...]) -> Any:
    model, weights = model_of(case)
    weights, quantization = quantization_for(case, model, weights, folder)
    if case.group == "decode":
        fixed = {"batch": 1, "length": 1}
        declared = {
            name: trtnet.Input(tuple(fixed.get(str(n), n) for n in spec.shape), spec.dtype)
            for name, spec in model.inputs.items()
        }
    else:
        declared = {name: trtnet.Input(tuple(x.shape)) for name, x in inputs_of(case).items()}
    return trtnet.define(
        model, declared, weights, dtype="float16", quantization=quantization, forms=case.forms,
        approximations=any(form in APPROXIMATIONS.get(kind, ()) for kind, form in case.forms.items()),
        compute_capabilities=capabilities, strict=case.group != "published",
    )  # fmt: skip


def build(folder: Path, case: Case, capabilities: tuple[str, ...]) -> dict[str, Any]:
    """One engine, its audit and its reference's outputs; "skipped" says why there is none."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    try:
        with torch.inference_mode():
            network = network_of(case, folder, capabilities)
            facts: dict[str, Any] = {"define": time.perf_counter() - began}
            if case.group in ("schemes", "convolutions", "published"):
                arrays = {name: x.numpy() for name, x in inputs_of(case).items()}
                np.save(case.file(folder, ".npy"), network.reference()(**arrays))
            engine = network.build(None, trtnet.BuildConfig(compute_capabilities=capabilities))
            facts |= {"build": time.perf_counter() - began, "plan": len(engine.plan.data)}
            engine.save(case.file(folder, ".engine"))
            if torch.cuda.is_available():
                facts |= looked_at(folder, case)
    except trtnet.TrtnetError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return {"skipped": " / ".join(line[:200] for line in lines[:3])}
    return facts | {"seconds": time.perf_counter() - began}


def looked_at(folder: Path, case: Case) -> dict[str, Any]:
    """What the engine says of itself; its kernels are compiled."""
    engine = trtnet.load(case.file(folder, ".engine"))
    try:
        called(engine, case)
        found = engine.inspect()
        case.file(folder, ".layers.json").write_text(found.layers)
        return {"memory": found.memory, "audit": to_json(examine(str(case), parse(found.layers), engine.info))}
    finally:
        engine.close()


def build_shares(folder: Path, chosen: list[Case], given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """All engines, in processes: those that take long in one each, the others several in one."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in chosen:
        case.file(folder, ".facts.json").unlink(missing_ok=True)
    large = [[case] for case in chosen if case.group in ("decode", "vit", "perceptron", "planted")]
    small = [case for case in chosen if [case] not in large]
    shares = [*large, *(small[start::12] for start in range(min(12, len(small))))]
    with ThreadPoolExecutor(given.jobs) as pool:
        for future in [pool.submit(build_share, folder, share, given.build) for share in shares]:
            future.result()
    return {str(case): json.loads(case.file(folder, ".facts.json").read_text()) for case in chosen}


def build_share(folder: Path, share: list[Case], alone: bool) -> None:
    """A process for the cases; another one for the rest where the system ends it, which is a row of the table."""
    left = share
    while left:
        names = "|".join(f"^{re.escape(str(case))}$" for case in left)
        command = [sys.executable, __file__, str(folder), "--process", "--only", names, *(["--build"] * alone)]
        done = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True)
        left = [case for case in left if not case.file(folder, ".facts.json").exists()]
        if left:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
            why = {"skipped": f"its process ended with {done.returncode}: {' / '.join(said)[-300:]}"}
            left[0].file(folder, ".facts.json").write_text(json.dumps(why))
            left = left[1:]


def process(folder: Path, chosen: list[Case], capabilities: tuple[str, ...]) -> None:
    for case in chosen:
        facts = build(folder, case, capabilities)
        case.file(folder, ".facts.json").write_text(json.dumps(facts))


def called(engine: Any, case: Case) -> Callable[[], Any]:
    """Calls of the engine with everything in place on the GPU."""
    tensors = {name: x.cuda() for name, x in inputs_of(case).items()}
    if case.group != "decode":
        return engine_call(engine, tensors)
    session = engine.session()
    caches = {
        info.name: (networks.random(index, *info.shape) / 10).half().cuda()
        for index, info in enumerate(engine.inputs)
        if info.name not in tensors
    }
    logits = torch.empty(1, 1, engine.outputs[0].shape[2], dtype=torch.float16, device="cuda")
    out = {"logits": logits, **{f"new_{name}": cache for name, cache in caches.items()}}

    def call() -> Any:
        session(**tensors, **caches, out=out)
        return logits

    for _ in range(3):
        call()
    if session.no_cuda_graph:
        raise trtnet.TrtnetError(f"the engine's calls do not run as CUDA graphs: {session.no_cuda_graph}")
    return call


def expected(group: str, chosen: list[Case]) -> torch.Tensor | None:
    """What float32 gives, on the GPU."""
    tensors = {name: x.float().cuda() for name, x in inputs_of(chosen[0]).items()}
    if group == "vit":
        from benchmarks.latency import torch_model

        found: torch.Tensor = torch_model("vit_b_16").cuda()(tensors["image"])
        return found
    weights = {key: torch.from_numpy(x).cuda() for key, x in model_of(chosen[0])[1].items()} if group in (
        "perceptron", "row", "planted", "schemes", "convolutions") else {}  # fmt: skip
    if group == "convolutions":
        x = tensors["x"]
        y = torch.relu(torch.conv2d(x, weights["conv1.weight"], weights["conv1.bias"], padding=1))
        return torch.relu(torch.conv2d(y, weights["conv2.weight"], weights["conv2.bias"]) + x)
    if weights:
        linear = torch.nn.functional.linear
        y = torch.relu(linear(tensors["x"], weights["fc1.weight"], weights["fc1.bias"]))
        return linear(y, weights["fc2.weight"], weights["fc2.bias"])
    return None


@torch.inference_mode()
def timed(folder: Path, group: str, chosen: list[Case], facts: dict[str, dict[str, Any]], rounds: int = 7) -> None:
    """Adds times and errors of a group's engines to their facts."""
    engines: dict[str, Any] = {}
    calls: dict[str, Callable[[], Any]] = {}
    for case in (case for case in chosen if "skipped" not in facts[str(case)]):
        try:
            free = torch.cuda.mem_get_info()[0]
            engines[str(case)] = engine = trtnet.load(case.file(folder, ".engine"))
            calls[str(case)] = called(engine, case)
            facts[str(case)]["gpu"] = free - torch.cuda.mem_get_info()[0]
        except Exception as error:  # a row that fails is a row of the table
            facts[str(case)]["skipped"] = f"{type(error).__name__}: {str(error)[:300]}"
    there = [case for case in chosen if str(case) in calls]
    wanted = expected(group, chosen)
    first = None
    for case in there:
        row, found = facts[str(case)], calls[str(case)]().float().clone()
        row["finite"] = bool(found.isfinite().all())
        if group == "decode":
            wanted = first = found if first is None else first
        if group.startswith("placed"):
            wanted = placed(case).expected(inputs_of(case)["x"].float().cuda())
        if wanted is not None:
            row["error"] = relative_l2(found.reshape(wanted.shape), wanted)
        if group == "vit" and wanted is not None:
            row["same_top1"] = float((found.argmax(-1) == wanted.argmax(-1)).float().mean())
        reference = case.file(folder, ".npy")
        if reference.exists():
            said = torch.from_numpy(np.load(reference).astype(np.float32)).cuda()
            row["reference_error"] = relative_l2(found.reshape(said.shape), said)
    for name, times in in_turns(calls, rounds, 20, torch_times).items():
        facts[name]["ms"] = summarize(times).median
    for case in there:
        if PROFILED.search(str(case)):
            facts[str(case)]["layer_ms"] = profile_of(engines[str(case)], case)
        engines[str(case)].close()


def profile_of(engine: Any, case: Case) -> list[tuple[str, float]]:
    """The layers that take the longest, and their milliseconds; nothing where the backend reports none."""
    if case.group == "decode":
        return []
    try:
        found = layer_times(engine, {name: x.cuda() for name, x in inputs_of(case).items()}, 10)
    except trtnet.TrtnetError:
        return []
    return sorted(((one.name, summarize(one.times).median) for one in found), key=lambda x: -x[1])[:60]


def tables(facts: dict[str, dict[str, Any]]) -> str:
    """As Markdown, a table a group.

    "times float16" is the time of float16 over this one's; "GPU MB" what loading and calling it took.
    """
    lines: list[str] = []
    group = ""
    for name, row in facts.items():
        if row["group"] != group:
            group = row["group"]
            base = next((r.get("ms") for r in facts.values() if r["group"] == group and r["scheme"] == FLOATS), None)
            head = (
                "engine | ms | times float16 | error of reference | of float32 | plan MB | GPU MB | computes in | audit"
            )
            lines += ["", f"**{group}**", "", f"| {head} |", "| --- " * 9 + "|"]
        label = name.removeprefix(f"{group} ")
        if "skipped" in row:
            lines.append(f"| {label} | not built: {row['skipped']} | | | | | | | |")
            continue
        faster = f"{base / row['ms']:.2f}" if base and row.get("ms") else ""
        top = f", top-1 {100 * row['same_top1']:.0f} %" if "same_top1" in row else ""
        cells = (
            number(row.get("ms"), "{:.4f}"), faster, number(row.get("reference_error"), "{:.1e}"),
            number(row.get("error"), "{:.1e}") + top + ("" if row.get("finite", True) else " NOT FINITE"),
            number(row.get("plan"), "{:.1f}", 1e-6), number(row.get("gpu"), "{:.0f}", 1e-6),
            *audited(row.get("audit")),
        )  # fmt: skip
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def audited(found: dict[str, Any] | None) -> tuple[str, str]:
    """(dtypes of the products, verdicts) with their counts."""
    if not found:
        return "", ""
    rows = found["modules"]
    kinds = [f"{row['computed']} ({row['weights'] or 'no'} weights)" for row in rows]
    pairs = [*(row["inputs_pair"] for row in rows), *(row["weights_pair"] for row in rows)]
    own = sum(pair.startswith("its own layer") for pair in pairs)
    return counted(kinds), counted([row["verdict"] for row in rows]) + (f"; {own} pairs of their own" if own else "")


def counted(words: list[str]) -> str:
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def number(value: float | None, text: str, factor: float = 1.0) -> str:
    return "" if value is None else text.format(factor * value)


def written(out: Path, folder: Path, facts: dict[str, dict[str, Any]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(facts, indent=1) + "\n")
    with zipfile.ZipFile(out / "inspect.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for text in sorted(folder.glob("*.layers.json")):
            file.write(text, text.name)
            file.write(
                text.with_name(text.name.replace(".layers.json", ".engine.json")),
                text.name.replace(".layers.", ".engine."),
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--only", default="", help="regular expression of 'group name'")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--limit", type=float, default=330.0, help="seconds after which no further group is timed")
    options.add_argument("--out", type=Path)
    options.add_argument("--build", action="store_true")
    options.add_argument("--table", type=Path)
    options.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.table:
        print(tables(json.loads(given.table.read_text())))
        return
    began = time.monotonic()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    chosen = [case for case in cases() if re.search(given.only, str(case))]
    if given.process:
        process(given.folder, chosen, ("8.9",) if given.build else ())
        return
    facts = build_shares(given.folder, chosen, given)
    facts = {str(case): {"group": case.group, "scheme": case.scheme} | facts[str(case)] for case in chosen}
    print(
        f"{len(chosen)} engines in {time.monotonic() - began:.0f} s, {backend.name()} {backend.version()}", flush=True
    )
    if not given.build:
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
        for group in dict.fromkeys(case.group for case in chosen):
            if time.monotonic() - began > given.limit:
                print(f"left out after {given.limit:.0f} s: {group}", flush=True)
                continue
            try:
                timed(given.folder, group, [case for case in chosen if case.group == group], facts)
            except Exception as error:  # the other groups are still worth their time
                print(f"{group}: {type(error).__name__}: {error}", flush=True)
            if given.out:
                written(given.out, given.folder, facts)
    print(tables(facts))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
