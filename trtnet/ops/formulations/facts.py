"""Numbers of an operation that the table of measured forms asks for."""

from __future__ import annotations

from math import prod

from trtnet.graph import Size, Tensor


def known(size: Size) -> int:
    """A size for what was measured of it; one that is not known is large."""
    return size if isinstance(size, int) else 1 << 31


def batch_facts(x: Tensor, *_: object) -> dict[str, int]:
    """The batch."""
    return {"batch": known(x.shape[0])}


def elements(x: Tensor) -> int:
    """How many elements there are; many where a size is not known."""
    return prod(map(known, x.shape))


def pixels(x: Tensor) -> int:
    """How many pixels of an image [batch, channels, *sizes] are known."""
    return prod(n if isinstance(n, int) else 1 for n in x.shape[2:])


def mean_facts(x: Tensor, *_: object) -> dict[str, int]:
    """The batch, and how many pixels of how many channels are known."""
    channels = x.shape[1]
    return batch_facts(x) | {"pixels": pixels(x), "channels": channels if isinstance(channels, int) else 1}
