"""What `trtnet quantize` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Column, Table

from trtnet.tools.quantize.result import QuantizedCheckpoint, Row

COLUMNS = ("weight", "scheme", "error", "largest input", "scale of inputs", "alone", "changes")


def cells(row: Row) -> tuple[str, ...]:
    """What is shown of a weight, by COLUMNS."""
    scale = f"{row.scale:.3g}" if row.largest else "-"
    alone = "-" if row.alone is None else f"{row.alone:.2e}"
    changes = {"batch norm": row.folded, f"smoothed by {row.smoothed}": row.smoothed, "mean error": row.corrected}
    made = ", ".join(name for name, done in changes.items() if done) or "-"
    return row.key, row.scheme, f"{row.error:.2e}", f"{row.largest:.3g}", scale, alone, made


def table(found: QuantizedCheckpoint) -> Table:
    """The quantized weights, to read."""
    picture = Table(Column("weight", overflow="fold"), *COLUMNS[1:])
    for row in found.rows:
        picture.add_row(*cells(row))
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
        "sensitive": dict(found.sensitive),
    }
