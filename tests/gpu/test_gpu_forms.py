"""Every form of every operation through engines: it equals torch and its neutral form, static and dynamic."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.comparing import relative_l2
from helpers.ops.forms import ROWS, defined
from ops.cases.case import SIZES, Case, concrete, example, expected

from trtnet.ops.formulations import FORMS
from trtnet.reference.step import to_numpy, to_torch

pytestmark = pytest.mark.gpu

TOLERANCE = 2e-2
"""In float16, as tests/gpu/test_op_table.py's."""


@pytest.mark.parametrize("is_static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize(("kind", "name", "case"), ROWS)
def test_an_engine_equals_torch_and_the_neutral_form(kind: str, name: str, case: Case, is_static: bool) -> None:
    still = [concrete(shape, 1) for shape in case.shapes] if is_static else None
    networks = [defined(kind, each, case, "float16", still) for each in (name, FORMS[kind][0])]
    if networks[0] is None:
        pytest.skip(f"{name} does not apply to {case.name}")
    engines = [network.build({size: SIZES[size] for size in network.dims}) for network in networks]
    for which in (1,) if is_static else (0, 1, 2):
        inputs = example(case, "float16", [concrete(shape, which) for shape in case.shapes])
        found, neutral = (result(engine, inputs) for engine in engines)
        assert relative_l2(found, expected(case, inputs)) <= TOLERANCE
        assert relative_l2(found, neutral) <= TOLERANCE


def result(engine: Any, inputs: list[Any]) -> Any:
    return to_torch(engine(*map(to_numpy, inputs)))
