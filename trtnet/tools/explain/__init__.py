"""`trtnet doctor --explain`: what an error of TensorRT means, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.tools.explain import names
from trtnet.tools.explain.explanation import Explanation
from trtnet.tools.explain.messages import explain_messages

__all__ = ["Explanation", "explain", "nearest", "render", "to_json"]

_NAME = re.compile(r"[A-Za-z_]\w{3,}")
_MISSING = re.compile(r"'(?P<owner>[\w.]+)'(?: object)? has no attribute '(?P<name>\w+)'")


def explain(text: str) -> list[Explanation]:
    """What is known of the errors in a text, each once; nothing for a text that says none that is known."""
    return list(dict.fromkeys([*names.explain_names(text), *explain_messages(text)]))


def nearest(text: str) -> list[str]:
    """Names of TensorRT's API that are almost those in a text that nothing is known of."""
    missing = _MISSING.search(text)
    if missing:
        return names.nearest(names.owner_of(missing["owner"]), missing["name"])
    words = dict.fromkeys(word for word in _NAME.findall(text) if "_" in word or word != word.lower())
    return list(dict.fromkeys(name for word in words for name in names.nearest("", word, 1)))[:5]


def render(found: Sequence[Explanation], near: Sequence[str]) -> RenderableType:
    """The explanations, to read; or the names that come near."""
    if not found:
        others = f"\nNear it are {', '.join(near)}." if near else ""
        return Text(f"Nothing is known of this text.{others}\nGive the whole of the first error, with its last line.")
    return Group(*(part for one in found for part in _lines(one)))


def _lines(one: Explanation) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    for word, said in (("why", one.cause), ("do", one.advice), ("trtnet", one.trtnet)):
        if said:
            table.add_row("", word, Text(said))
    return [Text(one.title, style="bold"), table]


def to_json(found: Sequence[Explanation], near: Sequence[str]) -> dict[str, Any]:
    """The explanations, for a program."""
    return {"explained": bool(found), "explanations": [asdict(one) for one in found], "near": list(near)}
