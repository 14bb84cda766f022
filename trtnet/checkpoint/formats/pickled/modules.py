"""The state dict of a module that was pickled whole, from the notes that stand for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.checkpoint.formats.pickled.machine import PickleError
from trtnet.checkpoint.formats.pickled.objects import Object
from trtnet.checkpoint.formats.pickled.tensors import Unreadable, is_stored

DEEPEST = 100
"""The most modules in each other."""
MOST_TENSORS = 1_000_000
"""The most tensors of all modules; those of a module that has several names count for each."""


def is_module_note(value: object) -> bool:
    """Whether it stands for a torch module."""
    if not isinstance(value, Object):
        return False
    has = value.attributes()
    return isinstance(has.get("_modules"), Mapping) and isinstance(has.get("_parameters"), Mapping)


def module_state(module: Object) -> dict[str, Any]:
    """Parameters and buffers by their path, as ``module.state_dict()`` has them; buffers that are not persistent not.

    Raises PickleError for a module that is in itself.
    """
    found: dict[str, Any] = {}
    ahead: list[tuple[str, object, int]] = [("", module, 0)]
    while ahead:
        prefix, one, depth = ahead.pop()
        if not is_module_note(one):
            continue
        assert isinstance(one, Object)
        if depth > DEEPEST or len(found) + len(ahead) > MOST_TENSORS:
            raise PickleError("its modules are nested too deeply, or too many")
        has = one.attributes()
        buffers = has.get("_buffers")
        left_out = _names(has.get("_non_persistent_buffers_set"))
        for tensors in (has["_parameters"], buffers if isinstance(buffers, Mapping) else {}):
            found |= {
                f"{prefix}{name}": value if is_stored(value) else Unreadable("an object of another class")
                for name, value in tensors.items()
                if value is not None and isinstance(name, str) and name not in left_out
            }
        ahead += [
            (f"{prefix}{name}.", child, depth + 1) for name, child in reversed(has["_modules"].items()) if name != ""
        ]
    return found


def _names(value: object) -> frozenset[str]:
    """The texts in what stands for a set."""
    elements = [*value.elements, *value.args] if isinstance(value, Object) else []
    flat = [one for group in elements for one in (group if isinstance(group, list) else [group])]
    return frozenset(one for one in flat if isinstance(one, str))
