"""Elements in other places: flips, rolls, repeats, triangles."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Size, Tensor, current
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import axis, network_of, tensor
from trtnet.ops.arguments.sizes import ints_of, sizes_of
from trtnet.ops.create import arange
from trtnet.ops.elementwise.comparison import ge, le, where
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.shape import flatten, reshape, transpose
from trtnet.ops.shapes.slicing import Cut, cut, movable, restored
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.text.counted import counted


def flip(x: Tensor, dims: int | Sequence[int], *more: int) -> Tensor:
    """The elements of the given axes in reverse order, ``flip(x, (1, 2))`` or ``flip(x, 1, 2)``.

    x: any shape and dtype. Returns the shape and dtype of `x`.
    Layer: ISliceLayer with stride -1.
    Raises LayerError for an axis out of range.
    """
    several = [*ints_of(x, dims, "flip"), *more]
    if x.ndim == 0:
        return x
    return cut(x, {axis(x, d, "flip"): _backwards(x, axis(x, d, "flip")) for d in several}, name="flip")


def _backwards(x: Tensor, along: int) -> Cut:
    size = x.shape[along]
    return Cut(0, 0) if size == 0 else Cut(size - 1, size, -1)


def fliplr(x: Tensor) -> Tensor:
    """The elements of the second axis in reverse order.

    x: [rows, columns, ...], of any dtype. Returns the shape and dtype of `x`.
    Layer: ISliceLayer with stride -1.
    Raises LayerError for fewer than two dimensions.
    """
    return flip(x, 1)


def flipud(x: Tensor) -> Tensor:
    """The elements of the first axis in reverse order.

    x: [rows, ...], of any dtype. Returns the shape and dtype of `x`.
    Layer: ISliceLayer with stride -1.
    Raises LayerError for an axis out of range.
    """
    return flip(x, 0)


def rot90(x: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The plane of two axes turned `k` times by 90 degrees, from the first axis toward the second.

    x: two dimensions or more, of any dtype. Returns the shape of `x`, with the two sizes exchanged for an odd `k`, in
    its dtype: [n, m] -> [m, n].
    Layer: none, decomposed into ISliceLayer (flips) and IShuffleLayer (a transposition).
    Raises LayerError for an axis out of range.
    """
    a, b = (axis(x, d, "rot90") for d in dims)
    turned = {0: x, 1: transpose(flip(x, b), a, b), 2: flip(x, (a, b)), 3: flip(transpose(x, a, b), b)}
    return turned[k % 4]


def roll(x: Tensor, shifts: Size | Sequence[Size], dims: int | Sequence[int] | None = None) -> Tensor:
    """Each axis shifted, with the elements that leave one end entering at the other.

    x: any shape and dtype. shifts: ints or Dims, one for each of `dims`; without dims, one shift of all elements as one
    row. Returns the shape and dtype of `x`.
    Layer: ISliceLayer in the mode WRAP. There are other forms: ``trtnet.ops.forms.shapes.roll``.
    Raises LayerError for a different number of shifts and dims, and for an axis out of range.
    """
    by = sizes_of(x, shifts, "roll")
    if dims is None:
        if len(by) != 1:
            x.network.fail(f"roll without dims takes one shift, found {len(by)}", {"x": x})
        return reshape(roll(flatten(x), by, 0), x.shape)
    along = ints_of(x, dims, "roll")
    if len(by) != len(along):
        x.network.fail(f"roll got {counted(len(by), 'shift')} for {counted(len(along), 'dim')}", {"x": x})
    total: dict[int, Size] = {}
    for shift, d in zip(by, along, strict=True):
        a = axis(x, d, "roll")
        total[a] = shift if a not in total else total[a] + shift
    shifted = {a: shift for a, shift in total.items() if shift != 0 and x.shape[a] != 0}
    return _rolled(x, shifted) if shifted else x


