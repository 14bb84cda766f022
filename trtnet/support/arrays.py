"""Arrays of other libraries as numpy's."""

from __future__ import annotations

import sys
import tokenize
import zipfile
import zlib
from typing import Any, TypeAlias

import numpy as np

from trtnet.support import dtypes

StaticShape: TypeAlias = tuple[int, ...]
"""A shape of which every size is known."""

DAMAGED = (
    OSError, ValueError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip
"""What numpy.load raises for files that numpy did not write, or damaged ones."""
_CARRIERS = {1: "uint8", 2: "int16"}
"""torch has no numpy dtype for bfloat16 and float8; an integer of the same width carries their bits across."""


def not_numbers(error: Exception) -> str:
    """What numpy.load raised for a file, without its advice to load pickled objects, which run code."""
    if "pickle" in str(error):
        return "it is damaged or of another kind, or it holds Python objects instead of numbers"
    return str(error)


def is_torch(array: Any) -> bool:
    """Whether an array is a torch tensor, without importing torch."""
    return any(cls.__module__ == "torch" and cls.__name__ == "Tensor" for cls in type(array).__mro__)


def values(array: Any) -> np.ndarray[Any, Any]:
    """A number, an array or a torch tensor, wherever it lies, as an array of its own dtype."""
    if not is_torch(array):
        return np.asarray(array)
    plain = array.detach().cpu().resolve_neg().resolve_conj().contiguous()
    if str(plain.dtype).removeprefix("torch.") not in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"):
        return np.asarray(plain.numpy())
    carrier = getattr(sys.modules["torch"], _CARRIERS[plain.element_size()])
    return np.asarray(plain.view(carrier).numpy().view(dtypes.get(plain.dtype).numpy))
