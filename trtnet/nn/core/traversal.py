"""torch.nn.Module's methods that walk the tree, look something up in it, or have no effect here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from trtnet.graph import Buffer, Parameter
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import DTypeError, ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import an
from trtnet.support.text.did_you_mean import missing

M = TypeVar("M", bound="Traversal[Any]")

REFUSED = {
    **dict.fromkeys(
        (
            "register_forward_hook",
            "register_forward_pre_hook",
            "register_full_backward_hook",
            "register_full_backward_pre_hook",
            "register_backward_hook",
            "register_load_state_dict_pre_hook",
            "register_load_state_dict_post_hook",
            "register_state_dict_pre_hook",
            "register_state_dict_post_hook",
        ),
        "an engine calls no hooks; write what the hook does in forward",
    ),
    "load_state_dict": "give the weights to trtnet.define",
    "compile": "trtnet.build makes the engine",
    "share_memory": "a model has no memory; its weights are the checkpoint's",
    "to_empty": "a model has no memory; its weights are the checkpoint's",
    "get_extra_state": "a network has no state but its weights",
    "set_extra_state": "a network has no state but its weights",
}
"""Methods of torch's modules that have no meaning here, and why."""


class Traversal(Generic[M]):
    """What Module, which is M, inherits; each method is torch's of the same name."""

    if TYPE_CHECKING:

        def named_modules(self, prefix: str = "") -> Iterator[tuple[str, M]]: ...
        def named_parameters(self) -> Iterator[tuple[str, Parameter]]: ...
        def children(self) -> Iterator[M]: ...

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Calls a function with every module below, children first, and with this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Buffer]]:
        """(path, buffer) of all buffers below that the checkpoint fills, or of this module's own."""
        start = f"{prefix}." if prefix else ""
        for path, parameter in self.named_parameters():
            if isinstance(parameter, Buffer) and (recurse or "." not in path):
                yield start + path, parameter

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """All buffers below that the checkpoint fills."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def state_dict(self) -> dict[str, Parameter]:
        """The checkpoint's keys and what they fill: parameters and buffers, which have shapes and no values."""
        return dict(self.named_parameters())

    def get_submodule(self, target: str) -> M:
        """The module at a path, this one at "". Raises AttributeError, with the nearest paths, if there is none."""
        return _found(self, "module", target, dict(self.named_modules()))

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path. Raises AttributeError, with the nearest paths, if there is none."""
        return _found(self, "parameter", target, dict(self.named_parameters()))

    def get_buffer(self, target: str) -> Buffer:
        """The buffer at a path. Raises AttributeError, with the nearest paths, if there is none."""
        return _found(self, "buffer", target, dict(self.named_buffers()))

    def set_submodule(self, target: str, module: M) -> None:
        """Puts a module in the place of that at a path. Raises AttributeError if there is none, or no path."""
        self.get_submodule(target)
        if not target:
            raise ModelError(here("set_submodule takes the path of a module below this one"))
        parent, _, name = target.rpartition(".")
        setattr(self.get_submodule(parent), name, module)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Gives the floating parameters below their own dtype; a device has no effect: an engine has one.

        Raises ModelError for a dtype that is not floating, or that TensorRT lacks.
        """
        for value in (*args, *kwargs.values()):
            if _is_dtype(value):
                _keep(self, value)
        return self

    def type(self, dst_type: DTypeLike) -> Self:
        """to(dst_type)."""
        return self.to(dst_type)

    def half(self) -> Self:
        """to(float16)."""
        return self.to("float16")

    def float(self) -> Self:
        """to(float32)."""
        return self.to("float32")

    def bfloat16(self) -> Self:
        """to(bfloat16)."""
        return self.to("bfloat16")

    def double(self) -> NoReturn:
        """Raises ModelError: TensorRT has no float64."""
        raise ModelError(here(f"{type(self).__name__}.double(): TensorRT has no float64; float() gives float32"))

    def cpu(self) -> Self:
        """The module itself: its weights are where the engine is."""
        return self

    def cuda(self, device: object = None) -> Self:
        """The module itself: its weights are where the engine is."""
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """The module itself: an engine has no gradients."""
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Does nothing: an engine has no gradients."""

    def extra_repr(self) -> str:
        """What a printed module shows between its parentheses."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in _named(self)]
        kind, extra = type(self).__name__, self.extra_repr()
        inside = "\n  ".join([*extra.splitlines(), *lines])
        return f"{kind}(\n  {inside}\n)" if lines else f"{kind}({extra})"

    def __getattr__(self, name: str) -> NoReturn:
        names = [] if name.startswith("_") else [*vars(self), *dir(type(self))]
        raise missing(an(type(self).__name__), name, names, REFUSED.get(name, ""))


def _named(module: Any) -> list[tuple[str, Any]]:
    return list(module.named_children())


def _found(module: object, kind: str, target: str, members: dict[str, Any]) -> Any:
    if target not in members:
        raise missing(f"{type(module).__name__} (its {kind}s)", target, members)
    return members[target]


def _is_dtype(value: object) -> bool:
    """Not a device, a tensor or a flag."""
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if isinstance(value, str):
        return value.partition(":")[0] not in ("cpu", "cuda", "meta", "mps", "xpu")
    return kind == "torch.dtype" or isinstance(value, dtypes.DType | type)


def _keep(module: Traversal[Any], dtype: DTypeLike) -> None:
    try:
        wanted = dtypes.get(dtype)
    except DTypeError as error:
        raise ModelError(here(f"{type(module).__name__}.to(): {error}")) from error
    if not wanted.is_floating:
        raise ModelError(here(f"{type(module).__name__}.to(): a module is of a floating dtype, found {wanted}"))
    for _, parameter in module.named_parameters():
        if parameter.dtype is None or dtypes.get(parameter.dtype).is_floating:
            parameter.dtype = wanted.name
