"""The tree that a model is, and that its checkpoint's keys spell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from trtnet.errors import ModelError
from trtnet.graph import Input, Parameter, current
from trtnet.graph.calls import Call
from trtnet.graph.report import type_name
from trtnet.graph.source import here
from trtnet.nn.foreign import refuse_foreign


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

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises ModelError for torch's modules and parameters."""
        refuse_foreign(f"{type(self).__name__}.{name}", (value, *_items(value)))
        super().__setattr__(name, value)

    def add_module(self, name: str, module: Module) -> None:
        """Sets a child, also where its name is no Python name, such as a number. Raises ModelError for no Module."""
        setattr(self, name, module)
        if not isinstance(module, Module):
            raise ModelError(here(f"{type(self).__name__}.{name} is no nn.Module, found {type_name(module)}"))

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        """(name, child) of the direct children. Raises ModelError for modules hidden in a plain list or dict."""
        for name, value in vars(self).items():
            if isinstance(value, Module | Parameter):
                yield name, value
            elif any(isinstance(item, Module) for item in _items(value)):
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

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        self.add_module(str(len(self)), module)
        return self

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.children() if isinstance(child, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Module:
        return tuple(self)[index]


class Sequential(ModuleList):
    """Modules called one after another, named by their index, or by the keys of the one dict that is given.

    Those that a subclass sets as attributes are called, too, in the order they were set.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        one = modules[0] if len(modules) == 1 else None
        named: Mapping[Any, Any] = one if isinstance(one, Mapping) else dict(enumerate(modules))
        for name, module in named.items():
            self.add_module(str(name), module)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
