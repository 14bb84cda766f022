"""`trtnet weights` and `trtnet convert`: what is in a checkpoint, how two differ, and one as a .safetensors file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Column, Table

from trtnet.checkpoint import Checkpoint, Listed, Source, convert, open_checkpoint, save_wts
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.rules import RuleSet, read
from trtnet.support.errors import CheckpointError
from trtnet.support.files import check_suffix
from trtnet.support.text.counted import counted
from trtnet.support.text.printing import visible
from trtnet.support.text.status_line import StatusLine
from trtnet.tools.weights.distance import distance

if TYPE_CHECKING:
    from trtnet.nn import Module

MOST_ROWS = 1000


@dataclass(frozen=True)
class Row:
    """One tensor. dtype: as the file has it. bytes: of what is read, 0 where it cannot be read."""

    key: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    readable: bool = True


@dataclass(frozen=True)
class Difference:
    """One key of two checkpoints. only: the one that has it. a, b: what each has. The rest: of the values."""

    key: str
    only: str = ""
    a: str = ""
    b: str = ""
    equal: bool | None = None
    max_abs: float | int | None = None
    rel_l2: float | None = None

    @property
    def differs(self) -> bool:
        return bool(self.only) or self.a != self.b or self.equal is False


def find_rules(name: str, checkpoint: Checkpoint) -> RuleSet:
    """The rules of a family by name, those of a file, or with "auto" those of the family that the checkpoint is of.

    Raises CheckpointError if there are none.
    """
    from trtnet.weights import detect, families, rules

    if name.endswith(".toml"):
        return read(name)
    family = detect(checkpoint).family if name == "auto" else name
    if family is None:
        known = ", ".join(families())
        raise CheckpointError(f"{checkpoint.name} is of no family with rules: {known}")
    return rules(family)


def rows(source: Source, pattern: str = "") -> list[Row]:
    """Every tensor whose key the regular expression is found in; reads no data. Raises CheckpointError."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise CheckpointError(f"--filter {pattern!r} is not a regular expression: {error}") from error
    with open_checkpoint(source) as checkpoint:
        found = {key: checkpoint.listed(key) for key in checkpoint if wanted.search(key)}
    return [Row(key, one.shape, one.dtype, one.nbytes or 0, one.readable) for key, one in found.items()]


def quantization(source: Source) -> str:
    """The format of a checkpoint's quantized weights and their schemes, "" for floats; reads shapes.

    Weights that do not fit their scales are said so.
    """
    try:
        found = quantization_of(source)
    except CheckpointError as error:
        return f"not readable: {error}"
    return "" if found is None else str(found)


def table(found: list[Row], quantized: str = "") -> Table:
    """The tensors, to read."""
    elements = sum(int(np.prod(row.shape, dtype=np.int64)) for row in found)
    size = counted(sum(row.bytes for row in found), "byte")
    total = f"{counted(len(found), 'tensor')}, {counted(elements, 'element')}, {size}"
    total += f"\nquantized: {quantized}" if quantized else ""
    picture = Table(Column("key", overflow="fold"), "shape", "dtype", "bytes", caption=total)
    for row in found[:MOST_ROWS]:
        dtype, size = (row.dtype, f"{row.bytes:,}") if row.readable else (f"not readable: {row.dtype}", "-")
        picture.add_row(row.key, "x".join(map(str, row.shape)) or "scalar", dtype, size)
    if len(found) > MOST_ROWS:
        picture.add_row(f"... and {len(found) - MOST_ROWS:,} more", "", "", "")
    return picture


def to_json(found: list[Row], quantized: str = "") -> dict[str, Any]:
    """The tensors, for a program."""
    tensors = {"tensors": [asdict(row) for row in found], "bytes": sum(row.bytes for row in found)}
    return tensors | ({"quantization": quantized} if quantized else {})


def differences(a: Source, b: Source, values: bool = False) -> list[Difference]:
    """Every key of both, in order. values: compare those of equal shape, one tensor of each in memory at a time."""
    with open_checkpoint(a) as left, open_checkpoint(b) as right:
        return [_difference(key, left, right, values) for key in dict.fromkeys((*left, *right))]


def _difference(key: str, left: Checkpoint, right: Checkpoint, values: bool) -> Difference:
    if key not in right:
        return Difference(key, only="a", a=_listed(left.listed(key)))
    if key not in left:
        return Difference(key, only="b", b=_listed(right.listed(key)))
    a, b = left.listed(key), right.listed(key)
    if not values or a.shape != b.shape or not a.readable or not b.readable:
        return Difference(key, a=_listed(a), b=_listed(b))
    return Difference(key, "", _listed(a), _listed(b), *distance(left, right, key))


def _listed(one: Listed) -> str:
    return f"{list(one.shape)} {one.dtype}{'' if one.readable else ' (not readable)'}"


def differences_json(found: list[Difference]) -> list[dict[str, Any]]:
    """What differs, for a program; a number that is not finite is None, since JSON has none such."""
    rows = [asdict(row) for row in found if row.differs]
    return [{name: None if _is_lost(value) else value for name, value in row.items()} for row in rows]


def _is_lost(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def differences_table(found: list[Difference], values: bool = True) -> Table:
    """What differs, to read. values: whether values were compared."""
    unequal = [row for row in found if row.differs]
    picture = Table(Column("key", overflow="fold"), "first", "second", "largest difference", "relative L2")
    compared = "" if values else " in shape or dtype; --values compares the numbers"
    picture.caption = f"{len(unequal):,} of {len(found):,} keys differ{compared}"
    for row in unequal[:MOST_ROWS]:
        numbers = ["" if x is None else str(x) if isinstance(x, int) else f"{x:.3g}" for x in (row.max_abs, row.rel_l2)]
        picture.add_row(row.key, row.a or "-", row.b or "-", *numbers)
    return picture


def convert_file(
    source: Source, out: Path, dtype: str | None, model: Module | None, ignored: Sequence[str], bar: bool
) -> list[Row]:
    """Writes a checkpoint as .safetensors, in another dtype if told; a model that is given must fit it exactly.

    ignored: regular expressions of keys that the model may leave out; they are written all the same.
    Raises TrtnetError for another suffix, CheckpointError and WeightsError; `out` then stays as it was.
    """
    check_suffix(out, (".safetensors", ".wts"), "a checkpoint")
    if out.suffix == ".wts" and dtype is not None:
        raise CheckpointError(f"{out}: a .wts file has only float32, so it takes no dtype")
    with open_checkpoint(source) as checkpoint:
        if model is not None:
            _check(model, checkpoint, ignored)
        with StatusLine(bar, visible(out)) as told:

            def tell(done: int, total: int) -> None:
                told(f"{visible(out)} {done / (total or 1):.0%}")

            if out.suffix == ".wts":
                save_wts(out, checkpoint, tell)
            else:
                convert(checkpoint, out, dtype, tell)
    return rows(out)


def _check(model: Module, checkpoint: Checkpoint, ignored: Sequence[str]) -> None:
    from trtnet.definition import match_weights

    match_weights(model, checkpoint, ignored)
