"""Shapes: reshape and its relatives, transposition, joining and splitting.

Known sizes are Python ints and cost nothing; a shape layer is added only where TensorRT needs the value of a Dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Size, Tensor
from trtnet.graph.shapes import constant, shape_tensor
from trtnet.graph.sizes.bounds import never_zero
from trtnet.graph.sizes.dim import numel as count, smallest, static
from trtnet.graph.sizes.products import quotient
from trtnet.graph.tensors.storage import View, relate, share
from trtnet.graph.tensors.strides import Strides, known, permuted, reshaped
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import align, axis, network_of, tensor
from trtnet.ops.arguments.sizes import ints_of, sizes_of
from trtnet.ops.shapes.slicing import Cut, cut, movable, restored


def reshape(x: Tensor, shape: Sequence[Size]) -> Tensor:
    """`x` in another shape; one size may be -1. Sizes are ints or Dims. Layer: IShuffleLayer.

    Raises LayerError if the number of elements differs or -1 cannot be found.
    """
    y = shuffle(x, shape=shape)
    if y is x:
        return x
    strides = reshaped(x.shape, x.strides, y.shape)
    if strides is False:
        y.strides = True
        return y
    return relate(x, y) if strides is None else _viewed(x, y, strides)


def view(x: Tensor, shape: Sequence[Size]) -> Tensor:
    """`x` in another shape, as reshape, of the same memory: what is written to one is seen in the other."""
    y = shuffle(x, shape=shape)
    if y is x:
        return x
    return _viewed(x, y, reshaped(x.shape, x.strides, y.shape) or None)


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
    """``x.permute(before).reshape(shape).permute(after)`` in one IShuffleLayer; what is None is left out.

    The shape is computed at run time where more than one Dim of it is neither kept in place nor the only unknown.
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
    return restored(y, x)


def _order(x: Tensor, dims: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """A permutation of `rank` axes, counted from the front."""
    if dims is None:
        return tuple(range(rank))
    given = ints_of(x, dims, "permute")
    order = tuple(dim % rank if -rank <= dim < rank else rank for dim in given)
    if sorted(order) != list(range(rank)):
        x.network.fail(f"permute got dims={given}, its input has {rank} dimensions", {"x": x})
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
        x.network.fail(f"reshape to {_text(target)}: only one size can be -1", {"x": x})
    if any(isinstance(size, int) and size < -1 for size in target):
        x.network.fail(f"reshape to {_text(target)}: a size is 0 or more, or -1", {"x": x})
    part = tuple(size for size in target if size != -1)
    if wildcards and 0 in part:
        x.network.fail(f"reshape to {_text(target)}: -1 can be any size beside a 0; say it", {"x": x})
    rest = quotient(source, part)
    if rest is None or (not wildcards and isinstance(rest, int) and rest != 1):
        x.network.fail(f"reshape of {_text(source)} to {_text(target)}: the number of elements differs", {"x": x})
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


def _text(shape: Sequence[Size]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def numel(x: Tensor) -> Size:
    """The number of elements, a Dim if it is known only at run time."""
    return count(x.shape)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from start_dim to end_dim, inclusive, as one."""
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = axis(x, start_dim, "flatten"), axis(x, end_dim, "flatten")
    return reshape(x, (*x.shape[:start], count(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """The axes in another order. Layer: IShuffleLayer."""
    order = _order(x, dims, x.ndim)
    back = sorted(range(x.ndim), key=order.__getitem__)
    view = View(
        x,
        lambda base: permute(base, order),
        lambda _, value: shuffle(value, before=back),
        ("permute", order),
        whole=True,
    )
    return share(x, shuffle(x, before=order), view, permuted(x.shape, x.strides, order))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    order = list(range(x.ndim))
    a, b = axis(x, dim0, "transpose"), axis(x, dim1, "transpose")
    order[a], order[b] = b, a
    return permute(x, order)


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the axes of size 1 among `dim` (all of them for None). Layer: IShuffleLayer, or ISqueezeLayer.

    Raises LayerError for an axis whose size is known only at run time: torch drops it if it is 1 then, and a network's
    tensors keep their rank.
    """
    chosen = range(x.ndim) if dim is None else [axis(x, d, "squeeze") for d in ints_of(x, dim, "squeeze")]
    unknown = [a for a in chosen if isinstance(x.shape[a], Dim)]
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
    """With a new axis of size 1 before axis `dim`. Layer: IShuffleLayer, or IUnsqueezeLayer."""
    (dim,) = ints_of(x, [dim], "unsqueeze")
    if not -x.ndim - 1 <= dim <= x.ndim:
        x.network.fail(f"unsqueeze got dim={dim}, its input has {x.ndim} dimensions", {"x": x})
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


def expand(x: Operand, sizes: Sequence[Size]) -> Tensor:
    """Axes of size 1 repeated to `sizes`; -1 keeps an axis, new axes come in front.

    An axis whose size is known only when the engine runs must be 1 then, or the size it is expanded to.
    Layer: ISliceLayer, stride 0.
    """
    x = tensor(x, network_of(x))
    sizes = sizes_of(x, sizes, "expand")
    missing = len(sizes) - x.ndim
    if missing < 0:
        x.network.fail(f"expand to {_text(sizes)} has fewer dimensions than its input", {"x": x})
    lifted = x[(None,) * missing] if missing else x
    pairs = list(zip(lifted.shape, sizes, strict=True))
    target = tuple(old if new == -1 else new for old, new in pairs)
    if any(old not in (1, new) and isinstance(old, int) for old, new in zip(lifted.shape, target, strict=True)):
        x.network.fail(f"expand of {_text(x.shape)} to {_text(sizes)}: only axes of size 1 grow", {"x": x})
    if target == lifted.shape:
        return lifted
    grown = [a for a, (old, new) in enumerate(zip(lifted.shape, target, strict=True)) if old != new]
    y = cut(lifted, {a: Cut(0, target[a], _step(lifted.shape[a])) for a in grown}, name="expand")
    return share(lifted, y, _repeated(lifted, target), _of_repeated(lifted, grown))


def _repeated(x: Tensor, sizes: Shape) -> View:
    refused = "an expanded tensor, of which several elements are one in memory"
    return View(x, lambda base: expand(base, sizes), lambda _, value: value, ("expand", sizes), refused=refused)


def _of_repeated(x: Tensor, grown: Sequence[int]) -> Strides:
    numbers = known(x.shape, x.strides)
    return None if numbers is None else tuple(0 if a in grown else stride for a, stride in enumerate(numbers))


def _step(size: Size) -> Size:
    """How far an axis of a size goes from element to element when it is expanded: not at all if the size is 1."""
    return 0 if isinstance(size, int) else smallest(1, size - 1)


def cat(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """Tensors one after another along `dim`, in torch's common dtype. Layer: IConcatenationLayer."""
    parts = align("cat", *tensors)
    along = axis(parts[0], dim, "cat")
    total: Size = 0
    for part in parts:
        size = part.shape[along]
        total = size if total == 0 else total + size
    shape = (*parts[0].shape[:along], total, *parts[0].shape[along + 1 :])
    arguments = {"inputs": list(movable(*parts))}
    (y,) = parts[0].network.add("concatenation", arguments, attributes={"axis": along}, name="cat", dims=[shape])
    return restored(y, parts[0])


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors along a new axis."""
    return cat([unsqueeze(x, dim) for x in tensors], dim)
