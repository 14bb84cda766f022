"""What is exchanged in torch while a module is being called, and put back afterwards."""

from __future__ import annotations

import builtins
import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch

from trtnet.definition.torch_module.libraries import of_libraries
from trtnet.definition.torch_module.symbolic import AnyFake, AnySize, Placeholder, is_symbolic
from trtnet.graph import Dim, Real
from trtnet.graph.sizes.dim import SizeOperators
from trtnet.support.errors import ModelError
from trtnet.support.source import here

LOCK = threading.RLock()
"""torch's names are one for all threads: one module is defined at a time."""

FACTORIES = ("zeros", "ones", "empty", "rand", "randn")
METHODS = ("expand", "new_zeros", "new_ones", "new_empty", "view", "reshape", "repeat", "permute", "tile")
"""Of tensors. Any torch needs the first four; torch 2.13 asks the tensor before it parses the sizes of the others,
which is not known of those before it (2.4 to 2.12)."""


def packed(function: Callable[..., Any], first: int) -> Callable[..., Any]:
    """A function of sizes, which takes ``f(n, 3)`` as ``f((n, 3))`` where n is known only at run time.

    torch looks for ints among its arguments before it asks anyone else what they mean.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not first and "size" in kwargs and is_symbolic(kwargs["size"]):
            args = (tuple(kwargs.pop("size")),)
        sizes = args[first:]
        if len(sizes) >= 1 and not isinstance(sizes[0], list | tuple) and is_symbolic(sizes):
            args = (*args[:first], tuple(sizes))
        return function(*args, **kwargs)

    return call


def made(function: Callable[..., Any]) -> Callable[..., Any]:
    """Tensor.new, which takes sizes or data: of a tensor of the network, or of its sizes, new_empty or new_tensor."""

    @functools.wraps(function)
    def new(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_symbolic((self, args)):
            return function(self, *args, **kwargs)
        sizes = tuple(args[0]) if len(args) == 1 and isinstance(args[0], torch.Size) else args or (0,)
        return self.new_empty(sizes) if all(isinstance(x, int | Dim) for x in sizes) else self.new_tensor(*args)

    return new


def root(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """math.sqrt, also of a size of the network."""

    @functools.wraps(function)
    def call(x: Any) -> Any:
        return x**0.5 if isinstance(x, Dim | Real) else function(x)

    return call


def length(function: Callable[[Any], int]) -> Callable[[Any], Any]:
    """Python's len, also of a tensor whose first size is known only at run time: that size."""

    @functools.wraps(function)
    def call(x: Any, /) -> Any:
        return x.shape[0] if isinstance(x, Placeholder) and x.dim() else function(x)

    return call


def unchecked(function: Callable[..., None]) -> Callable[..., None]:
    """nn.GRU's check of shapes, which asks for the number of packed sequences as an int: of those it is left out."""

    @functools.wraps(function)
    def call(self: Any, x: Any, hidden: Any, batch_sizes: Any) -> None:
        if not isinstance(batch_sizes, Placeholder):
            function(self, x, hidden, batch_sizes)

    return call


def scripted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a function that torch.jit.script has compiled: of tensors of the network, by its Python."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = getattr(self, "_torchdynamo_inline", None)
        return (written if written and is_symbolic((args, kwargs)) else functools.partial(function, self))(
            *args, **kwargs
        )

    return call


def unmapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """torch.vmap, whose functions take no tensors of the network."""

    @functools.wraps(function)
    def vmap(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        mapped = function(func, *args, **kwargs)

        @functools.wraps(func)
        def call(*given: Any, **named: Any) -> Any:
            if is_symbolic((given, named)):
                text = "torch.vmap of a tensor of the network, which torch lets nobody answer: write the function"
                raise ModelError(here(f"{text} with torch's plain functions of whole tensors"))
            return mapped(*given, **named)

        return call

    return vmap


@contextmanager
def exchanged(call_module: Callable[..., Any]) -> Iterator[None]:
    """Inside, torch's modules are called by `call_module`, and functions of sizes take sizes of the network.

    What ``torch.compile`` made runs as it was before.
    """
    compiled = torch.jit.ScriptFunction
    exchanges: list[tuple[Any, str, Any]] = [
        *((torch, name, packed(getattr(torch, name), 0)) for name in FACTORIES),
        *((torch.Tensor, name, packed(getattr(torch.Tensor, name), 1)) for name in METHODS),
        (torch.Tensor, "new", made(torch.Tensor.new)),
        (torch.nn.Module, "__call__", call_module),
        (torch, "Size", AnySize),
        (SizeOperators, "left_to", (torch.Tensor,)),
        (torch._subclasses, "FakeTensor", AnyFake),
        (torch, "vmap", unmapped(torch.vmap)),
        (torch.func, "vmap", unmapped(torch.func.vmap)),
        (math, "sqrt", root(math.sqrt)),
        (builtins, "len", length(len)),
        *(
            (kind, "check_forward_args", unchecked(kind.check_forward_args))
            for kind in (torch.nn.RNNBase, torch.nn.LSTM)
        ),
        (torch._C, "_is_any_autocast_enabled", lambda: True),  # nn.GRU then takes floats of any dtype, which are cast
        (torch.distributions.Distribution, "_validate_args", False),  # its checks are of values
        (compiled, "__call__", scripted(compiled.__call__)),
        *of_libraries(),
    ]
    with LOCK, ExitStack() as stack:
        for owner, name, instead in exchanges:
            stack.enter_context(mock.patch.object(owner, name, instead))
        if hasattr(torch.compiler, "set_stance"):  # torch 2.6
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
