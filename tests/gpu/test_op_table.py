"""The table of operations through engines: what the reference executor claims, on the GPU."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from ops.cases.all_cases import ALL_CASES
from ops.cases.case import SIZES, Case, concrete, define, example, expected, native_dtype

from trtnet.reference.step import to_numpy, to_torch

pytestmark = pytest.mark.gpu

# An engine may fuse, reorder sums and use the GPU's approximate functions: ten times what the reference is allowed.
TOLERANCES = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
ROWS = [pytest.param(c, d, id=f"{c.name}-{d}") for c in ALL_CASES for d in c.dtypes]


@pytest.mark.parametrize(("case", "dtype"), ROWS)
def test_an_engine_equals_torch_at_min_opt_and_max(case: Case, dtype: str) -> None:
    network = define(case, dtype, list(case.shapes))
    engine = network.build({name: SIZES[name] for name in network.dims})
    for which in range(3):
        inputs = example(case, dtype, [concrete(shape, which) for shape in case.shapes])
        found, wanted = to_torch(engine(*map(to_numpy, inputs))), expected(case, inputs)
        assert found.dtype == native_dtype(case, inputs)
        if found.is_floating_point():
            assert relative_l2(found, wanted) <= TOLERANCES[dtype]
        else:
            assert torch.equal(found, wanted.to(found.dtype))
