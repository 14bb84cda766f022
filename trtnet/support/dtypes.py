"""One table of element types: our names, TensorRT's, numpy's and torch's.

A dtype is written by its torch name everywhere (``"float16"``, ``"bfloat16"``, ``"float8_e4m3fn"``); where one is
read, ``"fp16"``, ``"bf16"`` and the like will do.
:func:`get` accepts any library's spelling of it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from trtnet.support import backend
from trtnet.support.errors import BackendError, DTypeError


@dataclass(frozen=True, eq=False)
class DType:
    """An element type. It equals every library's spelling of it: ``x.dtype == "float16"``, ``== torch.float16``.

    name: torch's name. trt_name: the member of TensorRT's ``DataType``, None if TensorRT has no such type.
    numpy: the numpy (or ml_dtypes) dtype. bits: the width of one element in TensorRT's memory.
    """

    name: str
    trt_name: str | None
    numpy: np.dtype[Any]
    bits: int
    is_floating: bool

    @property
    def trt(self) -> Any:
        """The ``DataType`` member. Raises BackendError where the TensorRT in use has none."""
        member = backend.lookup(f"DataType.{self.trt_name}") if self.trt_name else None
        if member is None:
            raise BackendError(f"{backend.name()} {backend.version()} has no element type {self.name}")
        return member

    @property
    def max(self) -> float:
        """The largest finite value of a floating type."""
        return float(ml_dtypes.finfo(self.numpy).max)  # type: ignore[no-untyped-call]

    @property
    def eps(self) -> float:
        """How far the next value after 1 is in a floating type."""
        return float(ml_dtypes.finfo(self.numpy).eps)  # type: ignore[no-untyped-call]

    def nbytes(self, count: int) -> int:
        """Bytes that `count` elements take in a TensorRT buffer (4-bit types are packed)."""
        return (count * self.bits + 7) // 8

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self.name == other.name
        try:
            return other is not None and self.name == get(other).name
        except DTypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name


def _dtype(name: str, trt_name: str | None, numpy: Any, bits: int, is_floating: bool) -> DType:
    return DType(name, trt_name, np.dtype(numpy), bits, is_floating)


float32 = _dtype("float32", "FLOAT", np.float32, 32, True)
float16 = _dtype("float16", "HALF", np.float16, 16, True)
bfloat16 = _dtype("bfloat16", "BF16", ml_dtypes.bfloat16, 16, True)
float64 = _dtype("float64", None, np.float64, 64, True)
float8_e4m3fn = _dtype("float8_e4m3fn", "FP8", ml_dtypes.float8_e4m3fn, 8, True)
float8_e5m2 = _dtype("float8_e5m2", None, ml_dtypes.float8_e5m2, 8, True)
float8_e8m0fnu = _dtype("float8_e8m0fnu", "E8M0", ml_dtypes.float8_e8m0fnu, 8, True)
float4_e2m1fn = _dtype("float4_e2m1fn", "FP4", ml_dtypes.float4_e2m1fn, 4, True)
int64 = _dtype("int64", "INT64", np.int64, 64, False)
int32 = _dtype("int32", "INT32", np.int32, 32, False)
int16 = _dtype("int16", None, np.int16, 16, False)
int8 = _dtype("int8", "INT8", np.int8, 8, False)
uint8 = _dtype("uint8", "UINT8", np.uint8, 8, False)
int4 = _dtype("int4", "INT4", ml_dtypes.int4, 4, False)
bool_ = _dtype("bool", "BOOL", np.bool_, 8, False)

TABLE = (
    float32, float16, bfloat16, float64, float8_e4m3fn, float8_e5m2, float8_e8m0fnu, float4_e2m1fn,
    int64, int32, int16, int8, uint8, int4, bool_,
)  # fmt: skip
_ALIASES = {"fp32": "float32", "fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp8": "float8_e4m3fn"}
_BY_NAME = {dtype.name: dtype for dtype in TABLE}
_BY_TRT_NAME = {dtype.trt_name: dtype for dtype in TABLE if dtype.trt_name}

DTypeLike = DType | str | np.dtype[Any] | type[Any] | Any
"""A DType, a name, a numpy dtype or scalar type, a torch dtype, or a TensorRT DataType."""


def get(dtype: DTypeLike) -> DType:
    """The DType behind any library's spelling of it. Raises DTypeError for one that is not in the table."""
    if isinstance(dtype, DType):
        return dtype
    if dtype is None:  # numpy's dtype of None is float64
        raise DTypeError(f"None is not a dtype; trtnet knows {', '.join(_BY_NAME)}")
    found = _known(dtype) if isinstance(dtype, Hashable) else None
    if found is None:
        raise DTypeError(f"unknown dtype {dtype!r}; trtnet knows {', '.join(_BY_NAME)}")
    return found


@lru_cache(typed=True)
def _known(dtype: Any) -> DType | None:
    return _BY_NAME.get(_spelling(dtype)) or _BY_TRT_NAME.get(getattr(dtype, "name", ""))


def _spelling(dtype: Any) -> str:
    if isinstance(dtype, str):
        return _ALIASES.get(dtype, dtype)
    if type(dtype).__module__ == "torch":
        return str(dtype).removeprefix("torch.")
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        return ""
