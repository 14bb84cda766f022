"""Where an engine's tensors are, as torch spells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Device:
    """A device of a network's tensors, as torch spells it."""

    type: str = "cuda"
    index: int = 0

    def __str__(self) -> str:
        return self.type


def is_place(value: Any) -> bool:
    """Whether an argument of torch's ``to`` says where a tensor is, and not what it is made of."""
    if isinstance(value, str):
        return value.partition(":")[0] in ("cpu", "cuda", "meta", "mps", "xpu")
    return value is None or isinstance(value, bool | int | Device) or type(value).__name__ == "device"
