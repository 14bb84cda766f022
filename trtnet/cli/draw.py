"""`trtnet draw`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.callbacks import existing
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Json, ModelOptions, Size
from trtnet.support.files import check_writable


@dataclass(frozen=True)
class DrawOptions(ModelOptions):
    """What a model is made with; a picture needs no weights."""

    weights: Annotated[
        str | None, typer.Option(callback=existing, help="A model's checkpoint; a drawing needs none.")
    ] = None
    dim: Size = field(default_factory=list)


@grouped
def draw(
    target: Annotated[
        str, typer.Argument(help="A model, file.py:factory, x.onnx, layers.json (an engine inspector's), x.engine.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .html, .svg, .png, .dot, or .json for Netron.")
    ],
    options: DrawOptions,
    depth: Annotated[
        int | None, typer.Option(min=1, help="Depth to which modules are open (in HTML, at first).")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Colour by time: trtexec's --exportProfile, or {name: milliseconds}.")
    ] = None,
    comparison: Annotated[
        Path | None, typer.Option(help="Colour by error: `trtnet bisect --json`, or {module: error}.")
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Open a .json in Netron.")] = False,
    json: Json = None,
) -> None:
    """Draws a network or an engine.

    As an interactive page, an image for a document, or a graph for other tools.
    """
    from trtnet.support.errors import ModelError
    from trtnet.tools.draw.files.suffixes import check_drawing

    check_drawing(output)
    check_writable(output)
    if profile and comparison:
        raise ModelError("a drawing has one colour per layer: give --profile or --comparison")
    if open and output.suffix != ".json":
        raise ModelError(f"--open is for Netron, which opens a .json: write one with -o {output.with_suffix('.json')}")
    _draw(target, output, options, depth, profile, comparison, json)
    if open:
        from trtnet.tools.draw.files.writing import open_in_netron

        open_in_netron(output)


def _draw(
    target: str,
    output: Path,
    options: DrawOptions,
    depth: int | None,
    profile: Path | None,
    comparison: Path | None,
    json: str | None,
) -> None:
    from trtnet.tools.draw import measured, summary
    from trtnet.tools.draw.files import writing
    from trtnet.tools.draw.reading import read
    from trtnet.tools.output import show

    drawing = read(target, options.choices)
    if profile:
        drawing = measured.with_profile(drawing, profile)
    if comparison:
        drawing = measured.with_comparison(drawing, comparison)
    layout = writing.lay_out(drawing, depth)
    writing.write(layout, output)
    result = summary.summarize(layout, output)
    show(summary.text(result), asdict(result), json)
