"""Calls that come again with tensors in the same places: they are launched, and nothing else is looked at.

To look a call's arguments up takes Python several times as long as to launch its graph; to see that they are where
they were, of the same shape and dtype, does not.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from trtnet.runtime.cuda.torch_tensors import is_ready
from trtnet.runtime.execution.launcher import Repeatable
from trtnet.runtime.execution.states import States
from trtnet.support.call_interface import NamedOutputs

CALLS = 8
"""How many calls are kept."""


class Repeats:
    """The last eight calls whose results went to tensors of the caller's, by their arguments' places.

    states: what executions have beside their arguments, whose places take turns.
    """

    def __init__(self, states: States | None = None) -> None:
        self._states = states
        self._kept: dict[Hashable, Repeatable] = {}

    @property
    def side(self) -> int:
        """Which of its sets of addresses the next execution has for its states."""
        return 0 if self._states is None else self._states.side

    def find(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Repeatable | None:
        """What to launch for a call like this one, if it came before. kwargs: with ``out=``."""
        try:
            return self._kept.get((self.side, _places(args, kwargs)))
        except AttributeError:  # no torch tensors
            return None

    def keep(self, repeatable: Repeatable, side: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Remembers a call of torch tensors, if it read and wrote these and no copies of them. side: as it had it."""
        if not all(map(is_ready, _flat(args, kwargs)[1])):
            return
        if len(self._kept) == CALLS:
            del self._kept[next(iter(self._kept))]
        self._kept[side, _places(args, kwargs)] = repeatable

    def clear(self) -> None:
        """Forgets them."""
        self._kept.clear()


def _places(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    names, given = _flat(args, kwargs)
    places: list[Hashable] = [names]
    for x in given:
        places += x.data_ptr(), x.shape, x.dtype, x.is_contiguous()
    return tuple(places)


def _flat(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The names of a call's arguments, and all tensors among them."""
    out = kwargs["out"]
    if not isinstance(out, dict | NamedOutputs):
        return tuple(kwargs), (*args, *kwargs.values())
    rest = [value for value in kwargs.values() if value is not out]
    return (*kwargs, *out.keys()), (*args, *rest, *out.values())
