"""The forms that the modules of a network have, and who chose them, to read."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Column, Table
from rich.text import Text

ByModule = Mapping[str, Mapping[str, str]]
"""By the path of a module, by kind."""

SHOWN_MODULES = 3


def render(forms: ByModule, by: ByModule) -> Table | None:
    """A row for each kind, form and who chose it, with its modules; None where there is nothing to choose."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for path, chosen in forms.items():
        for kind, form in chosen.items():
            rows.setdefault((kind, form, by.get(path, {}).get(kind, "not recorded")), []).append(path or "(the model)")
    if not rows:
        return None
    table = Table(Column("operation", no_wrap=True), "form", "chosen by", Column("modules", overflow="fold"))
    for key in sorted(rows):
        table.add_row(*map(Text, (*key, _some(rows[key]))))
    return table


def _some(paths: list[str]) -> str:
    more = len(paths) - SHOWN_MODULES
    return ", ".join(paths[:SHOWN_MODULES]) + (f" and {more} more" if more > 0 else "")
