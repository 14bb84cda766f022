"""What `trtnet audit` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from trtnet.support.text.counted import counted
from trtnet.tools.audit.audit import Audit, AuditedModule
from trtnet.tools.audit.operands import FLOATS
from trtnet.tools.quantities import quantity


def render(found: Audit) -> RenderableType:
    """The modules, to read, and a verdict."""
    table = Table(
        Column("module", overflow="fold"), Column("asked", overflow="fold"), "computed in", "weights",
        Column("bytes", justify="right"), Column("quantization of inputs", overflow="fold"),
        Column("dequantization of weights", overflow="fold"), "verdict",
    )  # fmt: skip
    for one in found.modules:
        cells = (one.name, one.asked, one.computed, one.weights, quantity(one.bytes, "B"))
        table.add_row(*map(Text, (*cells, one.inputs_pair, one.weights_pair, one.verdict)))
    return Group(table, Text("\n".join(_lines(found))))


def _lines(found: Audit) -> list[str]:
    quantized = [one for one in found.modules if one.asked and one.asked not in FLOATS]
    held = ", ".join(f"{quantity(size, 'B')} in {dtype}" for dtype, size in found.weight_bytes.items())
    lines = [f"{counted(found.layers, 'layer')}; they hold {held or 'no constants that the inspector lists'}"]
    if found.own_layers:
        lines.append(
            f"{counted(len(found.own_layers), 'layer')} only to quantize or dequantize: {_some(found.own_layers)}"
        )
    if found.unknown:
        lines.append(f"the inspector does not say enough of {_modules(found.unknown)}")
    if quantized and not any(one.layers for one in quantized):
        lines.append(
            "no layer has the name of a module that was to be quantized: is the sidecar that of another engine?"
        )
    if found.fell_back:
        lines.append(f"not computed as asked: {_modules(found.fell_back)}")
    elif found.modules and not found.unknown:
        lines.append("every product is computed as asked")
    return lines


def _modules(rows: Sequence[AuditedModule]) -> str:
    return f"{len(rows):,} of the modules: {_some([one.name for one in rows])}"


def _some(names: Sequence[str], count: int = 5) -> str:
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def to_json(found: Audit) -> dict[str, Any]:
    """The same, for a program."""
    return asdict(found) | {
        "fell_back": [one.name for one in found.fell_back],
        "unknown": [one.name for one in found.unknown],
    }
