"""What `trtnet quantize` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Column, Table

from trtnet.tools.quantize.quantize import QuantizedCheckpoint


def table(found: QuantizedCheckpoint) -> Table:
    """The quantized weights, to read."""
    picture = Table(Column("weight", overflow="fold"), "scheme", "error", "largest input", "scale of inputs", "alone")
    for row in found.rows:
        scale = f"{row.scale:.3g}" if row.largest else "-"
        alone = "-" if row.alone is None else f"{row.alone:.2e}"
        picture.add_row(row.key, row.scheme, f"{row.error:.2e}", f"{row.largest:.3g}", scale, alone)
    left = (
        f"; {len(found.floats)} of two or more axes stay floats: {', '.join(found.floats[:5])}" if found.floats else ""
    )
    picture.caption = f"{found.path}: {len(found.rows)} weights quantized{left}"
    if found.error is not None:
        picture.caption += f"\nthe outputs are off by {found.error:.2e} (relative L2) on the first call"
    return picture


def to_json(found: QuantizedCheckpoint) -> dict[str, Any]:
    """The same, for a program."""
    return {
        "path": str(found.path),
        "weights": [asdict(row) for row in found.rows],
        "floats": list(found.floats),
        "error": found.error,
    }
