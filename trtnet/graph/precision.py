"""Which dtype each part of a model has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from trtnet.support import dtypes
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import ModelError


class Precision:
    """The dtype of each module: that of the longest module path in a mapping that is its own or leads to it.

    ``{"": "float16", "layer4.1": "float32"}``: float16, but layer4.1 and all modules in it. A single dtype is that of
    the whole model.
    Raises ModelError for a mapping that does not say what the whole model ("") has.
    """

    def __init__(self, dtype: DTypeLike | Mapping[str, DTypeLike]) -> None:
        given = dtype if isinstance(dtype, Mapping) else {"": dtype}
        if "" not in given:
            raise ModelError(f'dtype={dict(given)!r} needs a dtype for the whole model, as in {{"": "float16", ...}}')
        self.by_path: dict[str, DType] = {path: dtypes.get(one) for path, one in given.items()}

    @property
    def whole(self) -> DType:
        """That of the model itself."""
        return self.by_path[""]

    @property
    def parts(self) -> dict[str, str]:
        """The dtypes of the other modules that the mapping has, by path."""
        return {path: dtype.name for path, dtype in self.by_path.items() if path}

    def at(self, path: str) -> DType:
        """The dtype of the module at a path."""
        while path not in self.by_path:
            path = path.rpartition(".")[0]
        return self.by_path[path]

    def check(self, paths: Iterable[str]) -> None:
        """Raises ModelError for a path of the mapping that is not among a model's."""
        known = list(paths)
        for path in self.by_path:
            if path and path not in known:
                near = ", ".join(get_close_matches(path, known)) or "(none)"
                raise ModelError(f"dtype: the model has no module {path!r}; the nearest are {near}")
