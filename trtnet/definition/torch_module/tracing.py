"""What answers torch's functions while a module is being called: the operation of the same name in ``trtnet.ops``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from trtnet import ops
from trtnet.definition.torch_module import functions, repeated
from trtnet.definition.torch_module.arguments import accepted
from trtnet.definition.torch_module.randomness import Randomness
from trtnet.definition.torch_module.symbolic import SymbolicTensor, is_symbolic, symbolic
from trtnet.definition.torch_module.views import Views
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Network, Parameter, Tensor
from trtnet.graph.structures import leaves, mapped
from trtnet.ops.arguments.unsupported import reason
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.source import here

QUESTIONS = frozenset(["shape.__get__", "device.__get__", "ndim.__get__", "size", "dim", "numel", "is_floating_point"])
"""What is asked of a tensor that its values do not change."""


class Tracing(TorchFunctionMode):
    """Answers each call of a torch function while it is the mode.

    A call with a symbolic tensor or size is the operation of its name; what differs is in ``functions.TABLE``. A call
    with torch's own tensors is torch's, and if these are the module's weights, it is noted that the result is too.
    """

    def __init__(self, network: Network, weights: ModuleWeights, place: torch.device) -> None:
        super().__init__()
        self.network, self.weights, self.place = network, weights, place
        self.random, self.views = Randomness(), Views(weights)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if not is_symbolic(args) and not is_symbolic(given):
            return self.torchs(func, args, given)
        name = name_of(func)
        known = repeated.answer(name, args)
        if known is not None:
            return known
        result = self.operation(func, name, args, given)
        repeated.note(result, func, name, args, given)
        return result

    def torchs(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A function of real tensors: torch computes it."""
        name, operands = name_of(func), list(leaves((args, kwargs)))
        if name == "dtype.__get__":
            return self.dtype_of(args[0])
        if name not in QUESTIONS:
            self.weights.fill(operands, self.network)
        if name.endswith("_") and not name.endswith("__") and args and self.weights.is_stored(args[0]):
            raise ModelError(here(f"{name} writes to a weight of the module, which a network only reads"))
        converted = self.weights.converted(name, operands, self.dtype)
        if converted is not None:
            return converted
        args, kwargs = mapped((tuple(args), dict(kwargs)), self.weights.widened(operands, self.dtype))
        result = func(*args, **kwargs)
        self.weights.derive(result, operands)
        self.views.note(result, func, name, args, kwargs)
        self.random.note(name, operands, result)
        return result

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the network, at the module that is being called."""
        found: torch.dtype = getattr(torch, self.network.dtype.name)
        return found

    def dtype_of(self, tensor: torch.Tensor) -> torch.dtype:
        """A tensor's dtype; a floating weight has the network's."""
        return self.dtype if self.weights.has_dtype_of_network(tensor) else tensor.dtype

    def operation(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A function of symbolic values: the operation of its name."""
        known = {id(x.value): x for x in leaves((args, kwargs)) if isinstance(x, SymbolicTensor)}
        beside = {x.value.dtype for x in known.values()}
        special = functions.TABLE.get(name)
        if special is not None:
            with self.network:
                result = special(*self.entered(name, args, beside), **self.entered(name, kwargs, beside))
            return self.left(result, known)
        operation, rest = self.found(func, name, self.cast(name, self.entered(name, args, beside)))
        with self.network:
            result = operation(*rest, **accepted(operation, func, name, self.entered(name, kwargs, beside)))
        return self.left(result, known)

    def cast(self, name: str, args: Sequence[Any]) -> Sequence[Any]:
        """Arguments of an operation, the first in the dtype of the second, a weight, where torch requires that."""
        if name not in functions.CAST or len(args) < 2 or not isinstance(args[1], Parameter | np.ndarray):
            return args
        x, dtype = args[0], self.network.weight(args[1]).dtype
        other = isinstance(x, Tensor) and x.dtype.is_floating and x.dtype != dtype
        return [x.to(dtype), *args[1:]] if other else args

    def found(
        self, func: Callable[..., Any], name: str, args: Sequence[Any]
    ) -> tuple[Callable[..., Any], Sequence[Any]]:
        """The operation of a name, and what it is called with: a method of the first argument, or a function."""
        plain = functions.SAME.get(name, name)
        if is_method(func) and args:
            receiver = self.tensor(args[0])
            if hasattr(receiver, plain):
                return getattr(receiver, plain), args[1:]
            args = (receiver, *args[1:])
        plain = plain.removeprefix("_")
        if plain not in ops.__all__ and not hasattr(ops, plain):
            if args and isinstance(args[0], Tensor) and hasattr(args[0], plain):
                return getattr(args[0], plain), args[1:]
            why = reason(name) or reason(plain) or "trtnet.ops has no function of that name"
            raise ModelError(here(f"torch's {name} of a symbolic tensor: {why}"))
        return getattr(ops, plain), args

    def entered(self, name: str, given: Any, beside: Collection[DType]) -> Any:
        """Arguments for an operation: tensors of the network, parameters for those that take weights, constants.

        beside: the dtypes of the tensors of the network among them.
        """
        raw = name in functions.WEIGHTED
        if isinstance(given, dict):
            enter = functools.partial(self.value, raw=raw, beside=beside)
            return {key: mapped(value, enter) for key, value in given.items()}
        sizes = [tuple(value) if isinstance(value, torch.Size) else value for value in given]
        enters = (functools.partial(self.value, raw=raw and place > 0, beside=beside) for place in range(len(sizes)))
        return [mapped(each, enter) for each, enter in zip(sizes, enters, strict=True)]

    def value(self, leaf: Any, raw: bool = False, beside: Collection[DType] = ()) -> Any:
        """What a torch tensor is in the network, or if `raw` as a weight of an operation; anything else as it is.

        beside: the dtypes of the tensors of the network that it is used with.
        """
        if isinstance(leaf, SymbolicTensor):
            return leaf.value
        if not isinstance(leaf, torch.Tensor):
            return leaf
        self.random.check(leaf)
        weight, view = self.weights.parameter(leaf), self.views.of(leaf)
        if view is not None and not raw:
            whole = symbolic(self.value(view.source), self.place)
            viewed: SymbolicTensor = self.operation(view.function, view.name, (whole, *view.rest), view.named)
            return viewed.value
        operand = self.weights.array(leaf, self.network, beside) if weight is None else weight
        return operand if raw else self.tensor(operand)

    def tensor(self, value: Any) -> Any:
        """A parameter or an array as a tensor of the network."""
        if isinstance(value, Tensor):
            return value
        with self.network:
            return ops.as_tensor(value)

    def left(self, result: Any, known: Mapping[int, SymbolicTensor] | None = None) -> Any:
        """An operation's result for the module: the very tensor that was given, where that was written to."""
        there = known or {}

        def leave(value: Any) -> Any:
            if isinstance(value, Parameter):
                value = self.tensor(value)
            if isinstance(value, Tensor):
                return there[id(value)] if id(value) in there else symbolic(value, self.place)
            return value

        return mapped(result, leave)


@functools.cache
def name_of(func: Callable[..., Any]) -> str:
    """torch's name of a function; of a property's getter ``dtype.__get__``."""
    name = str(getattr(func, "__name__", func))
    return f"{getattr(func, '__self__').__name__}.{name}" if name in ("__get__", "__set__") else name  # noqa: B009


@functools.cache
def is_method(func: Callable[..., Any]) -> bool:
    """Whether a function is a method of torch.Tensor."""
    func = inspect.unwrap(func)
    of = getattr(func, "__objclass__", None)
    return (of is not None and issubclass(torch.Tensor, of)) or getattr(func, "__qualname__", "").startswith("Tensor.")
