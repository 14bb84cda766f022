"""Writes a drawing in the form that a file's name asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from trtnet.support.errors import DependencyError
from trtnet.support.files import atomic_write
from trtnet.tools.draw import opening
from trtnet.tools.draw.drawing import Drawing
from trtnet.tools.draw.ends import settle_ends
from trtnet.tools.draw.files.dot import dot
from trtnet.tools.draw.files.netron import onnx_json
from trtnet.tools.draw.files.page import page
from trtnet.tools.draw.files.png import png
from trtnet.tools.draw.files.suffixes import check_drawing
from trtnet.tools.draw.files.svg import svg
from trtnet.tools.draw.layout.picture import Picture, picture
from trtnet.tools.draw.layout.placing import place
from trtnet.tools.draw.layout.ranks import Arrangement, arrange
from trtnet.tools.draw.tree import Tree, nest


@dataclass(frozen=True)
class Layout:
    """A drawing nested and ranked. opened: the groups that a picture shows the inside of, and a page starts with."""

    tree: Tree
    arrangements: tuple[Arrangement, ...]
    opened: Collection[int]

    @property
    def drawing(self) -> Drawing:
        return self.tree.drawing

    def picture(self) -> Picture:
        return picture(self.tree, place(self.tree, self.arrangements, self.opened))


def lay_out(drawing: Drawing, depth: int | None = None) -> Layout:
    """depth: how deep modules are open, 1 for only the model's own items; as much as one can take in by default."""
    tree = nest(settle_ends(drawing))
    opened = opening.start(tree) if depth is None else opening.down_to(tree, depth)
    return Layout(tree, tuple(arrange(tree, group) for group in tree.groups), opened)


FORMATS: dict[str, Callable[[Layout], bytes]] = {
    ".html": lambda layout: page(layout.tree, layout.arrangements, layout.opened).encode(),
    ".svg": lambda layout: svg(layout.picture(), layout.drawing.title).encode(),
    ".png": lambda layout: png(layout.picture()),
    ".dot": lambda layout: dot(layout.tree).encode(),
    ".json": lambda layout: onnx_json(layout.drawing).encode(),
}
"""What each suffix is written by."""


def write(layout: Layout, path: Path) -> None:
    """Writes the whole file or nothing.

    Raises TrtnetError for a suffix that no writer is for, and if the file cannot be written.
    """
    check_drawing(path)
    content = FORMATS[path.suffix](layout)
    with atomic_write(path) as file:
        file.write(content)


def open_in_netron(path: Path) -> None:
    """Serves a file that Netron reads, and opens the browser; returns when interrupted. Raises DependencyError."""
    try:
        import netron
    except ImportError as error:
        raise DependencyError(
            f"Netron is not installed: pip install 'trtnet[viz]', or open {path} at https://netron.app"
        ) from error
    netron.start(str(path))
    netron.wait()
