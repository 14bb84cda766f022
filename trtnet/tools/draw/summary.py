"""What `trtnet draw` says it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from trtnet.support.text.counted import counted
from trtnet.tools.draw.drawing import INPUT, OUTPUT
from trtnet.tools.draw.files.writing import Layout


@dataclass(frozen=True)
class Summary:
    """A written drawing. modules: those that are drawn as boxes with something inside, without the model itself."""

    path: str
    bytes: int
    layers: int
    tensors: int
    modules: int
    notes: tuple[str, ...]


def summarize(layout: Layout, path: Path) -> Summary:
    """Counts what is in a drawing, and the bytes of its file."""
    drawing = layout.drawing
    layers = sum(drawn.kind not in (INPUT, OUTPUT) for drawn in drawing.layers)
    modules = len(layout.tree.groups) - 1
    return Summary(str(path), path.stat().st_size, layers, len(drawing.tensors), modules, drawing.notes)


def text(summary: Summary) -> Text:
    """The same, to read."""
    first = f"{summary.path}: {counted(summary.layers, 'layer')} in {counted(summary.modules, 'module')}"
    first += f", {counted(summary.bytes, 'byte')}"
    return Text("\n".join([first, *summary.notes]))
