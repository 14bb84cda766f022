"""Modules and parameters in lists and dicts. Their members are their attributes, as those of every module are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from trtnet.errors import ModelError
from trtnet.nn.module import Module


class _List(Module):
    """Members in order, named by their index. Iterate over it; it is not called."""

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self.extend(members)

    def append(self, member: Any) -> Self:
        self.add_module(str(len(self)), member)
        return self

    def extend(self, members: Iterable[Any]) -> Self:
        for member in members:
            self.append(member)
        return self

    def insert(self, index: int, member: Any) -> Self:
        members = list(self)
        members.insert(index, member)
        for i, each in enumerate(members):
            self.add_module(str(i), each)
        return self

    def __iter__(self) -> Iterator[Any]:
        return (member for _, member in self.members())

    def __len__(self) -> int:
        return len(list(self.members()))

    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(list(self)[index]) if isinstance(index, slice) else list(self)[index]

    def __setitem__(self, index: int, member: Any) -> None:
        names = [name for name, _ in self.members()]
        self.add_module(names[index], member)


class ModuleList(_List):
    """torch.nn.ModuleList: modules in order, named by their index. Iterate over it; it is not called."""


class ParameterList(_List):
    """torch.nn.ParameterList: parameters in order, named by their index."""


class Sequential(ModuleList):
    """Modules called one after another, named by their index, or by the keys of the one dict that is given."""

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        members = list(self.named_children())
        return Sequential(dict(members[index])) if isinstance(index, slice) else members[index][1]

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


class _Dict(Module):
    """Members by name, in the order they were added. It is not called.

    Raises ModelError for a name that is one of its methods.
    """

    def __init__(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self.update(members)

    def update(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        for name, member in dict(members).items():
            self[name] = member

    def add_module(self, name: str, module: Any) -> None:
        if hasattr(type(self), name):
            raise ModelError(f"{type(self).__name__} has a method {name!r}, so no member can have this name")
        super().add_module(name, module)

    def items(self) -> Iterator[tuple[str, Any]]:
        return self.members()

    def keys(self) -> Iterator[str]:
        return (name for name, _ in self.members())

    def values(self) -> Iterator[Any]:
        return (member for _, member in self.members())

    def __setitem__(self, name: str, member: Any) -> None:
        self.add_module(name, member)

    def __getitem__(self, name: str) -> Any:
        return dict(self.members())[name]

    def __contains__(self, name: object) -> bool:
        return name in dict(self.members())

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(dict(self.members()))


class ModuleDict(_Dict):
    """torch.nn.ModuleDict: modules by name. It is not called."""


class ParameterDict(_Dict):
    """torch.nn.ParameterDict: parameters by name."""
