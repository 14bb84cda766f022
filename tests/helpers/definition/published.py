"""Published models, defined as they are and compared with torch: what the scripts of this folder share.

A case is a function without arguments that returns a torch module, a function that gives its inputs by name for a size
of the batch, and whether they are handed to the module by name.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import os
import pathlib
import re
import resource
import select
import signal
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

TOLERANCES = {"float32": (1e-4, 1e-2), "float16": (1e-2, 1e-1), "bfloat16": (5e-2, 5e-1)}
"""Relative L2 of a result, and of what tells the samples of the batch apart."""


def import_originals():
    import torch

    from trtnet.tools.targets.importing import imported

    torch.set_num_threads(1)
    return imported("torchvision", "torchvision"), imported("timm", "timm")


def randomize(model, inputs: dict, by_name: bool) -> None:
    """Weights of which none is constant, and batch norms that have seen these inputs (without that the activations of
    a deep network die away, and the result says nothing of the input): every layer matters in the comparison.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for x in model.parameters():
            if not x.is_floating_point() or x.numel() == 0:
                continue
            if x.min() == x.max():
                middle = x.flatten()[0].item()
                middle = 0.3 if 0 < abs(middle) < 0.2 else middle
                x.copy_(middle + (torch.rand(x.shape, generator=generator) - 0.5) * 0.4)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        moments = [m.momentum for m in norms]
        for m in norms:
            if m.track_running_stats:
                m.train()
                m.reset_running_stats()
                m.momentum = None
        try:
            if norms:
                called(model, inputs, by_name)
        finally:
            model.eval()
            for m, momentum in zip(norms, moments, strict=True):
                m.momentum = momentum


def flat(result) -> list:
    """The tensors of a model's result, in order."""
    if result is None:
        return []
    if isinstance(result, dict):
        return [x for value in result.values() for x in flat(value)]
    if isinstance(result, list | tuple):
        return [x for value in result for x in flat(value)]
    return [result]


def difference(ours, theirs) -> tuple[float, float]:
    """Relative L2, and that of what tells the samples of the batch apart."""
    import numpy as np

    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"shape {a.shape}, torch's is {b.shape}")
    if not np.isfinite(a).all() and np.isfinite(b).all():
        return float("inf"), float("inf")
    whole = np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30)
    if b.ndim == 0 or b.shape[0] < 2:
        return float(whole), float(whole)
    ca, cb = a - a.mean(0, keepdims=True), b - b.mean(0, keepdims=True)
    return float(whole), float(np.linalg.norm(ca - cb) / max(np.linalg.norm(cb), 1e-30))


