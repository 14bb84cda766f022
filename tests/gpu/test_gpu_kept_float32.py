"""Float32 layers between casts in engines: a weight that float16 does not hold is no infinity."""

from __future__ import annotations

import pytest
from helpers.comparing import relative_l2
from helpers.ops.islands import ALONE, defined, inputs

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", ALONE)
def test_an_engine_equals_the_reference(name: str) -> None:
    network = defined(ALONE[name], "float16")
    assert relative_l2(network.build()(inputs("float16")), network.reference()(inputs("float16"))) <= 2e-3
