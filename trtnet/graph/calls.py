"""Calls of modules while a network is defined: what goes in, what comes out, and what is cast between dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trtnet.graph.memory.storage import View, share
from trtnet.graph.structures import leaves, mapped
from trtnet.graph.tensors.tensor import Tensor
from trtnet.support.dtypes import DType


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module.

    path, module: which. args, kwargs: what its ``forward`` got; result: what it returned: tensors, in whatever
    structures, and other values.
    """

    path: str
    module: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    @property
    def inputs(self) -> list[Tensor]:
        """The tensors it was given, in order."""
        return list(tensors((self.args, dict(self.kwargs))))

    @property
    def outputs(self) -> list[Tensor]:
        """The tensors it returned, in order."""
        return list(tensors(self.result))


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a structure."""
    return (leaf for leaf in leaves(value) if isinstance(leaf, Tensor))


def replaced(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same structure with each tensor changed."""
    return mapped(value, lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf)


class Boundary:
    """The casts between modules of different dtypes.

    A tensor that comes back to the dtype from which it was cast is what it was before: values pass from one float32
    module to the next, through the float16 one around both, as they are.
    """

    def __init__(self) -> None:
        self._before: dict[Any, Tensor] = {}

    def convert(self, value: Any, source: DType, target: DType) -> Any:
        """A structure of values with its tensors of `source` in `target`; both sides see writes to them."""
        return value if source == target else replaced(value, lambda x: self._cast(x, source, target))

    def _cast(self, tensor: Tensor, source: DType, target: DType) -> Tensor:
        if tensor.dtype != source:
            return tensor
        if tensor.view_of is not None and tensor.view_of.key == _CROSSING and tensor.view_of.base.dtype == target:
            return tensor.view_of.base
        view = View(tensor, self._read(target), self._read(source), _CROSSING, whole=True)
        return share(tensor, self._value(tensor, target), view, tensor.strides)

    def _read(self, target: DType) -> Callable[..., Tensor]:
        """What takes the last of its arguments to a dtype."""
        return lambda *given: self._value(given[-1], target)

    def _value(self, tensor: Tensor, target: DType) -> Tensor:
        before = self._before.get(tensor.trt)
        if before is not None and before.dtype == target:
            return before.fresh()
        cast = tensor.to(target)
        self._before[cast.trt] = tensor.fresh()
        return cast


_CROSSING = "a cast between modules"
