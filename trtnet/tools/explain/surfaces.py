"""Which of TensorRT's Python names are in which release, from the releases' own bindings.

``api.json`` is made by ``python tests/conformance/explained.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

MODULE = "tensorrt"
"""The owner of what is in no class."""


@dataclass(frozen=True)
class Surfaces:
    """releases: ``TensorRT 10.13``, oldest first. masks: by class and name, the bits of those that have it.

    A class's own bits stand under the name "".
    """

    releases: tuple[str, ...]
    masks: dict[str, dict[str, int]]

    def having(self, owner: str, name: str) -> tuple[str, ...]:
        """The releases with a name in a class, or with a class in the module."""
        mask = self.masks.get(name, {}).get("", 0) if owner == MODULE else self.masks.get(owner, {}).get(name, 0)
        return tuple(release for index, release in enumerate(self.releases) if mask >> index & 1)

    def owners(self, name: str) -> tuple[str, ...]:
        """The classes that have a name in any release; the module for a class."""
        found = tuple(owner for owner, names in self.masks.items() if name and name in names)
        return (MODULE, *found) if name in self.masks else found


@lru_cache
def surfaces() -> Surfaces:
    """Those of the releases that trtnet is checked against."""
    packed = json.loads(resources.files(__package__).joinpath("api.json").read_text())
    masks = {
        owner: {"" if name == "@" else name: int(mask) for mask, names in groups.items() for name in names.split()}
        for owner, groups in packed["api"].items()
    }
    return Surfaces(tuple(map(_release, packed["versions"])), masks)


def _release(version: str) -> str:
    """``tensorrt_rtx 1.7.1.116`` -> ``TensorRT-RTX 1.7``."""
    module, _, number = version.partition(" ")
    major, minor = number.split(".")[:2]
    return f"{'TensorRT-RTX' if module == 'tensorrt_rtx' else 'TensorRT'} {major}.{minor}"
