"""Networks of one operation in a form, and the rows that tests of all forms are made of."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.comparing import Function
from ops.cases.case import Case, names
from ops.cases.forms import FORM_CASES

import trtnet
from trtnet.ops.formulations import FORMS
from trtnet.support.errors import ModelError

OTHERS = [(kind, name) for kind, names_of in FORMS.items() for name in names_of[1:]]
"""Each kind with each form that is not neutral."""
ROWS = [
    pytest.param(kind, name, case, id=f"{kind}={name}-{case.name}")
    for kind, names_of in FORMS.items()
    for name in names_of
    for case in FORM_CASES.get(kind, ())
]
"""Each kind, form and case."""


def define(forms: Any, case: Case, dtype: str, shapes: Any = None, **options: Any) -> Any:
    given = case.shapes if shapes is None else shapes
    inputs = {name: trtnet.Input(shape, dtype) for name, shape in zip(names(case), given, strict=True)}
    return trtnet.define(Function(case.ours), inputs, {}, dtype=dtype, forms=forms, **options)


def defined(kind: str, name: str, case: Case, dtype: str, shapes: Any = None) -> Any:
    """The network; None where the form does not apply."""
    try:
        return define({kind: name}, case, dtype, shapes)
    except ModelError as error:
        assert f"{name!r} of {kind!r} applies to no operation of the network: it applies where " in str(error)
        return None
