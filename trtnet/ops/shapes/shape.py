"""Shapes: reshape and its relatives, transposition, joining and splitting.

Known sizes are Python ints and cost nothing; a shape layer is added only where TensorRT needs the value of a Dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Size, Tensor
from trtnet.graph.memory.storage import View, relate, share
from trtnet.graph.memory.strides import Strides, permuted, reshaped
from trtnet.graph.shapes import constant, shape_tensor
from trtnet.graph.sizes.bounds import never_zero
from trtnet.graph.sizes.comparisons import decided
from trtnet.graph.sizes.dim import numel as count, static
from trtnet.graph.sizes.products import quotient
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import ints_of, sizes_of
from trtnet.ops.shapes import turned
from trtnet.ops.shapes.moves import Move
from trtnet.ops.shapes.regrouping import regrouped
from trtnet.ops.shapes.slicing import movable, restored
from trtnet.support.text.counted import counted


def reshape(x: Tensor, shape: Sequence[Size]) -> Tensor:
    """`x` in another shape, with the same elements in the same order; a view where torch's is one.

    x: any shape and dtype. shape: ints or Dims; one may be -1. Returns `shape`, in the dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError if the number of elements differs, or -1 cannot be determined.
    """
    y = _reshaped(x, shape)
    if y is x:
        return x
    strides = reshaped(x.shape, x.strides, y.shape)
    if strides is False:
        y.strides = True
        return y
    return relate(x, y) if strides is None else _viewed(x, y, strides)


def view(x: Tensor, shape: Sequence[Size]) -> Tensor:
    """`x` in another shape, as reshape, and always in the same memory: a write to one is seen in the other.

    x: any shape and dtype. shape: ints or Dims; one may be -1. Returns `shape`, in the dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError if the number of elements differs, or -1 cannot be determined.
    """
    y = _reshaped(x, shape)
    if y is x:
        return x
    return _viewed(x, y, reshaped(x.shape, x.strides, y.shape) or None)


def _reshaped(x: Tensor, shape: Sequence[Size]) -> Tensor:
    y = shuffle(x, shape=shape)
    return y if y is x else regrouped(x, y)


def _viewed(x: Tensor, y: Tensor, strides: Strides) -> Tensor:
    """`y`, which is `x` in another shape, as a view of it."""
    shape = y.shape
    again = View(
        x,
        lambda base: view(base, shape),
        lambda base, value: shuffle(value, shape=base.shape),
        ("shape", shape),
        whole=True,
    )
    return share(x, y, again, strides)


def shuffle(
    x: Tensor,
    before: Sequence[int] | None = None,
    shape: Sequence[Size] | None = None,
    after: Sequence[int] | None = None,
) -> Tensor:
    """``x.permute(before).reshape(shape).permute(after)`` in one layer; what is None is left out.

    x: any shape and dtype. before, after: permutations of axes. shape: ints or Dims; one may be -1. It is computed at
    run time where more than one of its Dims is neither kept in place nor the only unknown. Returns the new shape, in
    the dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError if the number of elements differs, and for something that is not a permutation.
    """
    order = _order(x, before, x.ndim)
    source = tuple(x.shape[a] for a in order)
    target = source if shape is None else _resolve(x, source, shape)
    last = _order(x, after, len(target))
    result = tuple(target[a] for a in last)
    identity = tuple(range(x.ndim)) == order and tuple(range(len(target))) == last
    if identity and target == x.shape:
        return x
    attributes: dict[str, Any] = {"first_transpose": order, "second_transpose": last}
    inputs: dict[int, Tensor] = {}
    template = _template(source, target)
    if template is None:
        inputs, attributes["zero_is_placeholder"] = {1: shape_tensor(x.network, target)}, False
    elif target != source:
        attributes["reshape_dims"] = template
        if 0 in target:
            attributes["zero_is_placeholder"] = False
    name = "permute" if shape is None else "reshape"
    (moved,) = movable(x)
    (y,) = x.network.add("shuffle", {"input": moved}, attributes=attributes, inputs=inputs, name=name, dims=[result])
    if moved is x:
        x.network.moves[y.trt] = Move(x.fresh(), order, None if shape is None else target, last)
    return restored(y, x)


def _order(x: Tensor, dims: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """A permutation of `rank` axes, counted from the front."""
    if dims is None:
        return tuple(range(rank))
    given = ints_of(x, dims, "permute")
    order = tuple(dim % rank if -rank <= dim < rank else rank for dim in given)
    if sorted(order) != list(range(rank)):
        x.network.fail(f"permute got dims={given}, its input has {counted(rank, 'dimension')}", {"x": x})
    return order


def _resolve(x: Tensor, source: Shape, given: Sequence[Size]) -> Shape:
    """The target with -1 replaced by what is left of the elements of `source`.

    Sizes that both have in common cancel; what is then not a whole number is computed at run time.
    """
    target = sizes_of(x, given, "reshape")
    if target == source:
        return target
    wildcards = [i for i, size in enumerate(target) if size == -1]
    if len(wildcards) > 1:
        x.network.fail(f"reshape to {text_of(target)}: only one size can be -1", {"x": x})
    if any(isinstance(size, int) and size < -1 for size in target):
        x.network.fail(f"reshape to {text_of(target)}: a size is 0 or more, or -1", {"x": x})
    part = tuple(size for size in target if size != -1)
    if wildcards and 0 in part:
        x.network.fail(f"reshape to {text_of(target)}: -1 can be any size beside a 0; give the size", {"x": x})
    rest = quotient(source, part)
    if rest is None or (not wildcards and isinstance(rest, int) and rest != 1):
        text = f"reshape of {text_of(source)} to {text_of(target)}: the number of elements differs"
        own = "; x is one rank's part of a tensor: a number of heads in the shape is written as -1"
        x.network.fail(text + own if x.network.division.has(x) else text, {"x": x})
    return tuple(rest if size == -1 else size for size in target)


def _template(source: Shape, target: Shape) -> tuple[int, ...] | None:
    """TensorRT's reshape_dims (0 keeps the axis, -1 is the rest), None if the shape must be computed.

    So it must where an axis that is kept may be empty: what is the rest of nothing is not known.
    """
    known = static(target)
    if known is not None:
        return known
    template = [
        0 if isinstance(size, Dim) and i < len(source) and size == source[i] else size for i, size in enumerate(target)
    ]
    unknown = [i for i, size in enumerate(template) if isinstance(size, Dim)]
    kept = [size for i, size in enumerate(target) if isinstance(size, Dim) and i not in unknown]
    if len(unknown) > 1 or 0 in source or 0 in target or (unknown and not all(map(never_zero, kept))):
        return None
    return tuple(-1 if i in unknown else int(size) for i, size in enumerate(template))


def text_of(shape: Sequence[Size]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def numel(x: Tensor) -> Size:
    """The number of elements of a tensor.

    x: any shape and dtype. Returns an int, or a Dim if it is known only at run time.
    Layer: none; the value of a Dim is computed where it is used.
    Raises ModelError for something that is not a tensor.
    """
    return count(x.shape)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from start_dim to end_dim, inclusive, as one axis; a view of `x`.

    x: any shape and dtype. Returns [..., product of the sizes, ...], in the dtype of `x`; [1] for no dimensions.
    Layer: IShuffleLayer.
    Raises LayerError for an axis out of range.
    """
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = axis(x, start_dim, "flatten"), axis(x, end_dim, "flatten")
    return reshape(x, (*x.shape[:start], count(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def ravel(x: Tensor) -> Tensor:
    """All elements as one axis; a view of `x`.

    x: any shape and dtype. Returns [product of the sizes], in the dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError for a tensor of another network.
    """
    return flatten(x)


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """The axes in another order; a view of `x`.

    x: any shape and dtype. dims: a permutation of the axes. Returns the permuted shape, in the dtype of `x`: permute(x,
    (2, 0, 1)) of [n, h, w] is [w, n, h].
    Layer: IShuffleLayer.
    Raises LayerError for dims that are not a permutation of the axes.
    """
    order = _order(x, dims, x.ndim)
    back = sorted(range(x.ndim), key=order.__getitem__)
    view = View(
        x,
        lambda base: permute(base, order),
        lambda _, value: shuffle(value, before=back),
        ("permute", order),
        whole=True,
    )
    composed = turned.permuted(x, order)
    y = shuffle(x, before=order) if composed is None else composed
    return share(x, y, view, permuted(x.shape, x.strides, order))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged; a view of `x`.

    x: any shape and dtype. Returns the shape of `x` with two sizes exchanged, in its dtype: [..., n, m] -> [..., m, n]
    for the last two.
    Layer: IShuffleLayer.
    Raises LayerError for an axis out of range.
    """
    order = list(range(x.ndim))
    a, b = axis(x, dim0, "transpose"), axis(x, dim1, "transpose")
    order[a], order[b] = b, a
    return permute(x, order)


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """`x` without the axes of size 1 among `dim`, without all of them for None; a view of `x`.

    x: any shape and dtype. dim: an int or several. Returns [n, m] for [n, 1, m], in the dtype of `x`.
    Layer: IShuffleLayer, or ISqueezeLayer where a size cannot be named.
    Raises LayerError for an axis whose size is known only at run time, if it may be 1: torch would drop it then, but a
    network's tensors keep their rank. A named batch of a PyTorch module is taken to be more than 1.
    """
    chosen = range(x.ndim) if dim is None else [axis(x, d, "squeeze") for d in ints_of(x, dim, "squeeze")]
    unknown = [a for a in chosen if isinstance(x.shape[a], Dim) and decided("==", x.shape[a], 1) is None]
    if unknown:
        ones = tuple(a for a, size in enumerate(x.shape) if size == 1)
        text = f"squeeze of axis {unknown[0]}, whose size {x.shape[unknown[0]]} is known only when the engine runs:"
        instead = f"name the axes that are 1, squeeze({ones})" if ones else "leave the axis"
        x.network.fail(f"{text} {instead}, or take one element of it by select", {"x": x})
    gone = {a for a in chosen if x.shape[a] == 1}
    if not gone:
        return x
    shape = tuple(size for a, size in enumerate(x.shape) if a not in gone)
    return _move_ones(x, "squeeze", sorted(gone), shape)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """`x` with a new axis of size 1 before axis `dim`; a view of `x`.

    x: any shape and dtype. Returns [..., 1, ...], in the dtype of `x`.
    Layer: IShuffleLayer, or IUnsqueezeLayer where a size cannot be named.
    Raises LayerError for an axis out of range.
    """
    (dim,) = ints_of(x, [dim], "unsqueeze")
    if not -x.ndim - 1 <= dim <= x.ndim:
        x.network.fail(f"unsqueeze got dim={dim}, its input has {counted(x.ndim, 'dimension')}", {"x": x})
    at = dim % (x.ndim + 1)
    return _move_ones(x, "unsqueeze", [at], (*x.shape[:at], 1, *x.shape[at:]))


def _move_ones(x: Tensor, method: str, axes: Sequence[int], shape: Shape) -> Tensor:
    if _template(x.shape, shape) is not None:
        return view(x, shape)
    arguments = {"input": x, "axes": constant(x.network, np.array(axes, np.int64))}
    (y,) = x.network.add(method, arguments, dims=[shape])
    again = View(
        x,
        lambda base: _move_ones(base, method, axes, shape),
        lambda base, value: shuffle(value, shape=base.shape),
        (method, *axes),
        whole=True,
    )
    return share(x, y, again, x.strides if x.strides is True else None)
