"""The fastest forms, as measured. How: ``tests/benchmarks/forms.py``, ``tests/benchmarks/decode.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtnet.support.dtypes import DType


@dataclass(frozen=True)
class Fastest:
    """A form that was the fastest wherever it was measured.

    dtypes: those that it was measured in, none for all. least: the least values of facts (numbers by name, which the
    operation gives) from which on it was.
    """

    form: str
    dtypes: tuple[str, ...] = ()
    least: Mapping[str, int] = field(default_factory=dict)

    def holds(self, dtype: DType | None, facts: Mapping[str, int]) -> bool:
        """Whether an operation is in the range that was measured."""
        if self.dtypes and (dtype is None or dtype.name not in self.dtypes):
            return False
        return all(facts[name] >= value for name, value in self.least.items())


_HALF = ("float16",)

MEASURED: dict[str, dict[str, Fastest]] = {
    # TensorRT-RTX 1.6.1, H200, 2026-11-25 and 2026-11-28
    "tensorrt_rtx": {
        "decoding": Fastest("reduction", _HALF),
        "gelu": Fastest("float32"),
        "patches": Fastest("product"),
        "pointwise": Fastest("product", _HALF),
        "row": Fastest("reduction", _HALF, {"weights": 1 << 19}),
        "stem": Fastest("space_to_depth", _HALF, {"pixels": 112 * 112}),
        "thin": Fastest("padded", _HALF, {"pixels": 112 * 112, "out_channels": 64}),
    },
}
"""By backend, then by kind."""
