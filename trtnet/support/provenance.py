"""What a layer's metadata says of where it comes from; the plan keeps it, so an engine's layers still say it.

The text is free of quotes: TensorRT's engine inspector puts it into its JSON as it is. TensorRT-RTX appends words of
its own (``resnet.py:50__gemm_from_conv1x1``), which are no part of the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ROWS = re.compile(r";rows=1/(\d+)")
_WRITTEN = re.compile(r"module=(?P<module>[^;\x1f]*);source=(?P<source>(?:[^;\x1f]*?:\d+)?)")


@dataclass(frozen=True)
class Provenance:
    """module: the path of the module that added the layer, "" for the model itself. source: ``models/resnet.py:31``.

    rows: of how many equal rows, of which the model uses one, the layer computes: 1 where it has no padding.
    """

    module: str
    source: str
    rows: int = field(default=1, compare=False)

    def __str__(self) -> str:
        source = re.sub(r'["\\;\x00-\x1f]', "_", self.source)
        return f"module={self.module};source={source}" + (f";rows=1/{self.rows}" if self.rows > 1 else "")


def read(metadata: str) -> tuple[Provenance, ...]:
    """Where a layer comes from, or each of those that TensorRT fused into it; none in another tool's metadata."""
    found = (Provenance(match["module"], match["source"]) for match in _WRITTEN.finditer(metadata))
    return tuple(dict.fromkeys(found))


def rows(metadata: str) -> int:
    """Of how many equal rows, of which the model uses one, a layer computes."""
    found = _ROWS.search(metadata)
    return int(found[1]) if found else 1
