"""Forms: one piece of mathematics as different layers. They are equal by test and differ in speed.

A model never chooses. ``define(forms={"gelu": "layer"})`` does for one network, ``forms={"gelu": {"layer4.*":
"layer"}}`` for some of its modules. Otherwise it is the form that was measured to be the fastest with the TensorRT in
use, or the neutral one where nothing was measured.
kinds: what there is to choose from. measured: the fastest forms. choice: what an operation asks. given, tuning: what a
user gives.
"""

from trtnet.ops.formulations.choice import check_forms, check_used, form
from trtnet.ops.formulations.given import GivenForms, choices_of
from trtnet.ops.formulations.kinds import FORMS
from trtnet.ops.formulations.measured import MEASURED, Fastest
from trtnet.ops.formulations.tuning import Tuning

__all__ = ["FORMS", "MEASURED", "Fastest", "GivenForms", "Tuning", "check_forms", "check_used", "choices_of", "form"]
