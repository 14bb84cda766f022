"""Products of rows above rows of zeros, whose results are left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.ops.forms import define, defined
from ops.cases.forms import FORM_CASES

from trtnet import ops
from trtnet.graph.layers.read import read


@pytest.mark.parametrize(("kind", "name"), [("row", "padded"), ("row", "merged_padded"), ("product", "row_blocks")])
def test_they_are_sliced_for_what_is_computed_with_them(kind: str, name: str) -> None:
    """A thread of TensorRT-RTX reads eight numbers of a slice at a time, of what is gathered one."""
    case = next(case for case in FORM_CASES[kind] if defined(kind, name, case, "float16"))
    network = define({kind: name}, replace(case, ours=lambda *x: ops.silu(case.ours(*x))), "float16")
    kinds = {node.kind for node in read(network.trt)}
    assert "SLICE" in kinds and "GATHER" not in kinds
