"""The fastest forms, as measured by ``tests/benchmarks``: ``zoo.py``, ``decode.py`` and ``forms.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtnet.support.dtypes import DType


@dataclass(frozen=True)
class Fastest:
    """A form that was the fastest wherever it was measured.

    dtypes: those that it was measured in, none for all. least, most: the range of facts (numbers by name, which the
    operation gives) where it was.
    """

    form: str
    dtypes: tuple[str, ...] = ()
    least: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)

    def holds(self, dtype: DType | None, facts: Mapping[str, int]) -> bool:
        """Whether an operation is in the range that was measured."""
        if self.dtypes and (dtype is None or dtype.name not in self.dtypes):
            return False
        enough = all(facts[name] >= value for name, value in self.least.items())
        return enough and all(facts[name] <= value for name, value in self.most.items())


_HALF = ("float16",)

MEASURED: dict[str, dict[str, Fastest]] = {
    # TensorRT-RTX 1.6.1, H200, 2026-11-25 to 2026-11-29
    "tensorrt_rtx": {
        "decoding": Fastest("reduction", _HALF),
        "gelu": Fastest("float32"),
        "patches": Fastest("product"),
        "pointwise": Fastest("product", _HALF, most={"batch": 1}),
        "row": Fastest("reduction", _HALF, least={"weights": 1 << 16}, most={"in_features": 4864}),
        "stem": Fastest("space_to_depth", _HALF, {"pixels": 112 * 112}),
        "thin": Fastest("padded", _HALF, {"pixels": 112 * 112, "out_channels": 64}),
    },
}
"""By backend, then by kind."""
