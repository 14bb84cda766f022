"""For the reference: functions that a module makes by calling another one, or has by a second name."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import FunctionType
from typing import Any

import griffe


class Functions(griffe.Extension):
    """Adds those that griffe does not see (`exp, log = map(make, ...)`), as they are when the module is imported."""

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        if not mod.path.startswith("trtnet.ops"):
            return
        for name, value in vars(import_module(mod.path)).items():
            member = mod.members.get(name)
            is_known = member is not None and (member.is_alias or not member.is_attribute)
            if isinstance(value, FunctionType) and not is_known and not name.startswith("_"):
                mod.set_member(name, _function(name, value, mod))


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
