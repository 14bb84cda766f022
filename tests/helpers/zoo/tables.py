"""The rows of the zoo as Markdown, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = {
    "tuned": "tuned", "trtnet": "trtnet", "neutral": "neutral forms", "onnx": "ONNX parser's engine",
    "compile": "torch.compile", "graphed": "its kernels as one CUDA graph", "eager": "torch eager",
}  # fmt: skip
BESIDE = ("onnx", "compile", "graphed", "eager")
ERRORS = ("tuned", "trtnet", "onnx", "eager")
OURS = ("tuned", "trtnet")
"""What counts as trtnet's time: of the tuned engine if there is one."""

Row = Mapping[str, Any]


def table(rows: Sequence[Row]) -> str:
    """Times in milliseconds, errors, geometric means. (d): torch.compile in its default mode."""
    shown = [route for route in COLUMNS if any(route in row.get("ms", ()) for row in rows)]
    errors = [route for route in ERRORS if route in shown]
    heads = ["model, batch", *(COLUMNS[route] for route in shown), "floor", *(f"error: {route}" for route in errors)]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        name = f"{row['family'].rpartition(':')[2]}, {row['batch']}"
        if "ms" not in row:
            lines.append(f"| {name} | {row['skipped']} {'| ' * (len(heads) - 2)}|")
            continue
        times = [number(row["ms"].get(route)) + _mark(row, route) for route in shown]
        found = [number(row["error"].get(route), 1) for route in errors]
        lines.append(f"| {' | '.join([name, *times, number(row['floor']), *found])} |")
    return "\n".join([*lines, "", *(beside(rows, other) for other in BESIDE), *limits(rows)])


def _mark(row: Row, route: str) -> str:
    return " (d)" if route == "compile" and row.get("compiled", {}).get("mode") == "default" else ""


def number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}e}" if digits == 1 else f"{value:.{digits}f}"


def ours(row: Row) -> float | None:
    """trtnet's time."""
    times: Mapping[str, float] = row.get("ms", {})
    return next((times[route] for route in OURS if route in times), None)


def ratios(rows: Sequence[Row], other: str) -> dict[str, float]:
    """trtnet's time by another's, by row."""
    pairs = [(row, ours(row), row.get("ms", {}).get(other)) for row in rows]
    return {f"{row['family']}, {row['batch']}": mine / theirs for row, mine, theirs in pairs if mine and theirs}


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def beside(rows: Sequence[Row], other: str) -> str:
    """One line: how trtnet does beside another route."""
    found = ratios(rows, other)
    if not found:
        return f"trtnet beside {COLUMNS[other]}: not measured"
    worst = max(found, key=lambda name: found[name])
    mean = geometric_mean([*found.values()])
    return (
        f"trtnet beside {COLUMNS[other]}: geometric mean {mean:.3f} of {len(found)} rows,"
        f" worst {found[worst]:.3f} ({worst})"
    )


def limits(rows: Sequence[Row]) -> list[str]:
    """The rows above 0.95 and 1.02 of the ONNX parser's engine."""
    found = ratios(rows, "onnx")
    above = {
        bound: [f"{name} ({ratio:.3f})" for name, ratio in found.items() if ratio > bound] for bound in (0.95, 1.02)
    }
    return [
        f"above {bound} of the ONNX parser's engine: {'; '.join(names) or 'none'}" for bound, names in above.items()
    ]


def profile_table(row: Row, most: int = 10) -> str:
    """Where an engine spends its time: by kind, by module, its slowest layers."""
    head = f"### {row['family']}, {row['batch']}, {row['route']}"
    if "us" not in row:
        return f"{head}\n{row['skipped']}"
    lines = [f"{head}: {row['us']:.0f} us in {row['count']} layers"]
    for what in ("kinds", "modules"):
        lines += ["", f"| {what} | us | % | layers |", "| --- " * 4 + "|"]
        for each in row[what][:most]:
            lines.append(
                f"| {each['name']} | {each['us']:.1f} | {100 * each['us'] / row['us']:.0f} | {each['layers']} |"
            )
    lines += ["", "| layer of | kind | us | shapes |", "| --- " * 4 + "|"]
    lines += [f"| {x['module']} | {x['kind']} | {x['us']:.1f} | {x['shapes']} |" for x in row["layers"][:most]]
    return "\n".join(lines)
