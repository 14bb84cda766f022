"""How results were computed: ``network.steps`` has the operations whose positions are computed each by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import BoundArguments, signature
from typing import Any, ParamSpec

from trtnet.graph import Size, Tensor
from trtnet.graph.memory.pending import PendingLayer

P = ParamSpec("P")
Arguments = Mapping[str, Any]
Follow = Callable[[Arguments, int, int], dict[str, int] | None]
"""The axes of operands, by their names, that an axis of a result is: of (arguments, axes of the result, axis)."""


@dataclass(frozen=True)
class Needed:
    """The positions of an axis of an operand that some of a result need. shift: how much later they begin."""

    x: Tensor
    axis: int
    shift: Size = 0


class Step(ABC):
    """How a tensor was computed. is_product: whether by a matrix product."""

    is_product = False

    @abstractmethod
    def needed(self, ndim: int, axis: int) -> dict[str, Needed] | None:
        """What positions of an axis need, by names of operands; None where they need others.

        ndim: how many axes the result has.
        """

    @abstractmethod
    def again(self, some: Mapping[str, Tensor], axis: int) -> Tensor:
        """The positions of an axis for which the operands in `some` are those that they need."""

    @property
    @abstractmethod
    def operands(self) -> Mapping[str, Tensor]:
        """Those that are tensors."""


@dataclass(frozen=True, eq=False)
class Call(Step):
    """A call of an operation. arguments: by the names of its parameters."""

    operation: Callable[..., Tensor]
    arguments: Arguments
    follow: Follow
    is_product: bool = False

    def needed(self, ndim: int, axis: int) -> dict[str, Needed] | None:
        axes = self.follow(self.arguments, ndim, axis)
        return None if not axes else {name: Needed(self.arguments[name], own) for name, own in axes.items()}

    def again(self, some: Mapping[str, Tensor], axis: int) -> Tensor:
        given = BoundArguments(signature(self.operation), OrderedDict({**self.arguments, **some}))
        return self.operation(*given.args, **given.kwargs)

    @property
    def operands(self) -> Mapping[str, Tensor]:
        return {name: x for name, x in self.arguments.items() if isinstance(x, Tensor)}


def by_position(follow: Follow, *, is_product: bool = False) -> Callable[[Callable[P, Tensor]], Callable[P, Tensor]]:
    """Declares that an operation computes each position of some axes by itself; calls of it are noted.

    follow: which axes, and of which operands. is_product: whether it is a matrix product, or has some.
    """

    def decorate(operation: Callable[P, Tensor]) -> Callable[P, Tensor]:
        takes = signature(operation)

        @wraps(operation)
        def noted(*args: P.args, **kwargs: P.kwargs) -> Tensor:
            y = operation(*args, **kwargs)
            if y.network.body is None and not isinstance(y.current, PendingLayer):
                arguments = takes.bind(*args, **kwargs).arguments
                if all(x.current is not y.current for x in arguments.values() if isinstance(x, Tensor)):
                    kept = {name: x.fresh() if isinstance(x, Tensor) else x for name, x in arguments.items()}
                    y.network.steps[y.trt] = Call(noted, kept, follow, is_product)
            return y

        return noted

    return decorate


def elementwise(arguments: Arguments, ndim: int, axis: int) -> dict[str, int] | None:
    """Every operand that has several positions, as operands broadcast; arrays with several are not cut."""
    found = {}
    for name, x in arguments.items():
        shape = getattr(x, "shape", ())
        own = axis - (ndim - len(shape))
        if own < 0 or shape[own] == 1:
            continue
        if not isinstance(x, Tensor):
            return None
        found[name] = own
    return found


def beside(axes: Callable[[Arguments], tuple[int, ...]]) -> Follow:
    """The same axis of `x`, which is the first argument, unless it is one of these, which are computed together."""

    def follow(arguments: Arguments, ndim: int, axis: int) -> dict[str, int] | None:
        together = {each % ndim for each in axes(arguments)}
        return None if axis in together else {next(iter(arguments)): axis}

    return follow
