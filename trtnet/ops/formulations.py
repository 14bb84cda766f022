"""Forms: one piece of mathematics as different layers. They are equal by test and differ in speed.

A model never chooses. ``define(forms={"gelu": "layer"})`` does for one network; otherwise the form that was measured to
be the fastest with the TensorRT in use (``python tests/benchmarks/forms.py``), or the neutral one where nothing was.
"""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.graph import OpenNetwork
from trtnet.support import backend
from trtnet.support.errors import ModelError

FORMS: dict[str, tuple[str, ...]] = {
    "attention": ("fused", "products"),
    "decoding": ("fused", "products"),
    "gelu": ("layer", "float32"),
    "patches": ("convolution", "product"),
}
"""What there is to choose from, the neutral form first.

attention: IAttention, or two matrix products around a softmax; decoding: the same for a single query. gelu: in the
dtype of its input, or between casts to float32 and back. patches: a convolution whose windows do not overlap, or the
matrix product that it is.
"""

MEASURED: dict[str, dict[str, str]] = {
    "tensorrt_rtx": {"decoding": "products", "gelu": "float32", "patches": "product"},
}
"""The fastest forms by backend: TensorRT-RTX 1.6.1 on an H200."""


def form(network: OpenNetwork, kind: str) -> str:
    """The form of `kind` for a network."""
    return network.forms.get(kind) or MEASURED.get(backend.name(), {}).get(kind, FORMS[kind][0])


def check_forms(forms: Mapping[str, str]) -> None:
    """Raises ModelError for a kind or a form that there is not."""
    for kind, name in forms.items():
        if name not in FORMS.get(kind, ()):
            known = "; ".join(f"{kind}: {' or '.join(names)}" for kind, names in FORMS.items())
            raise ModelError(f"there is no form {name!r} of {kind!r}; there are {known}")
