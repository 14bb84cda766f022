"""What answers torch's functions while a module is being called: the operation of the same name in ``trtnet.ops``."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from trtnet import ops
from trtnet.definition.torch_module import repeated
from trtnet.definition.torch_module.complex_numbers import ComplexNumbers, is_complex
from trtnet.definition.torch_module.functions import (
    TABLE,
    WEIGHTED,
    QuantizedWeights,
    as_functional,
    is_method,
    name_of,
)
from trtnet.definition.torch_module.mixed_dtypes import of_one_dtype
from trtnet.definition.torch_module.selected import PackedSequences, Selections
from trtnet.definition.torch_module.symbolic import (
    ChosenTensor,
    ComplexTensor,
    Placeholder,
    SymbolicTensor,
    become_symbolic,
    is_symbolic,
    symbolic,
)
from trtnet.definition.torch_module.views import Views
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.definition.torch_module.writes import Made, written_to
from trtnet.graph import Network, Parameter, Tensor
from trtnet.graph.sizes.shape import SymbolicSize
from trtnet.graph.structures import leaves, mapped
from trtnet.ops.arguments.keywords import accepted
from trtnet.ops.arguments.unsupported import reason
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.value_checks import passing

log = logging.getLogger("trtnet.definition")

QUESTIONS = frozenset(["shape.__get__", "device.__get__", "ndim.__get__", "size", "dim", "numel", "is_floating_point"])
"""What is asked of a tensor that its values do not change."""


_NUMBERS = "__bool__ __int__ __float__ __complex__ __index__ __contains__"
READING = frozenset(f"item tolist numpy __array__ equal allclose is_nonzero {_NUMBERS}".split())
"""What gives values of a tensor to Python: they are then constants of the network."""

RESHAPING = frozenset(("t_", "transpose_", "swapaxes_", "swapdims_", "squeeze_", "unsqueeze_"))
"""What gives a tensor another shape, in place: it is another view from then on."""


class Tracing(TorchFunctionMode):
    """Answers each call of a torch function while it is the mode.

    A call with a symbolic tensor or size is the operation of its name; what differs is in ``exceptions``. A call with
    torch's own tensors is torch's, and if these are the module's weights, it is noted that the result is too.
    """

    def __init__(self, network: Network, weights: ModuleWeights, place: torch.device) -> None:
        super().__init__()
        self.network, self.weights, self.place = network, weights, place
        self.views, self.made, self.complex = Views(weights), Made(), ComplexNumbers(self)
        self.selections, self.packed, self.said = Selections(self), PackedSequences(self), set[str]()
        self.quantized = QuantizedWeights()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, given = name_of(func), dict(kwargs or {})
        if not args and "input" in given and name in WEIGHTED:
            args = (given.pop("input"),)
        if not is_symbolic(args) and not is_symbolic(given):
            return self.torchs(func, name, args, given)
        args, given = as_functional(func, name, args, given)
        name = "float" if name == "double" and self.narrowed() else name
        known = repeated.answer(name, args)
        if known is None and name == "__bool__":
            known = passing()
        if known is not None:
            return known
        like = self.converted(name, args, given)
        if like is not None:
            return like
        if self.packed.concern(name, args, given):
            return self.packed.answer(func, name, args, given)
        if self.selections.concern(name, args, given):
            return self.selections.answer(func, name, args, given)
        if self.complex.concern(name, args, given):
            return self.complex.answer(func, name, args, given)
        for target in written_to(name, args, given):
            self.take_over(target, name)
        if name in RESHAPING:
            args[0].value = self.operation(func, name[:-1], args, given).value
            return args[0]
        result = self.operation(func, name, args, given)
        self.selections.note(name, args, result)
        repeated.note(result, func, name, args, given)
        return result

    def torchs(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A function of real tensors: torch computes it."""
        if name == "dtype.__get__":
            return self.dtype_of(args[0])
        if name in QUESTIONS:
            found = func(*args, **kwargs)
            return SymbolicSize(found) if isinstance(found, torch.Size) and self.network.dims else found
        operands = list(leaves((args, kwargs)))
        self.weights.fill(operands, self.network)
        for target in written_to(name, args, kwargs):
            self.weights.check_writable(target, name)
        converted = self.weights.converted(name, operands, self.dtype)
        if converted is not None:
            return converted
        args, kwargs = mapped((tuple(args), dict(kwargs)), self.weights.widened(operands, self.dtype))
        result = func(*args, **kwargs)
        results = result if isinstance(result, list | tuple) else (result,)
        self.weights.derive(name, (*results, *written_to(name, args, kwargs)), operands)
        if name in READING:
            self.network.folded |= {self.network.key(parameter) for parameter in self.weights.sources(operands)}
        self.views.note(result, func, name, args, kwargs)
        self.made.note(result)
        self.quantized.note(name, result, args, kwargs)
        return result

    def converted(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a tensor of torch's own is in the dtype of one of the network: torch's, which may be written to."""
        if name not in ("to", "type_as") or len(args) < 2 or not isinstance(args[0], torch.Tensor):
            return None
        if isinstance(args[0], Placeholder) or not isinstance(args[1], SymbolicTensor):
            return None
        return self.torchs(torch.Tensor.to, "to", (args[0], args[1].dtype, *args[2:]), kwargs)

    def narrowed(self) -> bool:
        """Says, at the line that asks for it, that float64 is float32 in a network; true."""
        text = here("float64 is float32 in the network: TensorRT computes in nothing wider")
        if text not in self.said:
            log.warning("%s", text)
        self.said.add(text)
        return True

    def take_over(self, target: Any, name: str) -> None:
        """Makes a tensor that torch made, and that is being written to, one of the network.

        Raises ModelError for a weight, and where not all that share its memory would see what is written.
        """
        if isinstance(target, SymbolicTensor) or not isinstance(target, torch.Tensor):
            return
        self.check_alone(target, name)
        become_symbolic(target, self.value(target).clone(), self.place)

    def check_alone(self, target: torch.Tensor, name: str) -> None:
        """Raises ModelError for a weight, and for a tensor of torch's whose memory another shares."""
        self.weights.check_writable(target, name)
        self.made.check_alone(target, name)

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
        named = self.entered(name, kwargs, beside)
        with self.network:
            entered, named = of_one_dtype(self.network, name, self.entered(name, args, beside), named)
            operation, rest = self.found(func, name, entered)
            result = operation(*rest, **accepted(operation, func, name, named))
            if kwargs.get("out") is None:
                return self.left(result, known)
            for target, value in zip(leaves(kwargs["out"]), leaves(result), strict=True):
                target.value.copy_(value)
        return kwargs["out"]

    def found(
        self, func: Callable[..., Any], name: str, args: Sequence[Any]
    ) -> tuple[Callable[..., Any], Sequence[Any]]:
        """What a function is, and its arguments: an attribute or a method of the first, an exception, an operation."""
        plain, _, getter = name.partition(".")
        if args and (getter or is_method(func)):
            receiver = self.tensor(args[0])
            if getter and hasattr(type(receiver), plain):
                return functools.partial(getattr, receiver, plain), ()
            if not getter and hasattr(receiver, plain):
                return getattr(receiver, plain), args[1:]
            args = (receiver, *args[1:])
        if name in TABLE:
            return TABLE[name], args
        plain = plain.removeprefix("_").removeprefix("special_")
        if hasattr(ops, plain):
            return getattr(ops, plain), args
        if args and isinstance(args[0], Tensor) and hasattr(args[0], plain):
            return getattr(args[0], plain), args[1:]
        why = reason(name) or reason(plain) or "trtnet.ops has no function of that name"
        raise ModelError(here(f"torch's {name.removesuffix('.__get__')} of a symbolic tensor: {why}"))

    def entered(self, name: str, given: Any, beside: Collection[DType]) -> Any:
        """Arguments for an operation: tensors of the network, parameters for those that take weights, constants.

        beside: the dtypes of the tensors of the network among them.
        """
        raw = name in WEIGHTED
        if isinstance(given, dict):
            enter = functools.partial(self.value, raw=raw, beside=beside)
            return {key: mapped(value, enter) for key, value in given.items()}
        if name in ("__getitem__", "__setitem__"):
            given = [given[0], mapped(given[1], self.known_mask), *given[2:]]
        sizes = [tuple(value) if isinstance(value, torch.Size) else value for value in given]
        enters = (functools.partial(self.value, raw=raw and place > 0, beside=beside) for place in range(len(sizes)))
        return [mapped(each, enter) for each, enter in zip(sizes, enters, strict=True)]

    def known_mask(self, leaf: Any) -> Any:
        """A mask whose values are known, as an array: how many elements it chooses is then known, too."""
        if isinstance(leaf, SymbolicTensor) or not isinstance(leaf, torch.Tensor) or leaf.dtype != torch.bool:
            return leaf
        return self.weights.array(self.torchs(torch.clone, "clone", (leaf,), {}), self.network)

    def value(self, leaf: Any, raw: bool = False, beside: Collection[DType] = ()) -> Any:
        """What a torch tensor is in the network, or if `raw` as a weight of an operation; anything else as it is.

        beside: the dtypes of the tensors of the network that it is used with.
        """
        if isinstance(leaf, SymbolicTensor):
            if leaf.value.network is not self.network:
                text = "a tensor of another network, which code outside of the module keeps from when that was defined"
                raise ModelError(here(f"{text}: do not keep it, or call the module with sizes that are ints"))
            return leaf.value
        if not isinstance(leaf, torch.Tensor):
            return torch.float32 if leaf is torch.float64 and self.narrowed() else leaf
        if isinstance(leaf, ChosenTensor):
            return leaf.maker.rows(leaf).value
        if isinstance(leaf, ComplexTensor):
            raise ModelError(here("a complex tensor, of which TensorRT has none: give torch.view_as_real of it"))
        if is_complex(leaf) and self.weights.parameter(leaf) is None:
            leaf = self.torchs(torch.view_as_real, "view_as_real", (leaf.resolve_conj(),), {})
        weight, view = self.weights.parameter(leaf), self.views.of(leaf)
        if view is not None and not raw:
            whole = symbolic(self.value(view.source), self.place)
            viewed: SymbolicTensor = self.operation(view.function, view.name, (whole, *view.rest), view.named)
            return viewed.value
        operand: Any = weight
        if weight is None:
            array = self.weights.array(leaf, self.network, beside)
            operand = self.quantized.of(leaf, self.network)
            operand = array if operand is None else operand
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
