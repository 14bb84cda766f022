"""Forms: the same mathematics as different layers. Tests check that they are equal; they differ in speed.

A model never chooses. ``define(forms={"gelu": "layer"})`` does for one network, ``forms={"gelu": {"layer4.*":
"layer"}}`` for some of its modules. Otherwise it is the form that was measured to be the fastest with the TensorRT in
use, or the neutral one where nothing was measured. Forms that compute another function are chosen only with
``define(approximations=True)``.

An operation declares its kind and the neutral form with ``@formulated``; the others are functions in
``trtnet.ops.forms`` with ``@form``. registry: what there is to choose from. measured: the fastest forms. choice: who
chooses. given, tuning: what a user gives.
"""

from trtnet.ops.formulations.choice import check_forms, check_used, formulated
from trtnet.ops.formulations.given import GivenForms, choices_of
from trtnet.ops.formulations.measured import MEASURED, Fastest, fastest
from trtnet.ops.formulations.registry import APPROXIMATIONS, FORMS, KINDS, Form, Kind, form
from trtnet.ops.formulations.tuning import Tuning

__all__ = [
    "APPROXIMATIONS",
    "FORMS",
    "KINDS",
    "MEASURED",
    "Fastest",
    "Form",
    "GivenForms",
    "Kind",
    "Tuning",
    "check_forms",
    "check_used",
    "choices_of",
    "fastest",
    "form",
    "formulated",
]
