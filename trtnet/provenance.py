"""What a layer's metadata says of where it comes from; the plan keeps it, so an engine's layers still say it.

The text is free of quotes: TensorRT's engine inspector puts it into its JSON as it is. TensorRT-RTX appends words of
its own (``resnet.py:50__gemm_from_conv1x1``), which are no part of the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"module=(?P<module>[^;\x1f]*);source=(?P<source>(?:[^;\x1f]*?:\d+)?)")


@dataclass(frozen=True)
class Provenance:
    """module: the path of the module that added the layer, "" for the model itself. source: ``models/resnet.py:31``."""

    module: str
    source: str

    def __str__(self) -> str:
        source = re.sub(r'["\\;\x00-\x1f]', "_", self.source)
        return f"module={self.module};source={source}"


def read(metadata: str) -> tuple[Provenance, ...]:
    """Where a layer comes from, or each of those that TensorRT fused into it; none in another tool's metadata."""
    found = (Provenance(match["module"], match["source"]) for match in _WRITTEN.finditer(metadata))
    return tuple(dict.fromkeys(found))
