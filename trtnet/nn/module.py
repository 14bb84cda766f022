"""The tree that a model is, and that its checkpoint's keys spell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from trtnet.errors import ModelError
from trtnet.graph import Input, Parameter, current
from trtnet.graph.calls import Call


class Module:
    """Base of every layer and model.

    Modules and Parameters that are attributes are children, in the order they were set; the path of attributes to a
    Parameter (``layer1.0.conv1.weight``) is its checkpoint key. Subclasses set attributes in ``__init__`` (no call of
    ``super().__init__()`` is needed) and write ``forward``. A model may say what it takes in ``inputs``, in the order
    of its ``forward``; :func:`trtnet.define` uses that where it is given no inputs.
    """

    inputs: Mapping[str, Input] = MappingProxyType({})
    forward: Callable[..., Any]
    """What the module computes, on symbolic tensors; written by each subclass."""

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        """``forward`` with its layers named after this module's path, in the dtype that the network has there.

        Raises ModelError if there is no ``forward``.
        """
        network = current()
        if not hasattr(self, "forward"):
            raise ModelError(f"{type(self).__name__} has no forward()")
        outside, path = network.dtype, network.modules.get(self, network.path)
        with network.scope(path):
            inside = network.dtype
            args, arguments = network.boundary.convert((args, arguments), outside, inside)
            result = self.forward(*args, **arguments)
            network.calls.append(Call(path, self, args, arguments, result))
            return network.boundary.convert(result, inside, outside)

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        """(name, child) of the direct children. Raises ModelError for modules hidden in a plain list or dict."""
        for name, value in vars(self).items():
            if isinstance(value, Module | Parameter):
                yield name, value
            elif _hides_modules(value):
                raise ModelError(
                    f"{type(self).__name__}.{name} is a plain {type(value).__name__} of modules, whose parameters no"
                    f" checkpoint key would reach. Use nn.ModuleList or nn.Sequential."
                )

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all below it, parents first."""
        yield prefix, self
        for name, child in self.children():
            if isinstance(child, Module):
                yield from child.named_modules(_join(prefix, name))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of all parameters below; a shared one is listed once for each path to it."""
        for path, module in self.named_modules():
            for name, child in module.children():
                if isinstance(child, Parameter):
                    yield _join(path, name), child


class ModuleList(Module):
    """Modules in order, named by their index. Iterate over it; it is not called."""

    def __init__(self, modules: Any = ()) -> None:
        self._modules: tuple[Module, ...] = tuple(modules)

    def append(self, module: Module) -> ModuleList:
        self._modules = (*self._modules, module)
        return self

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        return ((str(i), module) for i, module in enumerate(self._modules))

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, index: int) -> Module:
        return self._modules[index]


class Sequential(ModuleList):
    """Modules called one after another, named by their index, or by the keys of the one dict that is given."""

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], Mapping) else None
        super().__init__(modules if named is None else named.values())
        self._names = None if named is None else tuple(named)

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        return super().children() if self._names is None else zip(self._names, self, strict=True)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _hides_modules(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(isinstance(item, Module) for item in items)
