"""What the pickles of torch and numpy say of tensors: where their elements are and how they are laid out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trtnet.checkpoint.formats.pickled.arrays import ArrayParts, NumpyDType, array_of_buffer, is_size, short, sizes_of
from trtnet.checkpoint.formats.pickled.machine import Builders, PickleError
from trtnet.checkpoint.formats.pickled.objects import Global
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.text.counted import counted

_TYPED = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QInt32Storage": "qint32",
    "QUInt8Storage": "quint8",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}
_KNOWN = {dtype.name: dtype for dtype in dtypes.TABLE if dtype.bits >= 8}
LARGEST_EXPANDED = 1 << 24
"""The most elements of a tensor that has more of them than its storage, as after torch.expand."""


class Storage(NamedTuple):
    """Where elements are: torch's name of their type, the key of the storage, how many there are.

    elements: of bytes, where the storage is untyped.
    """

    dtype: str
    key: str
    elements: int


@dataclass(frozen=True, eq=False)
class Unreadable:
    """A tensor of a kind that trtnet has no use for: what it is, and its shape where that is told."""

    what: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor in a storage of the file. offset, stride: in elements."""

    storage: Storage
    dtype: DType
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def view(self, data: Any, big_endian: bool) -> np.ndarray[Any, Any]:
        """The tensor in the bytes of its storage. Raises ValueError where these are not as many as promised."""
        elements = np.frombuffer(data, self.dtype.numpy)
        if big_endian and elements.itemsize > 1:
            # ml_dtypes have no other byte order: the bytes are turned around as integers
            wide = f"u{elements.itemsize}"
            elements = elements.view(f">{wide}").astype(f"={wide}").view(self.dtype.numpy)
        promised = (
            self.storage.elements if self.storage.dtype != "bytes" else self.storage.elements // elements.itemsize
        )
        if elements.size != promised:
            raise ValueError(f"its storage has {counted(elements.size, 'element')} instead of {promised:,}")
        steps = [step * elements.itemsize for step in self.stride]
        # numpy lays no strides over some of the float8 types
        integers = elements.view(f"u{elements.itemsize}")[self.offset :]
        return np.lib.stride_tricks.as_strided(integers, self.shape, steps).view(self.dtype.numpy)


def storage(identity: Any) -> object:
    """What a persistent id of torch means: ("storage", type, key, place, count), and for old files a view of it."""
    if isinstance(identity, tuple) and len(identity) > 1 and identity[0] == "module":
        return identity[1]
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise PickleError("it has a storage of an unknown kind")
    _, kind, key, _, count = identity[:5]
    if not isinstance(kind, Global) or kind.name not in _TYPED or not is_size(count) or len(identity) > 6:
        raise PickleError("it has a storage of an unknown kind")
    if len(identity) == 6 and identity[5] is not None:
        raise PickleError("it has a view of a storage, as torch wrote it before version 0.4: save it again")
    untyped = kind.name == "UntypedStorage"
    return Storage("bytes" if untyped else _TYPED[kind.name], str(key), count)


def _tensor(source: Any, offset: Any, size: Any, stride: Any, *more: Any) -> Stored | Unreadable:
    # more: requires_grad, hooks, and what torch says of conjugated and negated views
    marks = more[2] if len(more) > 2 else None
    if isinstance(marks, dict) and (marks.get("neg") or marks.get("conj")):
        return Unreadable("a negated or conjugated view", sizes_of(size))
    if not isinstance(source, Storage):
        raise PickleError("it has a tensor without a storage")
    return _in_storage(source, source.dtype, source.elements, offset, size, stride)


def _tensor_of_bytes(
    source: Any, offset: Any, size: Any, stride: Any, _: Any, __: Any, dtype: Any, *more: Any
) -> Stored | Unreadable:
    """torch's _rebuild_tensor_v3: the storage is of bytes, and the dtype beside it."""
    if not isinstance(source, Storage) or not isinstance(dtype, Global):
        raise PickleError("it has a tensor without a storage")
    known = _KNOWN.get(dtype.name)
    count = source.elements // known.numpy.itemsize if known else 0
    return _in_storage(source._replace(dtype="bytes"), dtype.name, count, offset, size, stride)


