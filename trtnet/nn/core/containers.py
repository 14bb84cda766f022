"""Modules and parameters in lists and dicts. Their members are their attributes, as those of every module are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from trtnet.graph import Parameter
from trtnet.nn.core.module import Module
from trtnet.support.errors import ModelError
from trtnet.support.source import here


class _Container(Module):
    """Members of one kind. A subclass may have other attributes, too."""

    _kind: type[Module] | type[Parameter]

    def _held(self) -> list[tuple[str, Any]]:
        """(name, member) of that kind."""
        return [(name, member) for name, member in self.members() if isinstance(member, self._kind)]

    def _add(self, name: str, member: Any) -> None:
        """Raises ModelError for a member of another kind."""
        self._set(name, member, self._kind)

    def __len__(self) -> int:
        return len(self._held())


class _List(_Container):
    """Members in order, named by their index. Iterate over it; it is not called."""

    def __init__(self, members: Iterable[Any] | None = None) -> None:
        self.extend(() if members is None else members)

    def append(self, member: Any) -> Self:
        self._add(str(len(self)), member)
        return self

    def extend(self, members: Iterable[Any]) -> Self:
        for member in members:
            self.append(member)
        return self

    def insert(self, index: int, member: Any) -> Self:
        """Adds a member before another one. Raises ModelError where the members are not named by their index."""
        members = list(self)
        if any(name != str(i) for i, (name, _) in enumerate(self._held())):
            raise ModelError(f"{type(self).__name__}.insert needs members that are named by their index")
        members.insert(index, member)
        for i, each in enumerate(members):
            self._add(str(i), each)
        return self

    def __iter__(self) -> Iterator[Any]:
        return (member for _, member in self._held())

    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(list(self)[index]) if isinstance(index, slice) else list(self)[index]

    def __setitem__(self, index: int, member: Any) -> None:
        self._add(self._held()[index][0], member)

    def __delitem__(self, index: int | slice) -> None:
        """Removes members; those after it are counted anew, as torch does."""
        left = list(self)
        del left[index]
        names = [name for name, _ in self._held()]
        for name in names:
            delattr(self, name)
        own = [str(i) for i in range(len(names))] == names
        kept = [name for name, _ in zip(names, left, strict=False)] if own else _without(names, index)
        for name, member in zip(kept, left, strict=True):
            self._add(name, member)

    def pop(self, key: int | slice = -1) -> Any:
        """The member at an index, which is removed."""
        member = self[key]
        del self[key]
        return member

    def __add__(self, other: Iterable[Any]) -> Any:
        return type(self)([*self, *other])

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(list(self))

    def __contains__(self, member: object) -> bool:
        return any(member is each for each in self)


def _without(names: list[str], index: int | slice) -> list[str]:
    left = list(names)
    del left[index]
    return left


class ModuleList(_List):
    """torch.nn.ModuleList: modules in order, named by their index.

    Iterate over it, or index it; it is not called. Its members may have any shape and dtype.
    Weights: those of its members.
    Layer: none of its own.
    Raises ModelError for a member of another kind, and IndexError for an index out of range.
    """

    _kind = Module

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__(modules)


class ParameterList(_List):
    """torch.nn.ParameterList: parameters in order, named by their index.

    Iterate over it, or index it; it is not called. Its members may have any shape and dtype.
    Weights: those of its members.
    Layer: none.
    Raises ModelError for a member of another kind, and IndexError for an index out of range.
    """

    _kind = Parameter

    def __init__(self, values: Iterable[Parameter] | None = None) -> None:
        super().__init__(values)


class Sequential(ModuleList):
    """torch.nn.Sequential: modules called one after another, each with the result of the one before.

    Named by their index, or by the keys of a single dict. Modules that a subclass sets as attributes are called too, in
    the order in which they were set. It takes and returns tensors of any shape and dtype.
    Weights: those of its members.
    Layer: those of its members.
    Raises ModelError for a member that is not a Module.

    >>> from trtnet import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).state_dict().keys()
    dict_keys(['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, *args: Module | Mapping[str, Module]) -> None:
        one = args[0] if len(args) == 1 else None
        named: Mapping[Any, Any] = one if isinstance(one, Mapping) else dict(enumerate(args))
        for name, module in named.items():
            self._add(str(name), module)

    def __getitem__(self, index: int | slice) -> Any:
        found = self._held()[index]
        return Sequential(dict(found)) if isinstance(found, list) else found[1]

    def __add__(self, other: Iterable[Any]) -> Sequential:
        return Sequential(*self, *other)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


class _Dict(_Container):
    """Members by name, in the order they were added. It is not called.

    Raises ModelError for a name that is one of its own attributes.
    """

    def __init__(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        self.update({} if members is None else members)

    def update(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        for name, member in dict(members).items():
            self[name] = member

    def add_module(self, name: str, module: Any) -> None:
        self[name] = module

    def items(self) -> Iterator[tuple[str, Any]]:
        return iter(self._held())

    def keys(self) -> Iterator[str]:
        return (name for name, _ in self._held())

    def values(self) -> Iterator[Any]:
        return (member for _, member in self._held())

    def __setitem__(self, name: str, member: Any) -> None:
        if hasattr(type(self), name):
            text = f"{type(self).__name__} has an attribute {name!r}, so no member can have this name"
            raise ModelError(here(text))
        self._add(name, member)

    def __getitem__(self, name: str) -> Any:
        return dict(self._held())[name]

    def __delitem__(self, name: str) -> None:
        del dict(self._held())[name]
        delattr(self, name)

    def pop(self, key: str) -> Any:
        """The member of a name, which is removed."""
        member = self[key]
        del self[key]
        return member

    def clear(self) -> None:
        """Removes all members."""
        for name in list(self.keys()):
            del self[name]

    def __contains__(self, name: object) -> bool:
        return name in dict(self._held())

    def __iter__(self) -> Iterator[str]:
        return self.keys()


class ModuleDict(_Dict):
    """torch.nn.ModuleDict: modules by name, in the order in which they were added.

    A mapping; it is not called. Its members may have any shape and dtype.
    Weights: those of its members.
    Layer: none of its own.
    Raises ModelError for a member of another kind, and for a name that is an attribute of the class; KeyError for an
    unknown name.
    """

    _kind = Module

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__(modules)


class ParameterDict(_Dict):
    """torch.nn.ParameterDict: parameters by name, in the order in which they were added.

    A mapping; it is not called. Its members may have any shape and dtype.
    Weights: those of its members.
    Layer: none.
    Raises ModelError for a member of another kind, and for a name that is an attribute of the class; KeyError for an
    unknown name.
    """

    _kind = Parameter

    def __init__(self, parameters: Mapping[str, Parameter] | Iterable[tuple[str, Parameter]] | None = None) -> None:
        super().__init__(parameters)
