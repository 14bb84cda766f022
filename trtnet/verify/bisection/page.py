"""A bisection as an HTML page that needs no other file."""

from __future__ import annotations

import importlib.util
from html import escape

from trtnet.verify.bisection.result import NAMED, BisectionResult, Row
from trtnet.verify.bisection.table import cells, columns, headlines, quantized, remarks
from trtnet.verify.comparison.page import STYLE


def page(bisection: BisectionResult) -> str:
    """The findings, the error by depth, and every call of a module."""
    nobody = "nothing differs" if bisection.passed else "the outputs differ, and no module by itself"
    title = "trtnet bisect: " + (", ".join(f.row.name for f in bisection.findings) or nobody)
    said = "\n".join(line.plain for line in headlines(bisection))
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<pre>{escape(said)}</pre>",
        *(f"<p>note: {escape(note)}</p>" for note in remarks(bisection)),
        _plot(bisection),
        _table(bisection),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _plot(bisection: BisectionResult) -> str:
    if importlib.util.find_spec("matplotlib") is None:
        return "<p>No plot: it needs matplotlib: <code>pip install 'trtnet[viz]'</code></p>"
    from trtnet.verify.bisection.plots import svg

    return f"<figure>{svg(bisection.rows)}</figure>"


def _table(bisection: BisectionResult) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in (*columns(bisection), "note"))
    body = "\n".join(_row(row, in_floats=quantized(bisection)) for row in bisection.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _row(row: Row, *, in_floats: bool) -> str:
    said = ' class="FAIL"' if row.verdict in NAMED else ""
    texts = "".join(f"<td>{escape(text)}</td>" for text in (*cells(row, in_floats=in_floats), row.note))
    return f"<tr{said}>{texts}</tr>"
