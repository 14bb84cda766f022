"""The command that helps: `trtnet doctor`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from trtnet.cli.options import Json

Explain = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Explain an error of TensorRT instead: its text, or - for standard input."
        " Exit code 2 if nothing is known of it.",
    ),
]


def doctor(explain: Explain = None, json: Json = None) -> None:
    """Reports what this machine has, and what is missing.

    It also reports version mismatches, and how to install what is missing. --explain explains an error of TensorRT.
    """
    from trtnet.tools.doctor import doctor as tool
    from trtnet.tools.output import show

    if explain is not None:
        _explain(explain, json)
    findings = tool.examine()
    show(tool.render(findings), tool.to_json(findings), json)
    raise typer.Exit(0 if tool.is_healthy(findings) else 2)


def _explain(text: str, json: str | None) -> None:
    """Exit code 2 for a text that nothing is known of: there is no verdict."""
    from trtnet.tools import explain as tool
    from trtnet.tools.output import show

    text = sys.stdin.read() if text == "-" else text
    found = tool.explain(text)
    near = [] if found else tool.nearest(text)
    show(tool.render(found, near), tool.to_json(found, near), json)
    raise typer.Exit(0 if found else 2)
