"""A comparison as an HTML page that needs no other file."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from html import escape

from trtnet.verify.comparison.result import ComparisonResult, OutputComparison
from trtnet.verify.comparison.table import columns, rows_of, title, verdict
from trtnet.verify.metrics.array_metrics import written

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2e7d32; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --good: #81c784; --bad: #ef9a9a; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
td { font-variant-numeric: tabular-nums; }
.PASS { color: var(--good); font-weight: 600; } .FAIL { color: var(--bad); font-weight: 600; }
pre { white-space: pre-wrap; font-size: .85rem; } figure { margin: 1rem 0; background: #fff; border-radius: 6px; }
figure svg { width: 100%; height: auto; }
"""


def page(comparison: ComparisonResult) -> str:
    """The whole page: the table, and for each output what there is to say, its iterations and its plots."""
    said = "PASS" if comparison.passed else "FAIL"
    body = [
        f"<h1>trtnet compare: <span class={said}>{said}</span></h1>",
        f"<p>{escape(title(comparison))}</p>",
        _table(columns(comparison), rows_of(comparison)),
        *(f"<p>note: {escape(note)}</p>" for note in comparison.notes),
        *(_section(output) for output in comparison.outputs),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>trtnet compare: {said}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _section(output: OutputComparison) -> str:
    said = verdict(output)
    heading = f"<h2>{escape(output.candidate)}: {escape(output.output)} <span class={said[:4]}>{said}</span></h2>"
    lines = escape("\n".join(output.lines()))
    return f"{heading}\n<pre>{lines}</pre>\n{_plots(output)}\n{_steps(output)}\n{_iterations(output)}"


def _plots(output: OutputComparison) -> str:
    if output.sample is None or not output.worst.same_shape or not output.worst.different:
        return ""
    if importlib.util.find_spec("matplotlib") is None:
        return "<p>No plots: they need matplotlib: <code>pip install 'trtnet[viz]'</code></p>"
    from trtnet.verify.comparison.plots import svg

    return f"<figure>{svg(*output.sample)}</figure>"


def _steps(output: OutputComparison) -> str:
    """The error by step of a sequence."""
    if not output.is_sequence or len(output.iterations) < 2 or importlib.util.find_spec("matplotlib") is None:
        return ""
    from trtnet.verify.comparison.plots import steps_svg

    return f"<figure>{steps_svg(output.iterations)}</figure>"


def _iterations(output: OutputComparison) -> str:
    names = ("max_abs", "mean_abs", "max_rel", "p50", "p90", "p95", "p99", "relative_l2", "cosine", "psnr")
    rows = ([str(i), *(written(getattr(m, name), ".6g") for name in names)] for i, m in enumerate(output.iterations))
    return _table((output.step, *(name.replace("_", " ") for name in names)), rows)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    return f"<td class={text}>{text}</td>" if text in ("PASS", "FAIL") else f"<td>{escape(text)}</td>"
