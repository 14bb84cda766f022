"""What is exchanged in torch while a module is being called, and put back afterwards."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch

from trtnet.definition.torch_module.symbolic import AnyFake, AnySize, is_symbolic
from trtnet.definition.torch_module.torchvision_ops import exchanged_poolers
from trtnet.graph import Dim, Real

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
        sizes = args[first:]
        if len(sizes) >= 1 and not isinstance(sizes[0], list | tuple) and is_symbolic(sizes):
            args = (*args[:first], tuple(sizes))
        return function(*args, **kwargs)

    return call


def root(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """math.sqrt, also of a size of the network."""

    @functools.wraps(function)
    def call(x: Any) -> Any:
        return x**0.5 if isinstance(x, Dim | Real) else function(x)

    return call


def scripted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a function that torch.jit.script has compiled: of tensors of the network, by its Python."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = getattr(self, "_torchdynamo_inline", None)
        return (written if written and is_symbolic((args, kwargs)) else functools.partial(function, self))(
            *args, **kwargs
        )

    return call


@contextmanager
def exchanged(call_module: Callable[..., Any]) -> Iterator[None]:
    """Inside, torch's modules are called by `call_module`, and functions of sizes take sizes of the network.

    What ``torch.compile`` made runs as it was before.
    """
    with LOCK, ExitStack() as stack:
        for name in FACTORIES:
            stack.enter_context(mock.patch.object(torch, name, packed(getattr(torch, name), 0)))
        for name in METHODS:
            stack.enter_context(mock.patch.object(torch.Tensor, name, packed(getattr(torch.Tensor, name), 1)))
        stack.enter_context(mock.patch.object(torch.nn.Module, "__call__", call_module))
        stack.enter_context(mock.patch.object(torch, "Size", AnySize))
        stack.enter_context(mock.patch.object(torch._subclasses, "FakeTensor", AnyFake))
        stack.enter_context(mock.patch.object(math, "sqrt", root(math.sqrt)))
        compiled = torch.jit.ScriptFunction
        stack.enter_context(mock.patch.object(compiled, "__call__", scripted(compiled.__call__)))
        stack.enter_context(exchanged_poolers())
        if hasattr(torch.compiler, "set_stance"):  # torch 2.6
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
