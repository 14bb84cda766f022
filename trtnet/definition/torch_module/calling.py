"""How a PyTorch module is called while a network is being defined: its ``forward``, with symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from trtnet.definition.torch_module.exchanged import exchanged
from trtnet.definition.torch_module.kept import unchanged
from trtnet.definition.torch_module.symbolic import ComplexTensor, SymbolicTensor
from trtnet.definition.torch_module.tracing import Tracing
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Network, current
from trtnet.graph.calls import Call
from trtnet.graph.sizes.comparisons import general_sizes
from trtnet.graph.structures import leaves, mapped
from trtnet.nn import Module
from trtnet.support.dtypes import DType
from trtnet.support.errors import LayerError, ModelError
from trtnet.support.source import here

Parts = Mapping[torch.nn.Module, Module]
"""What stands for each torch module in the tree of a model."""


def called(
    module: torch.nn.Module, weights: ModuleWeights, parts: Parts, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """What a module returns for tensors of the network that is being defined: tensors of it, in whatever structure.

    The module is not changed: attributes that its ``forward`` sets are put back.
    """
    network = current()
    place = next((each.device for each in module.parameters()), torch.device("cpu"))
    tracing = Tracing(network, weights, place)
    exchange = exchanged(_calling(network, tracing, parts))
    with weights.restored(), unchanged(module, tracing), torch.no_grad(), general_sizes(), exchange, tracing:
        result = module(*tracing.left(args), **tracing.left(dict(kwargs)))
        return mapped(result, tracing.value)


def _calling(network: Network, tracing: Tracing, parts: Parts) -> Callable[..., Any]:
    """How modules are called: with their layers under their path, in their dtype, and noted for taps."""

    def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        part = parts.get(module)
        path = network.modules.get(part)
        if path is None:
            return module._wrapped_call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
        with placed(path, module):
            return within(path, part, module, *args, **kwargs)

    def within(path: str, part: Any, module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        outside = network.dtype
        with network.scope(path):
            inside = network.dtype
            if inside != outside:
                args, kwargs = _across(tracing, (args, kwargs), outside, inside)
            given = list(leaves((args, kwargs)))
            before, named = mapped((args, kwargs), _fresh)  # forward may write to its arguments
            result = module._wrapped_call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
            network.calls.append(Call(path, part, before, named, mapped(result, _fresh)))
            if inside == outside:
                return result
            _check_unchanged(path, given, (args, kwargs))
            return _across(tracing, result, inside, outside)

    return call


@contextmanager
def placed(path: str, module: torch.nn.Module) -> Iterator[None]:
    """Says of an error inside which module raised it: the innermost one."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, "_trtnet_placed"):
            error._trtnet_placed = True  # type: ignore[attr-defined]
            _place(error, path, type(module).__name__)
        raise


def _place(error: Exception, path: str, kind: str) -> None:
    """An error of trtnet's begins with the path, as those of layers do; another has it as a note."""
    if isinstance(error, ModelError):
        if path and error.args and isinstance(error.args[0], str):
            error.args = (f"{path}: {error.args[0]}", *error.args[1:])
    elif not isinstance(error, LayerError):
        where = f"{path} ({kind})" if path else kind
        error.add_note(f"raised in {where}, which trtnet called with tensors that have no values, to define a network")


def _across(tracing: Tracing, structure: Any, source: DType, target: DType) -> Any:
    """What crosses the border between modules of two dtypes."""
    known = {id(x.value): x for x in leaves(structure) if isinstance(x, SymbolicTensor)}
    return tracing.left(tracing.network.boundary.convert(mapped(structure, _value), source, target), known)


def _check_unchanged(path: str, given: list[Any], arguments: Any) -> None:
    """Raises ModelError for a module that changed a list or dict whose tensors were cast on the way in."""
    now = list(leaves(arguments))
    if len(now) != len(given) or any(a is not b for a, b in zip(now, given, strict=True)):
        raise ModelError(
            here(
                f"{path} changes a list or dict that it was given, and has another dtype than the module that gave it:"
                f" what it puts in is lost. Give both the same dtype"
            )
        )


def _value(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, SymbolicTensor) else leaf


def _fresh(leaf: Any) -> Any:
    if isinstance(leaf, ComplexTensor):
        return [leaf.value.fresh(), leaf.imaginary.fresh()]
    return leaf.value.fresh() if isinstance(leaf, SymbolicTensor) else leaf
