"""Pictures of a measurement: the distribution of latencies, and where the time goes. PNG, or HTML with SVG in it."""

from __future__ import annotations

import html
import importlib.util
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtnet.support.errors import DependencyError
from trtnet.support.files import atomic_write, check_suffix
from trtnet.support.text.counted import counted
from trtnet.tools.bench.profile import Row
from trtnet.tools.bench.reports.report import Bench, title

SHOWN = 25
"""Modules in the picture; those that take least are one bar."""
STYLES = ("-", "--", "-.", ":")
INK, ACCENT = "#1f2933", "#3e7cb1"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #1f2933 }}
svg {{ width: 100%; height: auto }}</style></head>
<body><h1>{title}</h1>
{picture}
</body></html>
"""


def save(bench: Bench, path: Path, depth: int) -> None:
    """Writes the picture, whole or not at all. depth: of the modules in it.

    Raises what :func:`check` raises, and TrtnetError for a place that cannot be written.
    """
    check(path)
    content = MAKERS[path.suffix](bench, depth)
    with atomic_write(path) as file:
        file.write(content)


def check(path: Path) -> None:
    """Raises TrtnetError for a name that ends in neither .png nor .html, DependencyError without matplotlib."""
    check_suffix(path, tuple(MAKERS), "a plot")
    if importlib.util.find_spec("matplotlib") is None:
        raise DependencyError("--plot needs matplotlib: pip install 'trtnet[viz]'")


def _png(bench: Bench, depth: int) -> bytes:
    return _drawn(bench, depth, "png")


def _page(bench: Bench, depth: int) -> bytes:
    svg = _drawn(bench, depth, "svg").decode()
    return PAGE.format(title=html.escape(title(bench)), picture=svg[svg.index("<svg") :]).encode()


MAKERS = {".png": _png, ".html": _page}


def _drawn(bench: Bench, depth: int, kind: str) -> bytes:
    from matplotlib.figure import Figure

    rows = largest(bench.profile.by_module(depth)) if bench.profile is not None and bench.profile.layers else []
    heights = [3.2, 1.0 + 0.22 * len(rows)] if rows else [3.2]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    figure.suptitle(title(bench), color=INK, fontsize=11)
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _distribution(panels[0], bench)
    if rows:
        _modules(panels[1], rows)
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150)
    return file.getvalue()


def _distribution(axes: Any, bench: Bench) -> None:
    """A histogram to a little beyond the last percentile: a few stragglers would squeeze all the others."""
    latency = bench.measurement.timing.latency
    values = [sample.latency_ms for sample in bench.measurement.samples]
    lines = {"median": latency.median} | {f"p{percent:g}": value for percent, value in latency.percentiles.items()}
    end = max(lines.values()) * 1.02
    axes.hist([value for value in values if value <= end], bins=100, color=ACCENT)
    for (name, value), style in zip(lines.items(), itertools.cycle(STYLES), strict=False):
        axes.axvline(value, color=INK, linewidth=1, linestyle=style, label=f"{name} {value:.4f} ms")
    axes.legend(frameon=False, fontsize=8)
    beyond = sum(value > end for value in values)
    words = f"latency, ms: {counted(len(values), 'query', 'queries')}"
    words += f", {beyond:,} beyond the picture" if beyond else ""
    words += f", the floor is {bench.floor.ms:.4f} ms" if bench.floor else ""
    axes.set_xlabel(words)
    axes.set_ylabel("queries")
    _plain(axes)


def _modules(axes: Any, rows: Sequence[Row]) -> None:
    """A bar a module, in the order of execution from above."""
    names, times = [row.name for row in rows], [row.average_ms for row in rows]
    places = range(len(rows))
    axes.barh(places, times, color=ACCENT)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    for place, row in zip(places, rows, strict=True):
        axes.annotate(f" {row.percentage:.1f} %", (row.average_ms, place), va="center", fontsize=8, color=INK)
    axes.margins(x=0.1, y=0.02)
    axes.set_xlabel("ms an execution, by TensorRT's profiler")
    _plain(axes)


def largest(rows: Sequence[Row], limit: int = SHOWN) -> list[Row]:
    """The rows that take most of the time, in their order; the others are one row."""
    if len(rows) <= limit:
        return list(rows)
    kept = set(sorted(rows, key=lambda row: row.time_ms, reverse=True)[: limit - 1])
    others = [row for row in rows if row not in kept]
    name = f"{len(others)} others"
    sums = (sum(values) for values in zip(*map(_numbers, others), strict=True))
    return [row for row in rows if row in kept] + [Row(name, (name,), *sums)]


def _numbers(row: Row) -> tuple[float, float, float, float]:
    return row.time_ms, row.average_ms, row.median_ms, row.percentage


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
