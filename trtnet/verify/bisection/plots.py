"""The error of a network's modules by depth."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from trtnet.support.errors import DependencyError
from trtnet.verify.bisection.result import NAMED, Row

try:
    from matplotlib.figure import Figure
except ImportError as error:
    raise DependencyError("plots need matplotlib: pip install 'trtnet[viz]'") from error

LOWEST = 1e-9
"""Where an error of 0 is drawn."""


def svg(rows: Sequence[Row]) -> str:
    """Errors of inputs and outputs, and the budget, over the calls in order; named modules are marked.

    An error that is not finite is drawn at the top.
    """
    known = [(i, row) for i, row in enumerate(rows) if row.outputs is not None]
    top = 10 * max((x for _, row in known for x in (row.outputs, row.budget) if x and x < math.inf), default=1.0)
    figure = Figure(figsize=(13, 4), layout="constrained")
    axes = figure.subplots()
    places = [i for i, _ in known]
    axes.plot(places, [_height(row.inputs, top) for _, row in known], ".", color="#4c72b0", label="inputs")
    axes.plot(places, [_height(row.outputs, top) for _, row in known], "-", color="#c44e52", label="outputs")
    axes.step(places, [row.budget for _, row in known], where="mid", color="#888888", lw=1, label="budget")
    for i, row in known:
        if row.verdict in NAMED:
            place, side = (i, _height(row.outputs, top)), "right" if i > len(rows) / 2 else "left"
            axes.annotate(row.name, place, (0, 7), textcoords="offset points", ha=side, fontsize=9)
            axes.plot(*place, "o", color="#c44e52")
    axes.set(yscale="log", ylim=(None, 3 * top), xlabel="calls of modules, in order", ylabel="relative L2 from torch")
    axes.legend(loc="upper left")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]


def _height(error: float | None, top: float) -> float:
    return math.nan if error is None else min(max(error, LOWEST), top)
