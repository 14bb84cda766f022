"""The parts of a public docstring: a summary, shapes and dtypes, what it returns, the layer, errors, the source."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

SHAPES = re.compile(r"\[[^\]]*\]|any shape|shapes that broadcast|scalar|[Tt]he shape of|dimensions or more|\bshape\b")
DTYPES = re.compile(r"\b(float|floating|integers?|bool|u?int\d+|b?float\d+\w*|dtypes?|numbers?|strings?)\b")
CLASS = re.compile(r"\bI[A-Z]\w*[a-z]\w*\b")
MARKS = ("Layer:", "Weights:", "Raises ", "Source:")


@dataclass(frozen=True)
class Docstring:
    """A docstring by its parts; "" for a part that is missing. arguments: what stands before the first mark."""

    text: str
    summary: str
    arguments: str
    marked: dict[str, str]

    @classmethod
    def of(cls, thing: Any) -> Docstring:
        """The docstring of a function or class."""
        text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
        summary, _, rest = text.partition("\n")
        paragraphs: dict[str, str] = {}
        mark = ""
        for line in rest.partition("\n>>> ")[0].strip().splitlines():
            mark = next((m for m in MARKS if line.startswith(m)), mark)
            paragraphs[mark] = f"{paragraphs.get(mark, '')} {line}".strip()
        return cls(text, summary, paragraphs.get("", ""), paragraphs)

    @property
    def layer(self) -> str:
        return self.marked.get("Layer:", "")

    @property
    def classes(self) -> list[str]:
        """TensorRT's classes that the layer part names, in order."""
        return CLASS.findall(self.layer)

    @property
    def refers(self) -> list[str]:
        """The functions and modules whose layers they are: "ops.relu", "nn.Linear", or "its" members or function."""
        return re.findall(r"\b(?:ops|nn)\.\w+|\bits\b|``forward``", self.layer)

    @property
    def has_no_layer(self) -> bool:
        """Whether it says that there may be no layer at all, not even those of a decomposition."""
        return self.layer.startswith("Layer: none") and "decomposed" not in self.layer


def missing(found: Docstring, marks: tuple[str, ...], sourced: bool) -> list[str]:
    """What a docstring lacks of the common form."""
    lacks = []
    if not 8 <= len(found.summary) <= 120 or not found.summary.endswith((".", ":")):
        lacks.append("a summary of one line that ends with a period")
    if len(found.text) < 60:
        lacks.append("60 characters")
    told = f"{found.summary} {found.arguments}" if "Weights:" in marks else found.arguments
    if not SHAPES.search(told):
        lacks.append("shapes")
    if not DTYPES.search(told):
        lacks.append("dtypes")
    if "Returns" in marks and not re.search(r"\bReturns\b", found.arguments):
        lacks.append("Returns")
    lacks += [mark for mark in marks if mark in MARKS and mark not in found.marked]
    if found.layer and not (found.classes or found.refers or found.layer.startswith("Layer: none")):
        lacks.append("the name of a layer")
    if sourced and "Source:" not in found.marked:
        lacks.append("Source:")
    return lacks