def in_child(function, seconds: float, gigabytes: float) -> dict:
    """A function's result from a process that may not run longer or grow larger."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            here = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (here + int(gigabytes * 2**30),) * 2)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1), os.dup2(null, 2)
            try:
                result = function()
            except BaseException as error:
                result = {"skipped": f"{type(error).__name__}: {str(error)[:300]}"}
            os.write(writing, json.dumps(result, default=str).encode())
        finally:
            os._exit(0)
    os.close(writing)
    data, end = b"", time.time() + seconds
    while (left := end - time.time()) > 0:
        if select.select([reading], [], [], min(left, 1))[0]:
            piece = os.read(reading, 1 << 16)
            if not piece:
                break
            data += piece
    else:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    if data:
        return json.loads(data)
    return {"skipped": f"no answer within {seconds:.0f} s" if time.time() >= end else "the process died"}


def called(model, inputs: dict, by_name: bool) -> list:
    import torch

    found = flat(model(**inputs) if by_name else model(*inputs.values()))
    return [
        x.detach().to(torch.float32 if x.is_floating_point() and x.itemsize == 2 else x.dtype).numpy() for x in found
    ]


def run_case(case, dtype: str, dynamic: bool, build: bool) -> dict:
    """What became of a case: ok or the reason, relative_l2, layers, seconds to define and to build."""
    import torch

    torch.manual_seed(0)
    try:
        original, given, by_name = case()
        original.eval()
        inputs = given(2)
        randomize(original, inputs, by_name)
        with torch.inference_mode():
            called(original, inputs, by_name)
    except Exception as error:
        return {"skipped": f"torch: {type(error).__name__}: {str(error)[:200]}"}
    result: dict = {}
    try:
        network = defined(original, inputs, dtype, dynamic, result)
        for batch in (1, 3) if dynamic else (2,):
            agree(network, original, given(batch), by_name, dtype, result)
        if build and result["ok"]:
            began = time.time()
            network.build({"batch": (1, 2, 3)} if dynamic else None)
            result["build"] = round(time.time() - began, 1)
    except Exception as error:
        result |= {"ok": False, "reason": f"{type(error).__name__}: {' | '.join(str(error).splitlines()[:2])[:220]}"}
    return result


def defined(original, inputs: dict, dtype: str, dynamic: bool, result: dict):
    """The network of a module whose batch is that of `inputs`, or a named dimension."""
    import trtnet

    declared = {
        name: trtnet.Input(
            ("batch" if dynamic else x.shape[0], *x.shape[1:]), None if x.is_floating_point() else str(x.dtype)[6:]
        )
        for name, x in inputs.items()
    }
    began = time.time()
    network = trtnet.define(original, declared, dtype=dtype)
    result |= {"define": round(time.time() - began, 2), "layers": network.trt.num_layers}
    return network


def agree(network, original, inputs: dict, by_name: bool, dtype: str, result: dict) -> None:
    """Compares the reference with torch's float32: within the tolerance, or within five times of torch's rounding."""
    import torch

    with torch.inference_mode():
        expected = called(original, inputs, by_name)
    narrow = {name: x.to(getattr(torch, network.inputs[name].dtype.name)) for name, x in inputs.items()}
    outputs = [torch.as_tensor(x).to(torch.float32).numpy() for x in flat(network.reference()(**narrow))]
    if len(outputs) != len(expected):
        raise ValueError(f"{len(outputs)} outputs, torch has {len(expected)}")
    errors = [difference(a, b) for a, b in zip(outputs, expected, strict=True)]
    worst, apart = (max(each) for each in zip(*errors, strict=True))
    fine = all(a <= b for a, b in zip((worst, apart), TOLERANCES[dtype], strict=True))
    if not fine:
        whole, between = torchs_rounding(original, inputs, expected, dtype, by_name)
        fine = worst <= 5 * whole and apart <= 5 * between
        result["torchs"] = whole
    result["ok"] = fine and result.get("ok", True)
    result["relative_l2"] = max(worst, result.get("relative_l2", 0.0))
    if not fine:
        result["reason"] = f"WRONG NUMBERS {worst:.1e}, apart {apart:.1e}; torch's own {whole:.1e}, {between:.1e}"


def torchs_rounding(original, inputs: dict, expected: list, dtype: str, by_name: bool) -> tuple[float, float]:
    """How far torch in a dtype is from its float32 result; for float32, how far that is from its float64 result.

    Where torch has no kernels of that dtype for the CPU: how far its float32 is with weights and inputs of that dtype.
    """
    import torch

    other = torch.float64 if dtype == "float32" else getattr(torch, dtype)
    given = {name: x.to(other) if x.is_floating_point() else x for name, x in inputs.items()}
    module = copy.deepcopy(original).to(other)
    with torch.inference_mode():
        try:
            found = called(module, given, by_name)
        except NotImplementedError:
            wide = {name: x.float() if x.is_floating_point() else x for name, x in given.items()}
            found = called(module.float(), wide, by_name)
    pairs = zip(expected, found, strict=True) if dtype == "float32" else zip(found, expected, strict=True)
    whole, apart = zip(*(difference(a, b) for a, b in pairs), strict=True)
    return max(whole), max(apart)


def main(doc: str, cases: dict) -> None:
    """Runs the cases that the command line chooses; exits with 0 if all agree."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=".")
    parser.add_argument("--json")
    parser.add_argument("--limit-seconds", type=float, default=120)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = {name: case for name, case in cases.items() if re.search(options.only, name)}
    if options.list:
        print("\n".join(chosen))
        return
    import_originals()
    results: dict = {}
    for name, case in chosen.items():
        run = functools.partial(run_case, case, options.dtype, options.dynamic, options.build)
        results[name] = found = in_child(run, options.limit_seconds, 10)
        text = "ok" if found.get("ok") else found.get("skipped") or found.get("reason")
        facts = {k: v for k, v in found.items() if k in ("relative_l2", "torchs", "define", "layers", "build")}
        print(f"{name:34} {text}  {facts}", flush=True)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    for part in dict.fromkeys(name.split("/")[0] for name in results):
        mine = [r for name, r in results.items() if name.split("/")[0] == part]
        print(f"{part}: {sum(bool(r.get('ok')) for r in mine)} of {len(mine)}")
    good = sum(bool(r.get("ok")) for r in results.values())
    print(f"{good} of {len(results)} agree")
    sys.exit(good < len(results))
