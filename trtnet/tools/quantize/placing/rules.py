"""The table of what is quantized beside products, and of which products stay floats, by backend and GPU.

Sources: Model-Optimizer, onnx/quantization; TensorRT documentation, "Working with Quantized Types"; measurements on an
H200 (docs/numbers.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from trtnet.graph.quantized import CONCATENATION, NORM, SUM
from trtnet.support import backend
from trtnet.support.errors import ModelError

INT8, FLOAT8 = "int8", "float8_e4m3fn"
ALL: tuple[str, ...] = ()
"""All GPUs."""
FEW, LARGE = 16, 32
"""Channels that a convolution in 8 bits needs; the size of a window from which float8 has no kernels."""


@dataclass(frozen=True)
class Target:
    """What is built for. gpu: a compute capability, "" for any."""

    backend: str
    gpu: str = ""

    def __str__(self) -> str:
        return f"{self.backend}:{self.gpu}" if self.gpu else self.backend


@dataclass(frozen=True)
class Product:
    """What a rule is asked about. channels: of inputs and results; window: of a convolution, none for a product.

    rows: that are multiplied with the weight, None where they are not known. is_end: whether it is the first or last,
    of three or more.
    """

    key: str
    channels: tuple[int, int]
    window: tuple[int, ...] = ()
    groups: int = 1
    rows: int | None = None
    is_end: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table. dtypes: of inputs that it is for. on: by backend, the GPUs on which it counts unasked.

    why: in words, as reports have it.
    """

    name: str
    why: str
    dtypes: tuple[str, ...]
    on: Mapping[str, tuple[str, ...]]

    def counts(self, target: Target) -> bool:
        """Whether it counts without being asked: a row of some GPUs only where one of these is named."""
        gpus = self.on.get(target.backend)
        return gpus is not None and (gpus == ALL or target.gpu in gpus)


@dataclass(frozen=True)
class Added(Row):
    """Activations that are quantized beside the inputs of products. kind: of operations."""

    kind: str = ""


@dataclass(frozen=True)
class Floats(Row):
    """Products that stay floats. fits: which. unless_measured: not where a tolerance tries each of them alone."""

    fits: Callable[[Product], bool] = field(default=lambda product: False)
    unless_measured: bool = False


ROWS: tuple[Added | Floats, ...] = (
    Added(
        "sums", "the convolution before a sum adds the other branch in its kernel", (INT8,), {"tensorrt": ALL}, SUM
    ),
    Added("concatenations", "what has one scale is joined without a copy", (INT8,), {"tensorrt": ALL}, CONCATENATION),
    Added("norms", "the convolution before a layer norm writes 8 bits", (INT8,), {"tensorrt": ALL}, NORM),
    Floats(
        "one_row", "a product of one row, or with one column, is bound by its weights",
        (INT8, FLOAT8), {"tensorrt": ALL},  # TensorRT-RTX 1.6.1, H200: one row takes 0.068 ms in fp8, 0.090 in float16
        lambda product: not product.window and 1 in (product.rows, product.channels[1]),
    ),
    Floats(
        "few_channels", f"a convolution of fewer than {FEW} channels has no fast kernel in 8 bits",
        (INT8, FLOAT8), {"tensorrt": ALL},
        lambda product: bool(product.window) and min(product.channels) < FEW,
    ),
    Floats(
        "ends", "the first and the last layer lose most, unless a tolerance measures them",
        (INT8, FLOAT8), {"tensorrt": ALL}, lambda product: product.is_end, unless_measured=True,
    ),
    Floats(
        "large_windows", f"a convolution with a window of {LARGE} or more has no float8 kernel",
        (FLOAT8,), {"tensorrt": ALL}, lambda product: max(product.window, default=0) >= LARGE,
    ),
    Floats(
        "groups", "a grouped convolution has no fast float8 kernel (TensorRT#4524)",
        (FLOAT8,), {"tensorrt": ALL}, lambda product: product.groups > 1,
    ),
    Floats(
        "int8_convolutions", "TensorRT-RTX 1.6.1 does not build int8 convolutions for an H200",
        (INT8,), {"tensorrt_rtx": ("9.0",)}, lambda product: bool(product.window),
    ),
    Floats(
        "fp8_convolutions", "float8 convolutions take 1.27 times the time of float16 (TensorRT-RTX 1.6.1, H200)",
        (FLOAT8,), {"tensorrt_rtx": ("9.0",)}, lambda product: bool(product.window),
    ),
)  # fmt: skip
"""A row of "tensorrt" was read in the sources, and not measured here; one of "tensorrt_rtx" was measured."""
NONE = "none"
_BACKENDS = ("tensorrt", "tensorrt_rtx")


def _target(said: str) -> Target | None:
    """``"BACKEND"`` or ``"BACKEND:CAPABILITY"``, None for what begins with none. Raises ModelError for no GPU."""
    name, colon, gpu = said.partition(":")
    if name not in _BACKENDS:
        return None
    if colon and not re.fullmatch(r"\d+\.\d", gpu):
        raise ModelError(f"placement: a target is {name}, or {name}:8.9 with a compute capability; found {said!r}")
    return Target(name, gpu)


@dataclass(frozen=True)
class Placement:
    """The rows that count. named: whether they were asked for by name. measured: whether a tolerance is given."""

    rows: tuple[Added | Floats, ...]
    named: bool
    measured: bool

    def kinds(self) -> dict[str, str]:
        """The names of the rows of activations that are quantized, by the kinds of operations."""
        return {row.kind: row.name for row in self.rows if isinstance(row, Added)}

    def reason(self, product: Product, dtype: str) -> str:
        """Why a product stays in floats, "" where it does not. dtype: that its inputs would have, "" for floats."""
        for row in self.rows:
            if not isinstance(row, Floats) or (row.unless_measured and self.measured):
                continue
            if dtype in row.dtypes and row.fits(product):
                return row.why
        return ""


def placement_of(said: Collection[str] | str | None, dtype: str, *, measured: bool) -> Placement:
    """The rows that count. said: a target, or names of rows; by default this backend, whatever the GPU is.

    dtype: of the inputs of products whose scale is calibrated, "" for others. measured: whether a tolerance tries each
    product alone.
    Raises ModelError for a name that no row has, and for activations where inputs stay floats.
    """
    words = [backend.name()] if said is None else said.split(",") if isinstance(said, str) else [*said]
    target = _target(words[0]) if len(words) == 1 else None
    if target is not None:
        rows = tuple(row for row in ROWS if dtype in row.dtypes and row.counts(target))
        return Placement(rows, named=False, measured=measured)
    by_name, asked = {row.name: row for row in ROWS}, [word for word in words if word != NONE]
    if unknown := [name for name in asked if name not in by_name]:
        raise ModelError(
            f"placement: there is no {unknown[0]!r}; it is a target, such as tensorrt:8.9, or rows of the table:"
            f" {', '.join(by_name)}, or {NONE}"
        )
    if len(asked) < len(words) and asked:
        raise ModelError(f"placement: {NONE!r} stands alone; found it beside {asked[0]!r}")
    rows = tuple(by_name[name] for name in dict.fromkeys(asked))
    if not dtype and any(isinstance(row, Added) for row in rows):
        said = "placement: sums, concatenations and norms are for schemes with calibrated inputs"
        raise ModelError(f"{said}: int8, fp8 and fp8_channel")
    return Placement(rows, named=True, measured=measured)
