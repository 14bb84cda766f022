"""ONNX's node tests through real engines: does the reference compute what TensorRT computes?

    NVIDIA_TF32_OVERRIDE=0 python tests/gpu/onnx_engines.py [--share 0/4] [--build-only] [--json FILE]...

Each case that the parser accepts is built, and the engine's outputs are compared with the reference's.
--share 1/4 takes the second quarter of the cases. --build-only needs no GPU. FILE is written after each case, and
cases in it are not run again: a case that ends the process (some kernels do) is there as "crashed or hung".
--summary prints what the FILEs say, and runs nothing.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from reference.onnx_cases import DIFFERENT, arrays, cases, close

import trtnet
from trtnet.builder import Plan, PlanInfo
from trtnet.reference.onnx import OnnxNetwork, parse
from trtnet.reference.step import to_numpy, to_torch
from trtnet.support import backend, dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import NamedOutputs
from trtnet.support.errors import TrtnetError

SECONDS = 60
"""What a case may take."""


def plan(parsed: OnnxNetwork, shapes: dict[str, tuple[int, ...]]) -> Plan | None:
    """The engine's plan with the shapes of one case, None if it does not build."""
    reference = parsed.reference()
    config = parsed.builder.create_builder_config()
    profile = parsed.builder.create_optimization_profile()
    dynamic = [parsed.network.get_input(i) for i in range(parsed.network.num_inputs)]
    dynamic = [x for x in dynamic if -1 in tuple(x.shape)]
    for x in dynamic:
        profile.set_shape(x.name, *(shapes[x.name],) * 3)
    if dynamic:
        config.add_optimization_profile(profile)
    config.clear_flag(trt.BuilderFlag.TF32)
    blob = parsed.builder.build_serialized_network(parsed.network, config)
    if blob is None:
        return None
    profiles = ({info.name: (shapes[info.name],) * 3 for info in reference.inputs},)
    version = backend.version()
    return Plan(bytes(blob), PlanInfo(backend.name(), version, reference.inputs, reference.outputs, profiles))


def verdict(name: str, build_only: bool) -> str:
    """refused, skipped, not built, built; with a GPU: equal, differs from the reference, or failed."""
    case = cases()[name]
    try:
        parsed = parse(case.model.SerializeToString())
        reference = parsed.reference()
    except TrtnetError:
        return "refused"
    graph = case.model.graph
    given, expected = case.data_sets[0]
    values, wanted = arrays(given), arrays(expected)
    if values is None or wanted is None:
        return "skipped"
    feeds = dict(zip([i.name for i in graph.input if i.name], values, strict=True))
    if any(info.name not in feeds for info in reference.inputs):
        return "skipped"
    built = plan(parsed, {key: value.shape for key, value in feeds.items()})
    if built is None:
        return "not built"
    return (
        "built" if build_only else compared(name, built, reference, {i.name: feeds[i.name] for i in reference.inputs})
    )


def compared(name: str, built: Plan, reference: Any, feeds: dict[str, np.ndarray]) -> str:
    case = cases()[name]
    computed = reference.run({key: to_torch(value) for key, value in feeds.items()})
    given = {i.name: feeds[i.name].astype(dtypes.get(i.dtype).numpy, copy=False) for i in reference.inputs}
    try:
        found = trtnet.Engine(built)(**given)
    except TrtnetError as error:
        return f"failed: {str(error).splitlines()[0][:120]}"
    outputs = dict(found) if isinstance(found, NamedOutputs) else {next(iter(computed)): found}
    for key, value in computed.items():
        theirs, ours = to_numpy(value), np.asarray(outputs[key], np.float64)
        if not close(ours, theirs, case, steps=4):
            return f"differs: {ours.ravel()[:4]} on the GPU, {theirs.ravel()[:4]} here"
    return "equal"


def run(names: list[str], build_only: bool, file: Path | None) -> dict[str, str]:
    results: dict[str, str] = json.loads(file.read_text()) if file and file.exists() else {}
    for name in names:
        if name not in results:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            keep(results | {name: "crashed or hung"}, file)
            results[name] = verdict(name, build_only)
            keep(results, file)
            faulthandler.cancel_dump_traceback_later()
    return results


def keep(results: dict[str, str], file: Path | None) -> None:
    if file:
        file.write_text(json.dumps(results, indent=2) + "\n")


def summary(results: dict[str, str]) -> None:
    print(f"{backend.name()} {backend.version()}: {len(results)} cases")
    for kind, count in Counter(result.partition(":")[0] for result in results.values()).most_common():
        print(f"  {kind}: {count}")
    for name, result in sorted(results.items()):
        if ":" in result or result in ("not built", "crashed or hung"):
            print(f"  {name}: {result} {DIFFERENT.get(name, '')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--json", type=Path, nargs="+", default=[])
    given = parser.parse_args()
    if given.summary:
        summary({name: result for file in given.json for name, result in json.loads(file.read_text()).items()})
        return
    logging.disable(logging.CRITICAL)
    part, parts = (int(x) for x in given.share.split("/"))
    names = [name for i, name in enumerate(cases()) if i % parts == part]
    summary(run(names, given.build_only, given.json[0] if given.json else None))


if __name__ == "__main__":
    main()
