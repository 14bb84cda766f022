"""The ONNX project's own node tests, through NVIDIA's parser into a TensorRT network, and through the reference.

What the networks say is not ours, nor are the expected outputs: only the executor is.

    python tests/reference/onnx_cases.py        prints the table and every case that differs
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from trtnet.reference import Reference
from trtnet.reference.onnx import parse
from trtnet.reference.step import to_torch
from trtnet.support.errors import ExecutionError

# Why a case's published output is not what the network computes that NVIDIA's parser makes of it.
RANDOM = "random values"
PARSED = "the parser's network is another one"
DIFFERENT = {
    "test_attention_4d_gqa_causal_nonpad_decode": f"{PARSED}: it drops nonpad_kv_seqlen",
    "test_attention_4d_gqa_causal_nonpad_decode_fp16": f"{PARSED}: it drops nonpad_kv_seqlen",
    "test_attention_4d_causal_nonpad_continued_prefill": f"{PARSED}: it drops nonpad_kv_seqlen",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty": f"{PARSED}: it drops nonpad_kv_seqlen",
    "test_attention_4d_causal_nonpad_batch_prefill": f"{PARSED}: it drops nonpad_kv_seqlen",
    "test_attention_local_window": f"{PARSED}: it drops left_window_size",
    "test_attention_bidirectional_window": f"{PARSED}: it drops left_window_size and right_window_size",
    "test_attention_23_boolmask_fullymasked_row_nan_robustness": "softmax of a row that is masked whole is NaN",
    "test_averagepool_2d_ceil_last_window_starts_on_pad": "TensorRT keeps a last window that lies in the padding alone",
    "test_maxpool_2d_ceil_output_size_reduce_by_one": "TensorRT keeps a last window that lies outside of the input",
    "test_nonmaxsuppression_two_classes": "TensorRT orders an image's boxes by score, ONNX by class first",
    "test_quantizelinear": f"{PARSED}: it quantizes to int8 where ONNX says uint8",
    "test_quantizelinear_axis": f"{PARSED}: it quantizes to int8 where ONNX says uint8",
    "test_spacetodepth_crd_mode_example": f"{PARSED}: it knows no mode of SpaceToDepth",
    "test_loop11": f"{PARSED}: it makes an input of what the loop's body is given",
    "test_bernoulli_double_expanded": RANDOM,
    "test_bernoulli_seed_expanded": RANDOM,
    **{f"test_{kind}_batchwise": f"{PARSED}: it drops layout" for kind in ("gru", "lstm", "simple_rnn")},
    **{
        f"test_triu{form}": f"{PARSED}: a missing attribute `upper` is 0 for it, 1 for ONNX"
        for form in ("", "_neg", "_out_neg_out", "_pos", "_out_pos", "_square", "_square_neg", "_one_row")
    },
}


@lru_cache
def cases() -> dict[str, Any]:
    """Every node test with a model, by name."""
    from onnx.backend.test.case.node import collect_testcases

    with np.errstate(all="ignore"):
        return {case.name: case for case in collect_testcases(None) if case.model is not None}


def array(value: Any) -> np.ndarray | None:
    """A value of a test as an array; None for a sequence, an optional or a string."""
    import onnx

    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    if not isinstance(value, np.ndarray | np.generic):
        return None
    found = np.asarray(value)
    return found if found.dtype.kind in "fiub" or found.dtype.name == "bfloat16" else None


def arrays(values: Any) -> list[np.ndarray] | None:
    found = [array(value) for value in values]
    return None if any(x is None for x in found) else [x for x in found if x is not None]


def difference(case: Any, reference: Reference) -> str:
    """ "" if every output is the published one, else what differs."""
    graph = case.model.graph
    names = [i.name for i in graph.input if i.name]
    for given, expected in case.data_sets:
        values, wanteds = arrays(given), arrays(expected)
        assert values is not None and wanteds is not None
        by_name = dict(zip(names, values, strict=True))
        if missing := [info.name for info in reference.inputs if info.name not in by_name]:
            return f"the network has inputs that the model has not: {', '.join(missing)}"
        results = reference.run({info.name: to_torch(by_name[info.name]) for info in reference.inputs})
        for output, wanted in zip(graph.output, wanteds, strict=True):
            found = results[output.name].double().numpy()
            if not close(found, wanted, case):
                return f"{output.name}: found {found.ravel()[:6]}, expected {np.ravel(wanted)[:6]}"
    return ""


def close(found: np.ndarray, wanted: np.ndarray, case: Any, steps: float = 1.0) -> bool:
    """Equal to the case's tolerance, or to `steps` roundings to a 16-bit dtype."""
    loose = {"float16": 1e-3, "bfloat16": 1e-2}.get(wanted.dtype.name, 0.0) * steps
    tolerance = {"rtol": max(case.rtol, 1e-4, loose), "atol": max(case.atol, 1e-5, loose), "equal_nan": True}
    return found.shape == wanted.shape and np.allclose(found, wanted.astype(np.float64), **tolerance)


def verdict(name: str) -> tuple[str, str]:
    """(refused, skipped, agrees or differs; with the reason)."""
    case = cases()[name]
    try:
        network = parse(case.model.SerializeToString())
    except ExecutionError as error:
        return "refused", str(error).splitlines()[-1].strip()
    if any(arrays(values) is None for data in case.data_sets for values in data):
        return "skipped", "sequences, optionals or types that numpy lacks"
    try:
        found = difference(case, network.reference())
    except ExecutionError as error:
        found = str(error)
    return ("differs", found) if found else ("agrees", "")


def main() -> None:
    logging.disable(logging.CRITICAL)
    results = {name: verdict(name) for name in cases()}
    counts = Counter(kind for kind, _ in results.values())
    accepted = counts["agrees"] + counts["differs"]
    print(f"{len(results)} cases: {counts['refused']} refused by the parser, {counts['skipped']} skipped")
    print(
        f"{accepted} executed: {counts['agrees']} agree ({counts['agrees'] / accepted:.1%}), {counts['differs']} differ"
    )
    for name, (kind, found) in results.items():
        if kind == "differs" or name in DIFFERENT:
            print(f"  {name}: {DIFFERENT.get(name, 'NOT EXPLAINED')} ({found})")


if __name__ == "__main__":
    main()
