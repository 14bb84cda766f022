"""ONNX's node tests through real engines: does the reference compute what TensorRT computes?

    NVIDIA_TF32_OVERRIDE=0 python tests/gpu/onnx_engines.py [--share 0/4] [--build-only] [--json FILE]

Each case that the parser accepts is built, and the engine's outputs are compared with the reference's.
--share 1/4 takes the second quarter of the cases. --build-only needs no GPU.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))

from onnx_cases import DIFFERENT, arrays, cases, close

import trtnet
from trtnet import backend
from trtnet.backend import trt
from trtnet.builder import Plan, PlanInfo
from trtnet.errors import TrtnetError
from trtnet.reference.onnx import OnnxNetwork, parse
from trtnet.reference.step import to_torch


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
    try:
        found = trtnet.Engine(built)(**feeds)
    except TrtnetError as error:
        return f"failed: {str(error).splitlines()[0][:120]}"
    outputs = found if isinstance(found, dict) else {next(iter(computed)): found}
    for key, value in computed.items():
        theirs = value.double().numpy()
        if not close(np.asarray(outputs[key], np.float64), theirs.astype(np.float32), case):
            return f"differs: {np.asarray(outputs[key]).ravel()[:4]} on the GPU, {theirs.ravel()[:4]} here"
    return "equal"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--json")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    part, parts = (int(x) for x in given.share.split("/"))
    names = [name for i, name in enumerate(cases()) if i % parts == part]
    results = {name: verdict(name, given.build_only) for name in names}
    print(f"{backend.name()} {backend.version()}: {len(results)} cases")
    for kind, count in Counter(result.partition(":")[0] for result in results.values()).most_common():
        print(f"  {kind}: {count}")
    for name, result in results.items():
        if ":" in result or result == "not built":
            print(f"  {name}: {result} {DIFFERENT.get(name, '')}")
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
