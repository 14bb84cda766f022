"""The forms that a user gives: a mapping, or what `trtnet tune` found, or its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import TypeAlias

from trtnet.graph import Input
from trtnet.graph.forms import USER, FormChoices, Forms
from trtnet.ops.formulations.choice import check_forms
from trtnet.ops.formulations.tuning import Tuning
from trtnet.support.dtypes import DType

GivenForms: TypeAlias = "Forms | Tuning | str | os.PathLike[str] | FormChoices"
"""What ``define(forms=...)`` takes. FormChoices are used as they are."""


def choices_of(
    forms: GivenForms, inputs: Mapping[str, Input], dtypes: Mapping[str, DType], *, approximations: bool = False
) -> FormChoices:
    """The choices, for a network of these inputs and dtypes by module path. approximations: whether they are admitted.

    Raises ModelError for an unknown kind or form, for another file, and for a tuning of another
    backend or model.
    """
    if isinstance(forms, FormChoices):
        return forms
    source = USER
    if isinstance(forms, str | os.PathLike):
        source, forms = Path(forms).name, Tuning.load(forms)
    if isinstance(forms, Tuning):
        source = source if source != USER else f"the tuning of {forms.model}"
        forms.check(inputs, dtypes)
        forms = {kind: {escape(path): form for path, form in paths.items()} for kind, paths in forms.chosen.items()}
    check_forms(forms, source, approximations=approximations)
    return FormChoices(forms, source, approximations)
