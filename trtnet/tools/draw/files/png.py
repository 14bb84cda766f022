"""A picture as a PNG, drawn by matplotlib (the extra viz)."""

from __future__ import annotations

import io
from typing import Any

from trtnet.support.errors import DependencyError, InputError
from trtnet.tools.draw.drawing import printable
from trtnet.tools.draw.layout.picture import FAINT, INK, LINE, PAPER, Line, Mark, Picture, Rectangle, Words

SCALE = 2
"""Pixels of the file for one of the drawing, where the result is not larger than LARGEST."""
LARGEST = 2**15
"""Pixels a side: what matplotlib's renderer and most viewers take."""
POINTS = 72 / 100
"""A pixel of the drawing in points, at 100 dots an inch."""
ALIGNMENT = {"start": "left", "middle": "center", "end": "right"}


def png(picture: Picture) -> bytes:
    """The file. Raises DependencyError without matplotlib, InputError for a picture that is too large for a file."""
    largest = max(picture.width, picture.height)
    if largest > LARGEST:
        raise InputError(
            f"the picture is {picture.width:.0f} by {picture.height:.0f} pixels, a PNG has at most {LARGEST:,} a side:"
            f" draw fewer modules open (--depth), or an .svg"
        )
    figure = _figure(picture)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False)
    axes.set(xlim=(0, picture.width), ylim=(picture.height, 0), xticks=[], yticks=[])
    for order, shape in enumerate(picture.shapes):
        _draw(axes, shape, order)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100 * min(SCALE, LARGEST / largest), facecolor=PAPER)
    return file.getvalue()


def _figure(picture: Picture) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError("a PNG is drawn by matplotlib: pip install 'trtnet[viz]', or write an .svg") from error
    figure = Figure(figsize=(picture.width / 100, picture.height / 100), dpi=100)
    FigureCanvasAgg(figure)
    return figure


def _draw(axes: Any, shape: Mark, order: int) -> None:
    if isinstance(shape, Rectangle):
        axes.add_patch(_rectangle(shape, order))
    elif isinstance(shape, Line):
        axes.add_patch(_line(shape, order))
        for x, tip, towards in _arrows(shape):
            axes.fill([x - 3.5, x + 3.5, x], [tip - towards, tip - towards, tip], color=LINE, linewidth=0, zorder=order)
    else:
        _words(axes, shape, order)


def _rectangle(shape: Rectangle, order: int) -> Any:
    from matplotlib.patches import FancyBboxPatch

    style = f"round,pad=0,rounding_size={shape.radius}"
    return FancyBboxPatch(
        (shape.x, shape.y), shape.width, shape.height, boxstyle=style, facecolor=shape.fill, edgecolor=shape.stroke,
        linewidth=1.2 * POINTS, zorder=order,
    )  # fmt: skip


def _line(line: Line, order: int) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    middle = (line.y0 + line.y1) / 2
    points = [
        (line.x0, line.start), (line.x0, line.y0), (line.x0, middle), (line.x1, middle), (line.x1, line.y1),
        (line.x1, line.end),
    ]  # fmt: skip
    codes = [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
    style = "dashed" if line.dashed else "solid"
    return PathPatch(
        Path(points, codes), fill=False, edgecolor=LINE, linewidth=1.3 * POINTS, zorder=order, linestyle=style
    )


def _arrows(line: Line) -> list[tuple[float, float, float]]:
    """The x, the y of the tip, and how far the tip is below the base."""
    ends = [(line.x0, line.start, -8.0)] if line.arrow_start else []
    return ends + ([(line.x1, line.end, 8.0)] if line.arrow_end else [])


def _words(axes: Any, words: Words, order: int) -> None:
    from matplotlib.patheffects import withStroke

    axes.text(
        words.x, words.y, printable(words.text), fontsize=words.size * POINTS, color=FAINT if words.faint else INK,
        fontweight="bold" if words.bold else "normal", horizontalalignment=ALIGNMENT[words.anchor],
        verticalalignment="baseline", parse_math=False, zorder=order,
        path_effects=[withStroke(linewidth=3 * POINTS, foreground=PAPER)] if words.halo else None,
    )  # fmt: skip
