"""Reading the parameters of a TorchScript archive, without torch and without running any of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from trtnet.checkpoint.formats.pickled.machine import Builders, PickleError
from trtnet.checkpoint.formats.pickled.objects import Global, Object
from trtnet.checkpoint.formats.pickled.storages import LARGEST_PICKLE, ZipStorages
from trtnet.checkpoint.formats.pickled.tensors import BUILDERS, is_stored
from trtnet.checkpoint.formats.pickled_file import PickledCheckpoint
from trtnet.support.errors import CheckpointError

DEEPEST = 100
"""The most modules in each other."""
MOST_ATTRIBUTES = 1_000_000
"""The most attributes of all modules; those of a module that has several names count for each."""

_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag")
_BUILDERS: Builders = {
    **BUILDERS,
    **{("torch.jit._pickle", name): lambda values=(), *_: values for name in _LISTS},
}
_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_NAMES = re.compile(r"^  __(?:parameters|buffers)__ = \[(.*?)\]", re.MULTILINE | re.DOTALL)


class TorchScriptFile(PickledCheckpoint):
    """The parameters and buffers of a TorchScript archive (torch.jit.save), by their path, read when asked for.

    Its code is not run; which attributes of a class are parameters and buffers is written there.
    Raises CheckpointError if the archive is damaged, holds no modules, or was frozen, which leaves no names.
    """

    def __init__(self, path: Path) -> None:
        try:
            storages = ZipStorages(path)
            found = _tensors(storages.pickle("data.pkl", _BUILDERS), _weights_of_classes(storages))
            frozen = not found and _has_constants(storages)
        # a damaged archive or pickle raises almost anything
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable TorchScript archive: {error}") from error
        if frozen:
            storages.close()
            raise CheckpointError(
                f"{path} is a frozen TorchScript archive (torch.jit.freeze): its weights are constants of its code,"
                f" without names. Save the module before it is frozen"
            )
        super().__init__(str(path), found, storages)


def _weights_of_classes(storages: ZipStorages) -> dict[str, frozenset[str]]:
    """The class's full name -> the names of its parameters and buffers, from the archive's code."""
    found: dict[str, frozenset[str]] = {}
    for member in storages.names():
        if not member.startswith("code/") or not member.endswith(".py"):
            continue
        text = storages.content(member, LARGEST_PICKLE).decode()
        module = member.removeprefix("code/").removesuffix(".py").replace("/", ".")
        starts = [*_CLASS.finditer(text), None]
        for this, following in pairwise(starts):
            assert this is not None
            body = text[this.end() : following.start() if following else len(text)]
            names = re.findall(r'"([^"]*)"', " ".join(_NAMES.findall(body)))
            found[f"{module}.{this[1]}"] = frozenset(names)
    return found


def _has_constants(storages: ZipStorages) -> bool:
    if "constants.pkl" not in storages.names():
        return False
    constants = storages.pickle("constants.pkl", _BUILDERS, "constants")
    return isinstance(constants, tuple | list) and any(is_stored(one) for one in constants)


def _tensors(root: object, weights: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """The parameters and buffers below a module, by their path."""
    if not _is_module(root):
        raise PickleError("it holds no module")
    found: dict[str, Any] = {}
    ahead: list[tuple[str, object, int]] = [("", root, 0)]
    for _ in range(MOST_ATTRIBUTES):
        if not ahead:
            return found
        path, value, depth = ahead.pop()
        if is_stored(value):
            if path in found:
                raise PickleError(f"it has two tensors named {path}")
            found[path] = value
        elif isinstance(value, Object) and _is_module(value):
            if not isinstance(value.state, dict) or depth > DEEPEST:
                raise PickleError(f"its module {path[:100]!r} has no attributes, or is nested too deeply")
            # objects of torch's own C++ classes, such as packed parameters, have no class in the code
            if not weights or value.name in weights:
                ahead += [(name, one, depth + 1) for name, one in _inside(path, value, weights)]
    raise PickleError(f"its modules have more than {MOST_ATTRIBUTES:,} attributes")


def _inside(path: str, module: Object, weights: Mapping[str, frozenset[str]]) -> Iterable[tuple[str, object]]:
    """The modules in a module and its weights, the last first. Without any code all tensors count."""
    prefix = f"{path}." if path else ""
    for name, one in reversed(module.state.items()):
        inner = isinstance(one, Object) and _is_module(one) and (one.name in weights or not weights)
        if inner or not weights or name in weights[module.name]:
            yield f"{prefix}{name}", one


def _is_module(value: object) -> bool:
    return isinstance(value, Object) and isinstance(value.kind, Global) and value.kind.module.startswith("__torch__")