@formulated("roll", "wrap", facts=batch_facts)
def _rolled(x: Tensor, shifts: Mapping[int, Size]) -> Tensor:
    """By axis, its shift."""
    cuts = {a: Cut(_start(x.shape[a], shift), x.shape[a]) for a, shift in shifts.items()}
    return cut(x, cuts, "WRAP", name="roll")


def _start(size: Size, shift: Size) -> Size:
    """Where a rolled axis begins: ``-shift`` counted from the front, where negative numbers wrap as well."""
    return -shift % size if isinstance(size, int) and isinstance(shift, int) and size else 0 - shift


def repeat(x: Tensor, sizes: Size | Sequence[Size], *more: Size) -> Tensor:
    """`x` repeated `sizes` times along each axis; more sizes than axes add axes in front.

    x: any shape and dtype. sizes: ints or Dims, in a sequence or one by one. Returns [n * size, ...], in the dtype of
    `x`.
    Layer: ISliceLayer in the mode WRAP.
    Raises LayerError for fewer sizes than axes, and for a negative size.
    """
    counts = (*sizes_of(x, sizes, "repeat"), *sizes_of(x, more, "repeat"))
    missing = len(counts) - x.ndim
    if missing < 0 or any(isinstance(n, int) and n < 0 for n in counts):
        x.network.fail(f"repeat got {list(map(str, counts))} for {counted(x.ndim, 'dimension')}", {"x": x})
    lifted = x[(None,) * missing] if missing else x
    times = {a: n for a, n in enumerate(counts) if n != 1}
    return cut(lifted, {a: Cut(0, lifted.shape[a] * n) for a, n in times.items()}, "WRAP", name="repeat")


def tile(x: Tensor, dims: Size | Sequence[Size], *more: Size) -> Tensor:
    """`x` repeated `dims` times along its last axes; more numbers than axes add axes in front.

    x: any shape and dtype. dims: ints or Dims, in a sequence or one by one. Returns [n * size, ...], in the dtype of
    `x`.
    Layer: ISliceLayer in the mode WRAP.
    Raises LayerError for a negative number.
    """
    counts = (*sizes_of(x, dims, "tile"), *sizes_of(x, more, "tile"))
    return repeat(x, (*(1,) * (x.ndim - len(counts)), *counts))


def repeat_interleave(
    x: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Size | None = None
) -> Tensor:
    """Each element along `dim`, or of the flattened `x`, repeated in place.

    x: any shape and dtype. repeats: a number, or a list or array of one int for each element; or an integer tensor,
    with output_size as their sum, which is not checked. ``repeat_interleave(repeats)`` gives the positions 0, 1, ...,
    each repeated as `repeats` says. Returns [..., sum of repeats, ...], in the dtype of `x`.
    Layer: ISliceLayer and IShuffleLayer for a number, IGatherLayer for several.
    Raises LayerError for a tensor without output_size, and for another number of repeats than the axis has elements.
    """
    if repeats is None:
        network = network_of(x)
        places = arange(x.shape[0] if isinstance(x, Tensor) else len(x), network=network)
        return repeat_interleave(places, x, 0, output_size=output_size)
    if dim is None:
        return repeat_interleave(flatten(x), repeats, 0, output_size=output_size)
    along = axis(x, dim, "repeat_interleave")
    known = repeats if isinstance(repeats, Tensor | Dim) else np.asarray(repeats)
    if isinstance(known, Tensor):
        return _repeated(x, known, along, output_size)
    if isinstance(known, Dim) or known.size == 1:
        (count,) = sizes_of(x, known if isinstance(known, Dim) else known.reshape(-1).tolist(), "repeat_interleave")
        sizes = (*x.shape[: along + 1], count, *x.shape[along + 1 :])
        return x.unsqueeze(along + 1).expand(sizes).flatten(along, along + 1)
    if known.dtype.kind not in "iu" or known.shape != (x.shape[along],) or (known < 0).any():
        text = f"repeat_interleave takes {counted(x.shape[along], 'repeat')} along dim={dim}, found {known.tolist()}"
        x.network.fail(text, {"x": x})
    return take(x, constant(x.network, np.repeat(np.arange(known.size, dtype=np.int64), known)), along)


