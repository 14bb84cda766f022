"""Pictures of one output's errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtnet.support.errors import DependencyError
from trtnet.verify.arrays.feeding import Array
from trtnet.verify.metrics.array_metrics import Metrics

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise DependencyError("plots need matplotlib: pip install 'trtnet[viz]'") from error

Floats = NDArray[np.float64]

POINTS = 20_000
"""How many elements are drawn, evenly taken from the array."""

ELEMENTS = 1 << 22
"""How many elements are looked at: of larger arrays, rows evenly taken from it."""

CELLS = 128
"""Rows and columns of the heatmap, each the largest error of a block."""


def svg(found: Array, expected: Array) -> str:
    """Three plots side by side: how many errors of each size, the error by magnitude, and where it is.

    Elements that are not finite are left out of the first two, and white in the third.
    """
    rows, step = _rows(found), _step(found)
    errors, magnitudes = _errors(rows[::step], _rows(expected)[::step])
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    histogram, scatter, heat = figure.subplots(1, 3)
    apart = max(1, errors.size // POINTS)
    _histogram(histogram, errors)
    _by_magnitude(scatter, errors.ravel()[::apart], magnitudes.ravel()[::apart])
    _heatmap(figure, heat, errors, rows.shape)
    if step > 1:
        figure.suptitle(f"one row in {step}")
    return _written(figure)


def steps_svg(steps: Sequence[Metrics]) -> str:
    """The relative L2 and the largest error of each step of a sequence; steps without any error are left out."""
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes: Any = figure.subplots()
    for name, label, color in (("relative_l2", "relative L2", "#4c72b0"), ("max_abs", "max abs", "#c44e52")):
        errors = np.array([getattr(metrics, name) for metrics in steps], np.float64)
        errors[~np.isfinite(errors) | (errors == 0)] = np.nan
        axes.plot(errors, color=color, label=label, marker="." if len(steps) < 60 else None)
    axes.set(title="error by step", xlabel="step", yscale="log")
    axes.legend()
    axes.grid(alpha=0.3)
    return _written(figure)


def _written(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return file.getvalue()[file.getvalue().index("<svg") :]


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)


def _step(array: Array) -> int:
    return min(len(_rows(array)), max(1, array.size // ELEMENTS))


def _errors(found: Array, expected: Array) -> tuple[Floats, Floats]:
    a, b = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        errors = np.where(a == b, 0.0, np.abs(a - b))
    return errors, np.abs(b)


def _histogram(axes: Axes, errors: Floats) -> None:
    positive = errors[np.isfinite(errors) & (errors > 0)]
    axes.set(title="elements by error", xlabel="absolute error", ylabel="elements")
    if positive.size == 0:
        axes.text(0.5, 0.5, "no errors", ha="center", transform=axes.transAxes)
        return
    low, high = np.log10(positive.min()), np.log10(positive.max())
    axes.hist(positive, bins=np.logspace(low - 0.01, high + 0.01, 60).tolist(), color="#4c72b0")
    axes.set_xscale("log")
    axes.set_title(f"elements by error ({np.count_nonzero(errors == 0):,} of {errors.size:,} without)")


def _by_magnitude(axes: Axes, errors: Floats, magnitudes: Floats) -> None:
    drawn = np.isfinite(errors) & np.isfinite(magnitudes) & (errors > 0) & (magnitudes > 0)
    axes.set(title="error by magnitude", xlabel="|expected|", ylabel="absolute error")
    if not drawn.any():
        axes.text(0.5, 0.5, "no errors", ha="center", transform=axes.transAxes)
        return
    axes.scatter(magnitudes[drawn], errors[drawn], s=3, alpha=0.4, color="#c44e52", linewidths=0, rasterized=True)
    axes.set(xscale="log", yscale="log")


def _heatmap(figure: Figure, axes: Axes, errors: Floats, shape: tuple[int, ...]) -> None:
    extent = (0, shape[1], shape[0], 0)
    image: Any = axes.imshow(_blocks(errors), aspect="auto", interpolation="nearest", cmap="magma", extent=extent)
    figure.colorbar(image, ax=axes)
    axes.set(title="largest errors by place", xlabel="last axis", ylabel="all other axes")


def _blocks(rows: Floats) -> Floats:
    """At most CELLS x CELLS cells, each the largest error in it; NaN where one is not finite."""
    edges = [np.unique(np.linspace(0, size, min(size, CELLS), endpoint=False).astype(int)) for size in rows.shape]
    values = np.where(np.isfinite(rows), rows, np.nan)
    return np.maximum.reduceat(np.maximum.reduceat(values, edges[0], axis=0), edges[1], axis=1)