def _in_storage(
    source: Storage, name: str, count: int, offset: object, size: object, stride: object
) -> Stored | Unreadable:
    sizes, steps = sizes_of(size), sizes_of(stride)
    known = _KNOWN.get(name)
    if known is None:
        return Unreadable(name, sizes)
    if not is_size(offset) or len(sizes) != len(steps):
        raise PickleError(f"it has a tensor of the impossible size {short(size)}, stride {short(stride)}")
    assert isinstance(offset, int)
    elements = math.prod(sizes)
    if elements > max(count, LARGEST_EXPANDED):
        raise PickleError(f"{counted(elements, 'element is', 'elements are')} in a storage of {count:,}")
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    if elements and last >= count:
        raise PickleError("it has a tensor that reaches beyond its storage")
    return Stored(source, known, offset if elements else 0, sizes, steps)


def _first(value: Any = None, *_: Any) -> Any:
    return value


def _device_tensor(array: Any, *_: Any) -> Any:
    return array


def _unreadable(what: str, shape_at: int | None = None) -> Callable[..., Unreadable]:
    def made(*arguments: Any) -> Unreadable:
        given = arguments[shape_at] if shape_at is not None and len(arguments) > shape_at else ()
        return Unreadable(what, sizes_of(given))

    return made


def _sparse(_layout: Any, data: Any = (), *_: Any) -> Unreadable:
    shape = data[2] if isinstance(data, tuple) and len(data) > 2 else ()
    return Unreadable("sparse", sizes_of(shape))


def _of_type(function: Any, _type: Any, arguments: Any, *_: Any) -> Any:
    """torch's _rebuild_from_type_v2: a tensor of a subclass is what its function makes of it."""
    builder = BUILDERS.get((function.module, function.name)) if isinstance(function, Global) else None
    if builder is None or not isinstance(arguments, tuple):
        return Unreadable("a tensor of a class of its own")
    return builder(*arguments)


def _mapping(pairs: Any = (), *_: Any) -> dict[Any, Any]:
    """An OrderedDict; of old files, of pairs."""
    if isinstance(pairs, dict):
        return dict(pairs)
    found = {}
    for pair in pairs if isinstance(pairs, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str | int):
            found[pair[0]] = pair[1]
    return found


def _encoded(text: Any = "", *_: Any) -> bytes:
    """_codecs.encode(text, "latin1"): how protocol 2 writes bytes."""
    return text.encode("latin-1") if isinstance(text, str) else b""


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
BUILDERS: Builders = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_bytes,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _device_tensor,
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _device_tensor,
    ("torch._utils", "_rebuild_qtensor"): lambda source=None, _=0, size=(), *more: Unreadable(
        f"quantized {getattr(source, 'dtype', '')}".strip(), sizes_of(size)
    ),
    ("torch._utils", "_rebuild_sparse_tensor"): _sparse,
    ("torch._utils", "_rebuild_sparse_csr_tensor"): _sparse,
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _unreadable("on torch's meta device, without data", 1),
    ("torch._utils", "_rebuild_nested_tensor"): _unreadable("nested"),
    ("torch._utils", "_rebuild_wrapper_subclass"): _unreadable("a tensor of a class of its own", 2),
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("torch.nn.parameter", "Parameter"): _first,
    ("torch", "Size"): lambda sizes=(), *_: tuple(sizes) if isinstance(sizes, tuple | list) else (),
    ("collections", "OrderedDict"): _mapping,
    ("builtins", "dict"): _mapping,
    ("__builtin__", "dict"): _mapping,
    **{(module, "bytes"): lambda *_: b"" for module in ("builtins", "__builtin__")},
    ("builtins", "bytearray"): lambda data=b"", *_: bytes(data) if isinstance(data, bytes | bytearray) else b"",
    ("_codecs", "encode"): _encoded,
    **{(module, "_reconstruct"): ArrayParts for module in _NUMPY},
    **{(module, "_frombuffer"): array_of_buffer for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "dtype"): NumpyDType,
}
"""What the names mean that stand in the pickles of weights."""


def is_stored(value: object) -> bool:
    """Whether it stands for a tensor or an array."""
    return isinstance(value, Stored | Unreadable | ArrayParts)


def nbytes(stored: Storage) -> int:
    """Bytes of a storage. Raises PickleError for a type whose size is not known."""
    if stored.dtype not in _SIZES:
        raise PickleError(f"it has a storage of {stored.dtype}")
    return stored.elements * _SIZES[stored.dtype]


_SIZES = {name: dtype.numpy.itemsize for name, dtype in _KNOWN.items()} | {
    "bytes": 1,
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
    "quint4x2": 1,
    "quint2x4": 1,
}
