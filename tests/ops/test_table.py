"""Every operation against torch: through the reference executor at each dtype, at static and dynamic shapes, and built
ahead of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.comparing import TOLERANCES, relative_l2
from ops.cases.all_cases import ALL_CASES
from ops.cases.case import SIZES, Case, concrete, define, define_together, example, expected, native_dtype
from ops.cases.normalization import NORM_CASES
from ops.cases.transformers import TRANSFORMER_CASES

from trtnet.builder import Plan
from trtnet.support import backend
from trtnet.support.errors import TrtnetError

COUNT = 8
"""Rows that are built in one network: of the tenth of a second that a build takes, half is not the rows'."""
ROWS = [pytest.param(case, dtype, id=f"{case.name}-{dtype}") for case in ALL_CASES for dtype in case.dtypes]

ALONE = ("grid_sample", "interpolate")
"""Beside other rows, these can take TensorRT half a minute."""


def groups(dtype: str) -> Iterator[tuple[Case, ...]]:
    """The rows of a dtype, as they are built together."""
    rows = [case for case in ALL_CASES if dtype in case.dtypes]
    yield from ((case,) for case in rows if case.name.startswith(ALONE))
    others = [case for case in rows if not case.name.startswith(ALONE)]
    yield from (tuple(others[start : start + COUNT]) for start in range(0, len(others), COUNT))


TOGETHER = [
    pytest.param(dtype, cases, id=f"{cases[0].name}{' ...' * (len(cases) > 1)}-{dtype}")
    for dtype in dict.fromkeys(dtype for case in ALL_CASES for dtype in case.dtypes)
    for cases in groups(dtype)
]


def check(case: Case, dtype: str, reference: Any, inputs: list[torch.Tensor]) -> None:
    found, wanted = reference(*inputs), expected(case, inputs)
    assert found.dtype == native_dtype(case, inputs)
    if not found.dtype.is_floating_point:
        assert torch.equal(found, wanted.to(found.dtype))
    else:
        assert wanted.abs().max() > 0 or case.name in ("sign", "floor", "round")
        assert relative_l2(found, wanted) <= TOLERANCES[dtype]


@pytest.mark.parametrize(("case", "dtype"), ROWS)
def test_static_equals_torch(case: Case, dtype: str) -> None:
    shapes = [concrete(shape, 1) for shape in case.shapes]
    check(case, dtype, define(case, dtype, list(shapes)).reference(), example(case, dtype, shapes))


@pytest.mark.parametrize(("case", "dtype"), ROWS)
def test_dynamic_equals_torch_at_min_opt_and_max(case: Case, dtype: str) -> None:
    reference = define(case, dtype, list(case.shapes)).reference()
    for which in range(3):
        check(case, dtype, reference, example(case, dtype, [concrete(shape, which) for shape in case.shapes]))


@pytest.mark.parametrize(("dtype", "cases"), TOGETHER)
def test_builds_ahead_of_time(dtype: str, cases: tuple[Case, ...]) -> None:
    try:
        plan = built(define_together(cases, dtype))
    except TrtnetError:
        for case in cases:
            built(define(case, dtype, list(case.shapes)))  # the one that does not build says so
        raise
    (profile,) = plan.info.profiles
    ranges = iter(profile.values())
    for case, output in zip(cases, plan.info.outputs, strict=True):
        sizes = [tuple(concrete(shape, which) for which in range(3)) for shape in case.shapes]
        inputs = example(case, dtype, [opt for _, opt, _ in sizes])
        assert [next(ranges) for _ in sizes] == sizes
        assert str(output.dtype) == str(native_dtype(case, inputs)).removeprefix("torch.")
        assert len(output.shape) == expected(case, inputs).ndim


def built(network: Any) -> Plan:
    return network.build({name: SIZES[name] for name in network.dims}).plan


@pytest.mark.parametrize("case", [*TRANSFORMER_CASES, *NORM_CASES], ids=lambda case: case.name)
def test_without_the_fused_layers_the_decomposition_equals_torch(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for feature in ("normalization_v2", "attention_v2", "rotary_embedding", "slice_axes"):
        monkeypatch.setitem(backend.CAPABILITIES, feature, "INetworkDefinition.add_what_an_older_version_lacks")
    network = define(case, "float32", list(case.shapes))
    kinds = {network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)}
    assert not kinds & {"ATTENTION_INPUT", "ROTARY_EMBEDDING"}
    reference = network.reference()
    for which in range(3):
        check(case, "float32", reference, example(case, "float32", [concrete(s, which) for s in case.shapes]))
    network.build({name: SIZES[name] for name in network.dims})
