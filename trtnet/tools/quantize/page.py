"""What `trtnet quantize` wrote, as an HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from trtnet.support.text.counted import counted
from trtnet.tools.quantize.report import COLUMNS, activation_cells, attention_cells, cells
from trtnet.tools.quantize.result import QuantizedCheckpoint, Row
from trtnet.verify.arrays.saved import write_page
from trtnet.verify.comparison.page import STYLE

_BARS = """
.bar { display: inline-block; height: .7rem; background: var(--good); border-radius: 2px; vertical-align: middle; }
td.shape { width: 9rem; text-align: left; } td.shape svg { width: 8rem; height: 1.6rem; display: block; }
td.shape path { fill: #5b8def; } td.shape line { stroke: var(--bad); }
"""


def save(path: Path, found: QuantizedCheckpoint, model: str, settings: Mapping[str, Any]) -> None:
    """Writes the page. Raises FileError, and TrtnetError for a name that ends in neither .html nor .htm."""
    write_page(path, page(found, model, settings))


def page(found: QuantizedCheckpoint, model: str, settings: Mapping[str, Any]) -> str:
    """The whole page: what was done, each weight with its error and the ranges of its inputs, what stays in floats."""
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    off = (
        ""
        if found.error is None
        else f"<p>The outputs are off by {found.error:.2e} (relative L2) on the first calls.</p>"
    )
    body = [
        f"<h1>trtnet quantize: {escape(model)}</h1>",
        f"<p>{escape(str(found.path))}: {counted(len(found.rows), 'weight')} quantized; {escape(said)}</p>",
        off,
        _weights(found.rows),
        _listed("attention", map(attention_cells, found.attentions)),
        _listed("operation", map(activation_cells, found.activations)),
        _floats(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>trtnet quantize</title>'
        f"<style>{STYLE}{_BARS}</style></head>\n<body>\n" + "\n".join(filter(None, body)) + "\n</body></html>\n"
    )


def _weights(rows: Iterable[Row]) -> str:
    rows = list(rows)
    worst = max((row.error for row in rows), default=0) or 1.0
    columns = (*COLUMNS, "error of the weight", "magnitudes of its inputs, and what is represented")
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = []
    for row in rows:
        texts = "".join(f"<td>{escape(text)}</td>" for text in cells(row))
        bar = f'<td class="shape"><span class="bar" style="width:{8 * row.error / worst:.2f}rem"></span></td>'
        lines.append(f'<tr>{texts}{bar}<td class="shape">{_magnitudes(row)}</td></tr>')
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(lines)}</tbody></table></div>'
    )


def _listed(what: str, found: Iterable[tuple[str, ...]]) -> str:
    """What is no weight, with the cells that the report has; "" where there is nothing."""
    rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in found)
    head = "".join(f"<th>{escape(column)}</th>" for column in (what, *COLUMNS[1:]))
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return table if rows else ""


def _magnitudes(row: Row) -> str:
    """The logarithms of how often magnitudes were seen, from 0 to the largest; a line where the range ends."""
    if not row.magnitudes or not row.largest:
        return ""
    width, height = len(row.magnitudes), 20
    tall = max(row.magnitudes)
    steps = "".join(f"V{height - height * each / tall:.1f}H{i + 1}" for i, each in enumerate(row.magnitudes))
    end = width * min(row.range / row.largest, 1)
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none"><path d="M0,{height}{steps}V{height}Z"/>'
        f'<line x1="{end:.2f}" x2="{end:.2f}" y1="0" y2="{height}"/></svg>'
    )


def _floats(found: QuantizedCheckpoint) -> str:
    alone, left = dict(found.sensitive), {**found.reasons, **found.others}
    if not left:
        return ""
    items = "".join(
        f"<li>{escape(key)}: {escape(why)}{_alone(key if key in found.others else key.rpartition('.')[0], alone)}</li>"
        for key, why in left.items()
    )
    return f"<h2>In floats</h2>\n<ul>{items}</ul>"


def _alone(name: str, errors: Mapping[str, float]) -> str:
    """The error of a module or an attention alone, in words."""
    return f", {errors[name]:.2e} alone" if name in errors else ""
