"""Names from files do nothing to a terminal, and are shown as they are."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from trtnet.support.text.printing import PlainConsole, visible

NAMES = ["[/red]", "[attn]q", ":smile:", "[link=file:///x]w", "\\\\[x]"]


def shown(renderable: object, **options: object) -> str:
    console = PlainConsole(file=io.StringIO(), width=60, **options)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_text_is_not_markup(name: str) -> None:
    table = Table("key", title=name, caption=name)
    table.add_row(name)
    assert shown(table).count(name) == 3


@pytest.mark.parametrize("make", [str, Text])
def test_what_a_terminal_obeys_is_an_escape(make: type) -> None:
    table = Table("key", "other")
    table.add_row(make("a\x1b[2Jb"), "c")
    table.add_row(make("x" * 15), "\x9b31m\u202e\ud800")
    found = shown(table)
    assert "a\\x1b[2Jb" in found and "\\x9b31m\\u202e\\ud800" in found
    assert not set("\x1b\x9b\u202e\ud800") & set(found) and len({len(line) for line in found.splitlines()}) == 1


def test_styles_stay() -> None:
    assert "\x1b[1;31mred\x1b[0m" in shown(Text("red", style="bold red"), force_terminal=True, color_system="standard")


def test_lines_and_tabs_stay() -> None:
    assert visible("a\n\tb\r\x07") == "a\n\tb\\r\\x07"


def test_titles_that_are_wider_than_their_table_are_not_broken() -> None:
    table = Table("key", title="a title that is wider than its table", caption="and a caption\nof two lines, as wide")
    table.add_row("x")
    lines = [line.rstrip() for line in shown(table).splitlines()]
    assert lines[0] == table.title and "\n".join(lines[-2:]) == table.caption
    assert shown(Table("a long key", title="short")).splitlines()[0].rstrip() == "    short"
