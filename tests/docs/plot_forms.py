"""Draws docs/img/forms.svg: the time of measured forms beside that of neutral ones, from the table in docs/numbers.md.

python tests/docs/plot_forms.py
"""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PICTURE = DOCS / "img" / "forms.svg"
BATCH, ROW, LEFT, RIGHT, TOP = "32", 34, 150, 76, 40
WIDTH = 760
BEFORE, AFTER = "#b8c4ce", "#2f7d4f"
_NOTE = re.compile(r" \([a-z]\)$")
"""The letter of a note below the table."""


def measured(numbers: str) -> list[tuple[str, float, float]]:
    """(model, neutral, measured) in milliseconds, by what is saved; of models whose forms differ and are today's."""
    rows = []
    for line in numbers.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name, _, batch = _NOTE.sub("", cells[0]).partition(", ")
        if len(cells) == 10 and batch == BATCH and cells[2] and "(a)" not in cells[1]:
            rows.append((name, float(cells[2]), float(cells[1])))
    return sorted(rows, key=lambda row: row[2] / row[1])


def svg(rows: list[tuple[str, float, float]]) -> str:
    """Two bars a model, the neutral one of full width."""
    height, full = TOP + ROW * len(rows) + 10, WIDTH - LEFT - RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for index, (name, before, after) in enumerate(rows):
        y = TOP + ROW * index
        parts.append(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">{name}</text>')
        for top, value, colour in ((y, before, BEFORE), (y + 13, after, AFTER)):
            wide = full * value / before
            parts.append(f'<rect x="{LEFT}" y="{top}" width="{wide:.1f}" height="12" fill="{colour}"/>')
            parts.append(f'<text x="{LEFT + wide + 4:.1f}" y="{top + 10}" font-size="10">{value:.2f} ms</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> list[str]:
    words = ((LEFT, BEFORE, "neutral forms"), (LEFT + 130, AFTER, "measured forms"))
    found = [f'<text x="{LEFT + 270}" y="22">batch {BATCH}, float16, NVIDIA H200</text>']
    for x, colour, text in words:
        found.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>')
        found.append(f'<text x="{x + 18}" y="22">{text}</text>')
    return found


def picture() -> str:
    return svg(measured((DOCS / "numbers.md").read_text()))


if __name__ == "__main__":
    PICTURE.write_text(picture())
