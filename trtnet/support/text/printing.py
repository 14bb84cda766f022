"""Text that comes from files, on a terminal: it is shown as it is, and does nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from copy import copy
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: object) -> str:
    """The text with escapes in the place of what a terminal obeys or cannot show; lines and tabs stay."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


class PlainConsole(Console):
    """A rich console to which text is not markup and holds no emoji: names in tables come from files."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Table):
            renderable = self._with_whole_words(renderable, options or self.options)
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def _with_whole_words(self, table: Table, options: ConsoleOptions) -> RenderableType:
        """The table, its title and caption on lines of their own where they are wider: rich would break them."""
        words = table.title, table.caption
        widest = max((cell_len(line) for text in words for line in str(text or "").splitlines()), default=0)
        if widest <= Measurement.get(self, options, table).maximum:
            return table
        bare = copy(table)
        bare.title = bare.caption = None
        above, below = ([self.render_str(text) if isinstance(text, str) else text] if text else [] for text in words)
        return Group(*above, bare, *below)


def as_text(picture: RenderableType) -> str:
    """What a wide terminal would show, without blanks at the ends of lines."""
    file = io.StringIO()
    PlainConsole(file=file, width=140).print(picture)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
