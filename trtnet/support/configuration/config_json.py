"""Reads the configuration of a model: its dataclass, fields by keyword, or a published `config.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields as fields_of, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from trtnet.support import json_text
from trtnet.support.configuration.field_types import as_type, described
from trtnet.support.errors import ModelError
from trtnet.support.files import is_folder
from trtnet.support.text.counted import an
from trtnet.support.text.did_you_mean import nearest

C = TypeVar("C")
Document = Mapping[str, Any]
Source = str | PathLike[str] | Document
"""A published configuration: the path of a `config.json`, of the folder it is in, or what is in it."""
Allowed = Sequence[Any] | Callable[[Any], Sequence[Any]]

NOWHERE = object()
OF_ALL: Mapping[str, Allowed] = {"quantization_config": (None, {}), "auto_map": (None, {}), "pruned_heads": (None, {})}
"""Keys that change the computation of every family: other products, code of the repository's own, fewer heads."""


@dataclass(frozen=True)
class Form:
    """What the keys of a `config.json` of one kind of model are for a family.

    names: the keys of fields that have other names there; "rope_parameters.rope_theta" is a key inside a key.
    defaults: what a missing key means, where the family's dataclass has another default.
    computed: fields that are computed from the document.
    fixed: the values of other keys that the family computes; a function gives those that depend on the configuration.
    inside: the key of the part that is read like the whole document, and before it.
    """

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    computed: Mapping[str, Callable[[Document], Any]] = field(default_factory=dict)
    fixed: Mapping[str, Allowed] = field(default_factory=dict)
    inside: str = ""


@dataclass(frozen=True)
class Family:
    """The published configurations that a family of models reads, by `model_type`, or what else `key` is.

    Without any, a document has the names of the fields.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    key: str = "model_type"

    def read(self, config: C | Source | None, default: C, fields: Document) -> C:
        """The configuration that a factory is given; fields by keyword replace those of the configuration.

        config: None for the default, the family's dataclass, or a published configuration.
        Raises ModelError for a file that is missing or no JSON, a model type of another family, keys that ask for
        something that the family does not compute, fields that it does not have, and values of the wrong type.
        """
        _check_names(fields, default)
        given = default if config is None else config
        if not isinstance(given, type(default)):
            given = _published(given, default, self)
        return _replaced(given, fields, str)

    def form(self, document: Document) -> Form:
        """That of a published configuration. Raises ModelError for one of another family."""
        kind = document.get(self.key)
        form = self.forms.get(str(kind))
        if form is None:
            known = ", ".join(map(repr, sorted(self.forms)))
            found = f"it has no {self.key}" if kind is None else f"{self.key} is {kind!r}, which is not read here"
            raise ModelError(f"{found}; known: {known}")
        return form


def _published(source: Any, default: C, family: Family) -> C:
    if isinstance(source, Mapping):
        document, where = source, "the configuration"
    elif isinstance(source, str | PathLike):
        document, where = _load(Path(source)), fspath(source)
    else:
        text = f"it takes a {_of(default)}, the path of a config.json or what is in one, or fields by keyword"
        raise ModelError(f"the configuration is {source!r}; {text}")
    try:
        return _translated(document, default, family) if family.forms else _fields(document, default)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error


def _load(path: Path) -> Document:
    file = path / "config.json" if is_folder(path) else path
    try:
        document = json_text.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"there is no configuration {file}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise ModelError(f"{file} has {an(type(document).__name__)}; a configuration is an object of keys and values")
    return document


def _fields(document: Document, default: C) -> C:
    _check_names(document, default)
    return _replaced(default, document, str)


def _check_names(values: Document, default: object) -> None:
    known = _names(default)
    for name in values:
        if name not in known:
            raise ModelError(f"{_of(default)} has no field {name!r}; {nearest(name, known)}")


def _translated(document: Document, default: C, family: Family) -> C:
    form = family.form(document)
    part = document.get(form.inside) or {}
    if not isinstance(part, Mapping):
        raise ModelError(f"{form.inside} is {part!r}; it must be an object of keys and values")
    document = {**document, **part}
    keys: dict[str, str] = {}
    values = dict(form.defaults)
    for name in _names(default):
        if name in form.computed:
            values[name] = _computed(name, form.computed[name], document)
            continue
        for key in form.names.get(name, (name,)):
            if _at(document, key) is not NOWHERE:
                keys[name], values[name] = key, _at(document, key)
    config = _replaced(default, values, lambda name: keys.get(name, name))
    _check({**OF_ALL, **form.fixed}, document, config)
    return config


def _computed(name: str, function: Callable[[Document], Any], document: Document) -> Any:
    try:
        return function(document)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ModelError(f"{name} cannot be computed from what the configuration says: {error!r}") from error


def _check(fixed: Mapping[str, Allowed], document: Document, config: Any) -> None:
    for key, allowed in fixed.items():
        found, allowed = _at(document, key), allowed(config) if callable(allowed) else allowed
        if found is NOWHERE or found in allowed:
            continue
        if not (isinstance(found, list) and found and all(each in allowed for each in found)):
            has = " or ".join(repr(value) for value in allowed if value not in (None, {}))
            raise ModelError(
                f"{key} is {found!r}, which the model does not compute" + (f"; it has {has}" if has else "")
            )


def _replaced(config: C, values: Document, key: Callable[[str], str]) -> C:
    """A configuration with other values, as their fields' types have them. key: where the value of a field is from."""
    types = get_type_hints(type(config))
    found = {}
    for name, value in values.items():
        try:
            found[name] = as_type(value, types[name])
        except TypeError as error:
            raise ModelError(f"{key(name)} is {value!r}; it must be {described(types[name])}") from error
    return replace(config, **found)  # type: ignore[type-var]


def _at(document: Document, key: str) -> Any:
    """The value of a key, or of one inside another, "rope_parameters.rope_theta"; NOWHERE without it."""
    part: Any = document
    for name in key.split("."):
        if not isinstance(part, Mapping) or name not in part:
            return NOWHERE
        part = part[name]
    return part


def _of(config: object) -> str:
    return type(config).__name__


def _names(config: Any) -> list[str]:
    return [each.name for each in fields_of(config)]
