"""Whether the numbers of tensors are finite: found by their bits, in a fraction of the time that reading them takes."""

from __future__ import annotations

import logging

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.support import dtypes
from trtnet.support.text.counted import counted

PIECE = 1 << 16
"""Elements that are looked at together: they stay in the processor's cache."""
SHOWN = 4

_BITS = {2: np.uint16, 4: np.uint32, 8: np.uint64}

log = logging.getLogger(__name__)


class NotFinite:
    """The tensors with NaN or infinite values among those that are read, for one warning at the end."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def look(self, key: str, array: Array, *, is_buffer: bool = False) -> None:
        """Notes a tensor that is not finite.

        Not so of masks, which hold negative infinities: those of buffers, and beside values that are all equal.
        """
        if not is_finite(array) and not _is_mask(array, is_buffer):
            self.found[key] = counts(array)

    def warn(self, name: str) -> None:
        """Says which tensors of a checkpoint it was; nothing where there is none."""
        if not self.found:
            return
        shown = ", ".join(f"{key} ({words})" for key, words in list(self.found.items())[:SHOWN])
        more = f" and {len(self.found) - SHOWN:,} more" if len(self.found) > SHOWN else ""
        has = f"{counted(len(self.found), 'tensor')} {'has' if len(self.found) == 1 else 'have'}"
        log.warning(
            "%s: %s NaN or infinite values: %s%s. Results that depend on them are not finite either: take other weights"
            " if the model uses these",
            *(name, has, shown, more),
        )


def is_finite(array: Array) -> bool:
    """Whether no element is NaN or infinite. Integers and bools are finite."""
    if not dtypes.get(array.dtype).is_floating:
        return True
    bits = _BITS.get(array.dtype.itemsize)
    flat = array.reshape(-1)
    if bits is None:
        return bool(np.isfinite(flat).all())
    # Without the sign, the bits of what is not finite are at least those of infinity.
    least = np.array(np.inf, array.dtype).view(bits)[()] << bits(1)
    words = flat.view(bits)
    return not any((words[at : at + PIECE] << bits(1)).max() >= least for at in range(0, words.size, PIECE))


def counts(array: Array) -> str:
    """How many elements are NaN or infinite, `1 NaN and 2 Inf of 4`; nothing where none is."""
    nans = infinities = 0
    flat = array.reshape(-1)
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE]
        finite = np.isfinite(piece)
        if not finite.all():
            count = int(np.isnan(piece).sum())
            nans, infinities = nans + count, infinities + int((~finite).sum()) - count
    parts = [f"{count:,} {name}" for count, name in ((nans, "NaN"), (infinities, "Inf")) if count]
    return f"{' and '.join(parts)} of {flat.size:,}" if parts else ""


def _is_mask(array: Array, is_buffer: bool) -> bool:
    """Whether what is not finite is negative infinities alone, and the rest one value, or the tensor a buffer."""
    finite = np.isfinite(array)
    if not np.isneginf(array[~finite].astype(np.float32)).all():
        return False
    rest = array[finite]
    return is_buffer or rest.size == 0 or bool((rest == rest[0]).all())
