"""Bisection and precision search on engines in float16: the same modules are named as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.comparing import random_tensor
from helpers.ops.convolution_networks import Fire
from helpers.verify.planted import BUGS, RIGHT

import trtnet
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.result import Verdict
from trtnet.verify.bisection.taps import EngineTaps, ReferenceTaps
from trtnet.verify.precision.search import search_precision

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", ["transposed_weight", "swapped_q_and_k", "wrong_padding"])
def test_the_module_with_the_bug_is_named_on_the_engine(name: str) -> None:
    bug = BUGS[name]()
    found = bisect(bug.network("float16"), bug.original, bug.inputs, on=EngineTaps)
    print(found)
    assert [finding.row.path for finding in found.findings] == [bug.module]
    assert found.findings[0].row.verdict is Verdict.FAULT


@pytest.mark.parametrize("name", ["lenet", "resnet18", "vit", "gpt2", "bert"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_right_engine_has_nothing_to_name(name: str, dtype: str) -> None:
    right = RIGHT[name]()
    found = bisect(right.network(dtype), right.original, right.inputs, on=EngineTaps)
    assert found.module is None, str(found)


def test_taps_of_the_engine_are_near_to_those_of_the_reference() -> None:
    network = RIGHT["resnet18"]().network("float16")
    image = RIGHT["resnet18"]().inputs["image"].astype(np.float16)
    ours, theirs = (taps(network)({"image": image}).values for taps in (EngineTaps, ReferenceTaps))
    assert set(ours) <= set(theirs) | {"image"} and len(ours) > 20
    for name, values in ours.items():
        error = np.linalg.norm(values.astype(np.float64) - theirs[name].astype(np.float64))
        assert error <= 1e-2 * np.linalg.norm(theirs[name].astype(np.float64)), name


def test_parts_of_a_larger_convolution_are_compared_on_the_engine() -> None:
    torch.manual_seed(0)
    model = Fire(32, 8, 16).eval()
    network = trtnet.define(model, {"x": trtnet.Input((2, 32, 9, 9))}, dtype="float16", forms={"siblings": "padded"})
    found = bisect(network, model, {"x": random_tensor(2, 32, 9, 9)}, on=EngineTaps)
    verdicts = {row.path: row.verdict for row in found.rows}
    assert found.module is None and verdicts["small.0"] is verdicts["large.0"] is Verdict.MERGED, str(found)
    assert verdicts["small.1"] is verdicts["large.1"] is Verdict.AGREES, str(found)


def test_a_mapping_of_dtypes_is_searched_for_and_runs_on_the_gpu() -> None:
    right = RIGHT["lenet"]()
    found = search_precision(
        right.model, right.weights, right.inputs, right.original,
        trtnet.verify.Tolerance(relative_l2=2e-4), on=lambda network: network.build({"batch": 2}),
    )  # fmt: skip
    assert found.best.passed and 0 < found.share <= 1
