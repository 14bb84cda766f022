"""What answers a call of a torch function with complex numbers, or one that makes them of a tensor of the network."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import torch

from trtnet import ops
from trtnet.definition.torch_module.complex_numbers.functions import ALIKE, JOINING, QUESTIONS, TABLE
from trtnet.definition.torch_module.complex_numbers.numbers import Number, full, number
from trtnet.definition.torch_module.symbolic import ComplexTensor, Placeholder, become_complex
from trtnet.definition.torch_module.writes import written_to
from trtnet.graph import Network, Tensor
from trtnet.graph.structures import leaves, mapped
from trtnet.ops.arguments.keywords import UNSEEN
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.source import here

MAKING = frozenset(
    ("view_as_complex", "complex", "polar", "istft", "cfloat", *(name for name in TABLE if "fft_" in name))
)
"""Functions that give complex tensors of real ones, or take complex ones only."""
_FILLING = "zeros ones empty full zeros_like ones_like empty_like full_like new_zeros new_ones new_full"
FILLING = frozenset(_FILLING.split())
CONVERTING = frozenset(("to", "type", "type_as", "float", "half", "bfloat16", "cfloat"))
CASTS = {"float": torch.float32, "half": torch.float16, "bfloat16": torch.bfloat16, "cfloat": torch.complex64}
PARTS = {torch.complex64: "float32", torch.complex32: "float16"}
"""The dtype of the parts of a complex dtype."""
IN_PLACE = {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__ipow__": "pow"}


class Caller(Protocol):
    """What answers functions of real tensors."""

    network: Network
    place: torch.device

    def operation(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any: ...

    def value(self, leaf: Any, raw: bool = False, beside: Collection[DType] = ()) -> Any: ...

    def left(self, result: Any) -> Any: ...

    def check_alone(self, target: Any, name: str) -> None: ...


def is_complex(value: Any) -> bool:
    """Whether a value is a complex tensor, number or dtype."""
    if isinstance(value, Placeholder):
        return isinstance(value, ComplexTensor)
    if isinstance(value, torch.Tensor):
        return value.is_complex()
    return isinstance(value, complex) or (isinstance(value, torch.dtype) and value.is_complex)


class ComplexNumbers:
    """Answers functions of complex numbers by operations on their parts."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def concern(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call has complex numbers, or makes some."""
        asked = name == "stft" and (kwargs.get("return_complex") or args[9:10] == (True,))
        return asked or name in MAKING or any(is_complex(leaf) for leaf in leaves((args, kwargs)))

    def answer(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function gives. Raises ModelError for one that is not written for complex numbers."""
        for target in written_to(name, args, kwargs):
            self.take_over(target, name)
        if name in FILLING:
            return self.filled(func, name, args, kwargs)
        if name in CONVERTING:
            return self.converted(name, args, kwargs)
        in_place = IN_PLACE.get(name) or (name[:-1] if name.endswith("_") and name[:-1] in TABLE else "")
        if in_place or name == "copy_":
            value = args[1] if name == "copy_" else self.answer(func, in_place, args, kwargs)
            return self.assign(args[0], value)
        with self.caller.network:
            return self.found(func, name, args, kwargs)

    def found(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function gives that writes to nothing, or alike to both parts."""
        first = args[0] if args else None
        if name == "view_as_complex" and not is_complex(first):
            return self.viewed(first)
        if name == "view_as_real" and isinstance(first, ComplexTensor):
            return self.as_real(first)
        enter = functools.partial(self.entered, raw=name in ("stft", "istft"))  # these need the values of a window
        given, named = mapped((tuple(args), dict(kwargs)), enter)
        if name in QUESTIONS:
            return self.caller.operation(func, name, (number(given[0]).real, *given[1:]), named)
        if name in ALIKE or name in JOINING or name == "__setitem__":
            return self.alike(func, name, given, named)
        if name not in TABLE:
            text = (
                f"torch's {name} of a complex tensor is not written: TensorRT has no complex numbers, and this function"
            )
            raise ModelError(here(f"{text} has to be one of real numbers; torch.view_as_real gives both parts"))
        named = {key: value for key, value in named.items() if key not in UNSEEN}
        return self.left(TABLE[name](*given, **named))

    def alike(self, func: Callable[..., Any], name: str, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """A function that is the same for both parts, of one complex tensor or of several that it joins."""
        if name in JOINING:
            given = ([number(x) for x in given[0]], *given[1:])
        if name == "__setitem__":
            given = (*given[:2], number(given[2]))
        each = [mapped((given, dict(named)), functools.partial(_part, place=place)) for place in (0, 1)]
        first, second = (self.caller.operation(func, name, *arguments) for arguments in each)
        if isinstance(first, list | tuple):
            return type(first)([self.paired(a.value, b.value) for a, b in zip(first, second, strict=True)])
        return None if first is None else self.paired(first.value, second.value)

    def entered(self, leaf: Any, raw: bool = False) -> Any:
        """A leaf of arguments: complex ones as Numbers, tensors as the network's."""
        if isinstance(leaf, ComplexTensor):
            self.check_copies(leaf)
            return Number(leaf.value, leaf.imaginary)
        if isinstance(leaf, torch.Tensor) and is_complex(leaf):
            pair = self.caller.value(leaf)
            return Number(pair.select(-1, 0), pair.select(-1, 1))
        return number(leaf) if isinstance(leaf, complex) else self.caller.value(leaf, raw)

    def left(self, result: Any) -> Any:
        """A result for the module; a complex one has memory of its own."""
        if isinstance(result, Number):
            return self.paired(*(part.fresh() for part in full(result)))
        return self.caller.left(result)

    def paired(self, real: Tensor, imaginary: Tensor) -> ComplexTensor:
        return become_complex(torch.empty(0, device="meta"), real, imaginary, self.caller.place)

    def viewed(self, x: Any) -> ComplexTensor:
        """torch.view_as_complex: both parts are views of the tensor."""
        whole = self.caller.value(x)
        made = self.paired(whole.select(-1, 0), whole.select(-1, 1))
        made.whole = whole
        return made

    def as_real(self, x: ComplexTensor) -> Any:
        """torch.view_as_real: the tensor of which it is a view, or a new one that nobody may write to."""
        self.check_copies(x)
        if x.whole is not None:
            return self.caller.left(x.whole)
        made = ops.stack([x.value, x.imaginary], -1)
        x.copies.append((made, made.storage.version))
        return self.caller.left(made)

    def check_copies(self, x: ComplexTensor) -> None:
        """Raises ModelError if what view_as_real gave was written to: the complex tensor would not see it."""
        if any(copy.storage.version != version for copy, version in x.copies):
            text = "what torch.view_as_real gave was written to, and the complex tensor is used afterwards"
            raise ModelError(here(f"{text}: make it anew, by torch.view_as_complex of what was written"))

    def take_over(self, target: Any, name: str) -> None:
        """Makes a complex tensor of torch's that is written to one of the network."""
        if isinstance(target, ComplexTensor):
            self.check_copies(target)
            if target.copies:
                text = (
                    f"{name} writes to a complex tensor of which torch.view_as_real was taken, which would not see it"
                )
                raise ModelError(here(f"{text}: write before that, or to what view_as_real gave"))
        elif isinstance(target, Placeholder) or not is_complex(target):
            raise ModelError(here(f"{name} writes complex numbers to a real tensor, which torch does not do either"))
        else:
            self.caller.check_alone(target, name)
            with self.caller.network:
                parts = [part.clone() for part in full(self.entered(target))]
            become_complex(target, parts[0], parts[1], self.caller.place)

    def assign(self, target: ComplexTensor, value: Any) -> ComplexTensor:
        """Writes a value to both parts of a tensor."""
        with self.caller.network:
            for part, new in zip((target.value, target.imaginary), full(number(self.entered(value))), strict=True):
                part.copy_(new)
        return target

    def filled(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A tensor of one number, as torch.zeros gives it: complex if the dtype or the tensor that it is like is."""
        dtype = kwargs.get("dtype") or (args[0].dtype if isinstance(args[0], torch.Tensor) else torch.complex64)
        if not dtype.is_complex:
            plain = [self.entered(args[0]).real, *args[1:]] if is_complex(args[0]) else args
            return self.caller.operation(func, name, plain, kwargs)
        with self.caller.network:
            given, named = mapped((tuple(args), dict(kwargs) | {"dtype": torch.float32}), self.entered)
            real = self.caller.operation(func, name, *mapped((given, named), lambda x: _part(x, 0)))
            return self.left(Number(real.value, None))

    def converted(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A complex tensor in another dtype or at another place, or a real one made complex."""
        given = [*args[1:], *kwargs.values()]
        asked = [x.dtype if isinstance(x, torch.Tensor) else x for x in given]
        dtype = CASTS.get(name) or next((x for x in asked if isinstance(x, torch.dtype)), None)
        if dtype is None or dtype == args[0].dtype:
            return args[0]
        if dtype == torch.complex128:
            raise ModelError(here(f"{name}: TensorRT has no float64, and so no complex128; use torch.complex64"))
        part = PARTS.get(dtype, str(dtype).removeprefix("torch."))
        with self.caller.network:
            x = number(self.entered(args[0]))
            if not dtype.is_complex:
                return self.caller.left(ops.cast(x.real, part))
            return self.left(
                Number(*(None if each is None else ops.cast(each, part) for each in (x.real, x.imaginary)))
            )


def _part(leaf: Any, place: int) -> Any:
    """The real or the imaginary part of a Number; anything else as it is."""
    if not isinstance(leaf, Number):
        return leaf
    part = (leaf.real, leaf.imaginary)[place]
    if part is not None:
        return part
    other = leaf.imaginary if place == 0 else leaf.real
    return ops.zeros_like(other) if isinstance(other, Tensor) else 0.0
