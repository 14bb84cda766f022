"""The user's own model files, loaded as Python runs a script: their folder is where they import from."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trtnet.support.errors import ModelError
from trtnet.support.source import at, raised_at
from trtnet.support.text.did_you_mean import nearest

_entered: dict[str, set[str]] = {}
"""The folder that modules are imported from, and the names of those that were there before."""


def factory_in(name: str) -> Callable[..., Any]:
    """The factory behind ``path/to/file.py:factory``.

    The file's folder stays on ``sys.path``, first, so that it and its functions can import their neighbours; a file of
    another folder loads neighbours of its own, even of the same names.
    Raises ModelError for a name of another form, a file that does not load, or one without the factory.
    """
    file, _, attribute = name.rpartition(":")
    if not file or not attribute:
        text = f"{name!r} names no factory; write it as path/to/file.py:factory"
        raise ModelError(f"{text}{_factories(Path(name))}")
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"no model file {file}")
    _enter(str(path.resolve().parent))
    loaded = vars(_loaded(path, file))
    factory = loaded.get(attribute)
    if not callable(factory):
        there = [name for name, value in loaded.items() if callable(value) and not name.startswith("_")]
        raise ModelError(f"{file} has no function {attribute!r}; {nearest(attribute, there)}")
    return factory


def _factories(path: Path) -> str:
    """What a file defines at its top, as examples, without running it."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, ValueError, SyntaxError):
        return ""
    names = [one.name for one in body if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name[0] != "_"]
    return f", such as {' or '.join(f'{path}:{name}' for name in names[-3:])}" if names else ""


def _enter(folder: str) -> None:
    """Makes a folder the one that modules are imported from, in the place of the last model file's."""
    if sys.path[0] == folder:
        return
    for other, before in _entered.items():
        if other in sys.path:
            sys.path.remove(other)
        for name in [name for name, one in sys.modules.items() if name not in before and _is_users(name, one, other)]:
            del sys.modules[name]
    _entered.clear()
    _entered[folder] = set(sys.modules)
    sys.path.insert(0, folder)


def _is_users(name: str, module: ModuleType, folder: str) -> bool:
    """Whether a module was loaded from a folder or a package in it; installed ones stay, and trtnet in a checkout."""
    file = getattr(module, "__file__", None) or ""
    if name.partition(".")[0] == "trtnet" or not file or "site-packages" in file:
        return False
    return Path(folder) in Path(file).resolve().parents


def _loaded(path: Path, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        text = f"{file} does not load: there is no module {error.name!r}, neither installed nor in {path.parent}"
        raise ModelError(at(raised_at(error), text)) from error
    except Exception as error:
        text = f"{file} does not load: {type(error).__name__}: {error}"
        raise ModelError(at(raised_at(error), text)) from error
    return module
