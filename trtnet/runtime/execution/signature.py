"""What is known of the calls that give arrays of the same kinds, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trtnet.support.arrays import StaticShape


@dataclass(frozen=True)
class Signature:
    """What is known of calls with arguments of one combination.

    number: another for each combination. order: for each input that is an array, its place among the call's arguments.
    on_device: whether they are torch tensors. shapes: of these inputs, and the values of those that say sizes.
    profiles: those that take the shapes. outputs: by profile, the outputs' shapes, once known. out: the kinds of arrays
    for results that were found to fit.
    """

    number: int
    order: tuple[tuple[str, int], ...]
    on_device: bool
    shapes: Mapping[str, StaticShape]
    profiles: tuple[int, ...]
    outputs: dict[int, Mapping[str, StaticShape]] = field(default_factory=dict)
    out: set[tuple[Any, ...]] = field(default_factory=set)

    def values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays of such a call, by input name."""
        given = (*args, *kwargs.values())
        return {name: given[place] for name, place in self.order}
