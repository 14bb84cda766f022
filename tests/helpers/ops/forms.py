"""Networks of one operation in a form, and the rows that tests of all forms are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from helpers.comparing import Function
from ops.cases.case import Case, names
from ops.cases.forms import FORM_CASES

import trtnet
from trtnet import nn
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
COUNT = 8
"""Rows that are built in one network: of the tenth of a second that a build takes, half is not the rows'."""
TOGETHER = [
    pytest.param([each.values for each in rows], id=f"{rows[0].id} ...")
    for rows in (ROWS[start : start + COUNT] for start in range(0, len(ROWS), COUNT))
]
"""Rows that are built in one network."""


def define(forms: Any, case: Case, dtype: str, shapes: Any = None, **options: Any) -> Any:
    given = case.shapes if shapes is None else shapes
    inputs = {name: trtnet.Input(shape, dtype) for name, shape in zip(names(case), given, strict=True)}
    return trtnet.define(Function(case.ours), inputs, {}, dtype=dtype, forms=forms, **options)


class Beside(nn.Module):
    """Functions beside one another, each with inputs of its own."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.counts = [len(case.shapes) for case in cases]
        self.parts = nn.ModuleList([Function(case.ours) for case in cases])

    def forward(self, *inputs: Any) -> list[Any]:
        left, results = list(inputs), []
        for part, count in zip(self.parts, self.counts, strict=True):
            results.append(part(*left[:count]))
            del left[:count]
        return results


def define_together(rows: Sequence[tuple[str, str, Case]], dtype: str) -> Any:
    """The network of the cases of several rows, each in the row's form."""
    forms: dict[str, dict[str, str]] = {}
    inputs = {}
    for index, (kind, name, case) in enumerate(rows):
        forms.setdefault(kind, {})[f"parts.{index}"] = name
        inputs |= {
            f"{x}_{index}": trtnet.Input(shape, dtype) for x, shape in zip(names(case), case.shapes, strict=True)
        }
    return trtnet.define(Beside([case for *_, case in rows]), inputs, {}, dtype=dtype, forms=forms)


def defined(kind: str, name: str, case: Case, dtype: str, shapes: Any = None) -> Any:
    """The network; None where the form does not apply."""
    try:
        return define({kind: name}, case, dtype, shapes)
    except ModelError as error:
        assert f"{name!r} of {kind!r} applies to no operation of the network: it applies where " in str(error)
        return None