def _repeated(x: Tensor, repeats: Tensor, along: int, output_size: Size | None) -> Tensor:
    """Element i stands at the places below the sum of the first i + 1 repeats, and not below that of the first i."""
    if output_size is None:
        text = "repeat_interleave by a tensor has as many results as its values say; give output_size=, their sum"
        x.network.fail(text, {"x": x, "repeats": repeats})
    ends = expand(repeats, (x.shape[along],)).long().cumsum(0)
    passed = le(ends.unsqueeze(0), arange(output_size, network=x.network).unsqueeze(1))
    return take(x, passed.long().sum(1), along)


def tril(x: Tensor, diagonal: Size = 0) -> Tensor:
    """The last two axes with 0 above the diagonal.

    x: [..., rows, columns], of any dtype. diagonal: an int or a Dim, counted upward from the main diagonal. Returns the
    shape and dtype of `x`.
    Layer: ISelectLayer by a mask.
    Raises LayerError for fewer than two dimensions.
    """
    return _within(x, _triangle(x, diagonal, operator.le, le))


def triu(x: Tensor, diagonal: Size = 0) -> Tensor:
    """The last two axes with 0 below the diagonal.

    x: [..., rows, columns], of any dtype. diagonal: an int or a Dim, counted upward from the main diagonal. Returns the
    shape and dtype of `x`.
    Layer: ISelectLayer by a mask.
    Raises LayerError for fewer than two dimensions.
    """
    return _within(x, _triangle(x, diagonal, operator.ge, ge))


def _within(x: Tensor, triangle: Tensor) -> Tensor:
    (kept,) = movable(x)
    return restored(where(triangle, kept, tensor(0, x.network, kept.dtype, x.ndim)), x)


def _triangle(x: Tensor, diagonal: Size, known: Callable[..., Any], unknown: Callable[..., Tensor]) -> Tensor:
    """[rows, columns] bool: how each column number compares with the row number plus `diagonal`."""
    if x.ndim < 2:
        x.network.fail(f"a triangle needs two dimensions, found {x.ndim}", {"x": x})
    (above,) = sizes_of(x, diagonal, "a triangle")
    rows, columns = x.shape[-2:]
    if is_static((rows, columns, above)):
        return constant(x.network, known(np.arange(int(columns))[None], np.arange(int(rows))[:, None] + above))
    first, second = (arange(n, network=x.network) for n in (rows, columns))
    return unknown(second.unsqueeze(0), first.unsqueeze(1) + above)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike = "int64") -> Tensor:
    """The row and column numbers of the lower triangle of a matrix, row by row.

    row, col, offset: ints. Returns [2, count], int64 or `dtype`.
    Layer: IConstantLayer.
    Raises DTypeError for an unknown dtype.
    """
    return constant(current(), np.stack(np.tril_indices(row, offset, col)).astype(dtypes.get(dtype).numpy))


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike = "int64") -> Tensor:
    """The row and column numbers of the upper triangle of a matrix, row by row.

    row, col, offset: ints. Returns [2, count], int64 or `dtype`.
    Layer: IConstantLayer.
    Raises DTypeError for an unknown dtype.
    """
    return constant(current(), np.stack(np.triu_indices(row, offset, col)).astype(dtypes.get(dtype).numpy))


def one_hot(x: Tensor, num_classes: int) -> Tensor:
    """1 at the index and 0 elsewhere along a new last axis.

    x: any shape, int32 or int64; an index out of range is not checked. num_classes: an int. Returns [..., num_classes],
    int64.
    Layer: IOneHotLayer.
    Raises LayerError for a floating `x`.
    """
    network = x.network
    arguments = {"indices": x, "values": constant(network, np.array([0, 1], np.int64)), "axis": -1}
    arguments |= {"depth": constant(network, np.array(num_classes, np.int32))}
    (y,) = network.add("one_hot", arguments, dims=[(*x.shape, num_classes)])
    return y
