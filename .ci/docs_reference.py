"""For the reference: functions that griffe does not see, and docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from types import FunctionType
from typing import Any

import griffe

LABEL = re.compile(r"(Layers?|Weights|Source|Returns|Raises)\b(:?)")
CODE = re.compile(r"(``.+?``|`[^`]+`)")


class Functions(griffe.Extension):
    """Adds functions that a module makes by calling another one (`exp, log = map(make, ...)`), or has by a second name,
    as they are when the module is imported.
    """

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        if not mod.path.startswith("trtnet.ops"):
            return
        for name, value in vars(import_module(mod.path)).items():
            member = mod.members.get(name)
            is_known = member is not None and (member.is_alias or not member.is_attribute)
            if isinstance(value, FunctionType) and not is_known and not name.startswith("_"):
                mod.set_member(name, _function(name, value, mod))


class Docstrings(griffe.Extension):
    """Makes paragraphs of the lines that begin with Layer, Weights, Returns, Raises, Source; and blocks of doctests."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None and obj.path.startswith("trtnet."):
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring of trtnet as Markdown."""
    lines: list[str] = []
    is_code = False
    for line in inspect.cleandoc(text).splitlines():
        if is_code != (line.startswith(">>> ") or (is_code and line != "")):
            lines.append("```" if is_code else "\n```pycon")
            is_code = not is_code
        if not is_code:
            line = "".join(part if i % 2 else part.replace("*", r"\*") for i, part in enumerate(CODE.split(line)))
            line = LABEL.sub(r"\n**\1\2**", line, count=1) if LABEL.match(line) else line
        lines.append(line)
    return "\n".join([*lines, "```"] if is_code else lines)


def _function(name: str, value: FunctionType, mod: griffe.Module) -> griffe.Function:
    signature = inspect.signature(value)
    function = griffe.Function(
        name, parameters=griffe.Parameters(*map(_parameter, signature.parameters.values())),
        returns=_annotation(signature.return_annotation), lineno=0, endlineno=0, parent=mod,
    )  # fmt: skip
    text = inspect.getdoc(value)
    function.docstring = griffe.Docstring(text, parent=function) if text else None
    return function


def _parameter(parameter: inspect.Parameter) -> griffe.Parameter:
    default = None if parameter.default is parameter.empty else repr(parameter.default)
    kind = griffe.ParameterKind[parameter.kind.name.lower()]
    return griffe.Parameter(parameter.name, annotation=_annotation(parameter.annotation), kind=kind, default=default)


def _annotation(annotation: Any) -> str | None:
    return annotation if isinstance(annotation, str) else None
