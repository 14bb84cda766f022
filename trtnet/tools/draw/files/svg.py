"""A picture as an SVG for documents: shapes and text alone, no script, no style sheet."""

from __future__ import annotations

from xml.sax.saxutils import escape

from trtnet.tools.draw.drawing import printable
from trtnet.tools.draw.layout.picture import FAINT, INK, LINE, PAPER, Line, Mark, Picture, Rectangle, Words

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


def svg(picture: Picture, title: str) -> str:
    """The file. title: for readers that speak it."""
    size = f'width="{picture.width:g}" height="{picture.height:g}" viewBox="0 0 {picture.width:g} {picture.height:g}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">',
            f"<title>{escape(printable(title))}</title>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
            f' orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>',
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *map(_shape, picture.shapes),
            "</svg>\n",
        ]
    )


def _shape(shape: Mark) -> str:
    if isinstance(shape, Rectangle):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
            f' rx="{shape.radius:g}" fill="{shape.fill}" stroke="{shape.stroke}" stroke-width="1.2"/>'
        )
    return _line(shape) if isinstance(shape, Line) else _words(shape)


def _line(line: Line) -> str:
    middle = (line.y0 + line.y1) / 2
    path = f"M{line.x0:.1f} {line.start:.1f}V{line.y0:.1f}"
    path += f"C{line.x0:.1f} {middle:.1f} {line.x1:.1f} {middle:.1f} {line.x1:.1f} {line.y1:.1f}"
    path += f"V{line.end:.1f}" if line.end > line.y1 else ""
    arrows = ' stroke-dasharray="5 4"' * line.dashed
    arrows += ' marker-start="url(#arrow)"' * line.arrow_start + ' marker-end="url(#arrow)"' * line.arrow_end
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.3"{arrows}/>'


def _words(words: Words) -> str:
    weight = ' font-weight="650"' if words.bold else ""
    halo = f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"' if words.halo else ""
    return (
        f'<text x="{words.x:.1f}" y="{words.y:.1f}" font-size="{words.size:g}" text-anchor="{words.anchor}"'
        f' fill="{FAINT if words.faint else INK}"{weight}{halo}>{escape(printable(words.text))}</text>'
    )
