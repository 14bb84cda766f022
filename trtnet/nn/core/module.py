"""The tree of modules of a model, whose paths are the checkpoint's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from trtnet.graph import Buffer, Input, Parameter, Tensor, current
from trtnet.graph.calls import Call, replaced
from trtnet.graph.memory.weight import NetworkFloats
from trtnet.nn.core.torch_refusal import refuse_foreign
from trtnet.nn.core.traversal import Traversal
from trtnet.support import dtypes
from trtnet.support.arrays import values
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.messages import type_name


class Module(Traversal["Module"]):
    """torch.nn.Module: the base of every layer and model.

    Modules and Parameters that are attributes are members, in the order in which they were set; the path of attributes
    to a Parameter (``layer1.0.conv1.weight``) is its checkpoint key. Subclasses set attributes in ``__init__`` (a call
    of ``super().__init__()`` is not needed) and write ``forward``, which takes and returns tensors of any shape and
    dtype. A model may declare its inputs in ``inputs``, in the order of its ``forward``; :func:`trtnet.define` uses
    that where it is given no inputs.
    Weights: its own Parameters and those of its members.
    Layer: those that ``forward`` adds.
    Raises ModelError when it is called without a ``forward``, and for members that are torch's modules or parameters.
    """

    inputs: Mapping[str, Input] = MappingProxyType({})
    training = False
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
            before, named = replaced((args, arguments), Tensor.fresh)  # forward may write to its arguments
            result = self.forward(*args, **arguments)
            network.calls.append(Call(path, self, before, named, replaced(result, Tensor.fresh)))
            return network.boundary.convert(result, inside, outside)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises ModelError for torch's modules and parameters."""
        refuse_foreign(f"{type(self).__name__}.{name}", (value, *_items(value)), (Module, Parameter))
        super().__setattr__(name, value)

    def add_module(self, name: str, module: Module | None) -> None:
        """Sets a child, also under a name such as a number. Raises ModelError for what is not a Module."""
        if module is None:
            setattr(self, name, None)
        else:
            self._set(name, module, Module)

    def _set(self, name: str, member: Any, kind: type[Module] | type[Parameter]) -> None:
        """Sets an attribute. Raises ModelError if it is not of a kind."""
        setattr(self, name, member)
        if not isinstance(member, kind):
            text = f"{type(self).__name__}.{name} is not an nn.{kind.__name__}, found {type_name(member)}"
            raise ModelError(here(text))

    register_module = add_module

    def members(self) -> Iterator[tuple[str, Module | Parameter]]:
        """(name, member): the direct children and the module's own parameters, in order.

        Raises ModelError for those hidden in a plain list or dict.
        """
        for name, value in vars(self).items():
            if isinstance(value, Module | Parameter):
                yield name, value
            elif hidden := _hidden(value):
                raise ModelError(
                    f"{type(self).__name__}.{name} is a plain {type(value).__name__} of {hidden.lower()}s, which no"
                    f" checkpoint key would reach. Use nn.{hidden}List or nn.{hidden}Dict."
                )

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the direct children."""
        return ((name, member) for name, member in self.members() if isinstance(member, Module))

    def children(self) -> Iterator[Module]:
        """The direct children."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all below it, parents first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(_join(prefix, name))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents first."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of all parameters below; a shared one is listed once for each path to it."""
        for path, module in self.named_modules():
            for name, member in module.members():
                if isinstance(member, Parameter):
                    yield _join(path, name), member

    def parameters(self) -> Iterator[Parameter]:
        """All parameters below."""
        return (parameter for _, parameter in self.named_parameters())

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """``self.name = param``."""
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """``self.name``: a Buffer that the checkpoint fills, with the shape of `tensor`, which may be a Buffer itself.

        tensor: a numpy array or a torch tensor; its values count only if it is not persistent: then it has no key, and
        is a constant, whose floats are of the network's dtype, to which torch's half() casts them. None: no buffer.
        """
        if tensor is not None and not hasattr(tensor, "dtype"):
            text = f"{type(self).__name__}.register_buffer({name!r}) takes an array or a torch tensor"
            raise ModelError(here(f"{text}, found {type_name(tensor)}"))
        if isinstance(tensor, Tensor):
            text = f"{type(self).__name__}.{name}: a tensor of the network is not a buffer; give a numpy array"
            raise ModelError(here(text))
        setattr(self, name, _buffer(tensor, persistent))

    def eval(self) -> Self:
        """The module itself: a network is always for inference."""
        return self

    def train(self, mode: bool = True) -> Self:
        """The module itself. Raises ModelError for mode=True."""
        if mode:
            raise ModelError(here(f"{type(self).__name__}.train(): a network is for inference; train it with torch"))
        return self


def _buffer(tensor: Any, persistent: bool) -> Any:
    if tensor is None or isinstance(tensor, Buffer):
        return tensor
    kind, shape = dtypes.get(tensor.dtype), tuple(tensor.shape)
    if persistent:
        return Buffer(*shape, dtype=None if kind.is_floating else kind.name)
    found = values(tensor)
    return found.astype("float64").view(NetworkFloats) if kind.is_floating else found


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()


def _hidden(value: Any) -> str:
    """What a plain container hides: Module, Parameter, or nothing."""
    if not isinstance(value, dict | list | tuple):
        return ""
    kinds = {"Module": Module, "Parameter": Parameter}
    return next((name for name, kind in kinds.items() if any(isinstance(item, kind) for item in _items(value))), "")
