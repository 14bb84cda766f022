"""What is exchanged in torch while a module is being called, and put back afterwards."""

from __future__ import annotations

import functools
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch

from trtnet.definition.torch_module.symbolic import AnyFake, AnySize, is_symbolic
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
        if not first and "size" in kwargs and is_symbolic(kwargs["size"]):
            args = (tuple(kwargs.pop("size")),)
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


def pooled(
    features: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    output_size: Sequence[int],
    sampling_ratio: int,
    scales: Sequence[float],
    mapper: Callable[[Sequence[torch.Tensor]], torch.Tensor],
) -> torch.Tensor:
    """torchvision's MultiScaleRoIAlign: all boxes at every level, and then each one's level.

    torchvision's own sorts the boxes by level, and how many a level has depends on values.
    """
    rois = sys.modules["torchvision.ops.poolers"]._convert_to_roi_format(boxes)
    sizes = int(output_size[0]), int(output_size[1])
    found = [
        torch.ops.torchvision.roi_align(feature, rois, scale, *sizes, sampling_ratio, False)
        for feature, scale in zip(features, scales, strict=True)
    ]
    result = found[0]
    if len(found) > 1:
        level = mapper(boxes)[:, None, None, None]
        for index, each in enumerate(found[1:], 1):
            result = torch.where(level == index, each, result)
    return result


@contextmanager
def exchanged(call_module: Callable[..., Any]) -> Iterator[None]:
    """Inside, torch's modules are called by `call_module`, and functions of sizes take sizes of the network.

    What ``torch.compile`` made runs as it was before.
    """
    compiled, poolers = torch.jit.ScriptFunction, sys.modules.get("torchvision.ops.poolers")
    exchanges: list[tuple[Any, str, Any]] = [
        *((torch, name, packed(getattr(torch, name), 0)) for name in FACTORIES),
        *((torch.Tensor, name, packed(getattr(torch.Tensor, name), 1)) for name in METHODS),
        (torch.nn.Module, "__call__", call_module),
        (torch, "Size", AnySize),
        (torch._subclasses, "FakeTensor", AnyFake),
        (math, "sqrt", root(math.sqrt)),
        (compiled, "__call__", scripted(compiled.__call__)),
        *([(poolers, "_multiscale_roi_align", pooled)] if poolers else []),
    ]
    with LOCK, ExitStack() as stack:
        for owner, name, instead in exchanges:
            stack.enter_context(mock.patch.object(owner, name, instead))
        if hasattr(torch.compiler, "set_stance"):  # torch 2.6
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
