"""Parts of tensors as views of them: what is written to a part is written to the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from trtnet.graph import Shape, Size, Tensor
from trtnet.graph.memory.storage import View, share
from trtnet.graph.memory.strides import Strides, known
from trtnet.graph.shapes import constant, size_tensor
from trtnet.graph.sizes.dim import is_static, numel
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.shape import reshape
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt


def part(x: Tensor, cuts: Mapping[int, Cut], name: str = "slice") -> Tensor:
    """`x` with some of its axes cut, a view of it. Layer: ISliceLayer."""
    return share(x, cut(x, cuts, name=name), cut_view(x, cuts), _strides(x, cuts)) if cuts else x


def cut_view(x: Tensor, cuts: Mapping[int, Cut]) -> View[Tensor]:
    """How a tensor with some of its axes cut is a view of the one before."""
    chosen = dict(cuts)
    key = ("part", *sorted(chosen.items(), key=lambda item: item[0]))
    return View(x, lambda base: part(base, chosen), lambda base, value: put(base, chosen, value), key)


def put(x: Tensor, cuts: Mapping[int, Cut], value: Tensor) -> Tensor:
    """`x` with `value` where the cuts are.

    Layers: IConcatenationLayer of `value` and what is around it, an axis after the other; for steps over 1
    IScatterLayer.
    """
    (along, taken), *rest = sorted(cuts.items())
    if rest:
        value = put(cut(x, {along: taken}), dict(rest), value)
    if taken.step != 1:
        return scattered(x, along, _places(x, taken), value)
    end = taken.start + taken.size
    after = x.shape[along] - end
    front = [cut(x, {along: Cut(0, taken.start)})] if taken.start != 0 else []
    back = [cut(x, {along: Cut(end, after)})] if after != 0 else []
    return _joined([*front, value, *back], along, x.shape) if front or back else value


def _joined(parts: list[Tensor], along: int, shape: Shape) -> Tensor:
    joined = cat(parts, along)
    joined.shape = shape  # the sizes of the parts add up to it
    return joined


def _places(x: Tensor, taken: Cut) -> Tensor:
    """The places of a cut's elements along its axis: int64 [size]."""
    if is_static((taken.start, taken.size, taken.step)):
        first, size, step = int(taken.start), int(taken.size), int(taken.step)
        return constant(x.network, first + step * np.arange(size, dtype=np.int64))
    inputs = {
        0: size_tensor(x.network, taken.size),
        1: size_tensor(x.network, taken.start).reshape(()),
        2: size_tensor(x.network, taken.step),
    }
    arguments = {"shape": (1,), "op": trt.FillOperation.LINSPACE, "output_type": trt.DataType.INT64}
    (y,) = x.network.add("fill", arguments, inputs=inputs, name="arange", dims=[(taken.size,)])
    return y


def scattered(x: Tensor, along: int, places: Tensor, value: Tensor) -> Tensor:
    """`x` with the elements of `value` at `places`, a vector, along an axis. Layer: IScatterLayer ELEMENT."""
    apart = reshape(places, (*(1,) * along, places.shape[0], *(1,) * (x.ndim - along - 1)))
    return _scatter(x, "ELEMENT", expand(apart, value.shape), value, along)


def scattered_nd(x: Tensor, places: Tensor, value: Tensor) -> Tensor:
    """`x` with `value` [..., rest] at the `places` [..., k] of its first k axes. Layer: IScatterLayer ND."""
    return _scatter(x, "ND", places, value, None)


def _scatter(x: Tensor, mode: str, places: Tensor, value: Tensor, along: int | None) -> Tensor:
    """Layer: IScatterLayer, which takes no bool: that is scattered as int32."""
    if x.dtype.name in ("bool", "uint8"):
        wide = [_cast(y, trt.DataType.INT32) for y in (x, value)]
        return _cast(_scatter(wide[0], mode, places, wide[1], along), x.dtype.trt)
    arguments = {"data": x, "indices": places, "updates": value, "mode": getattr(trt.ScatterMode, mode)}
    attributes = {} if along is None else {"axis": along}
    (y,) = x.network.add("scatter", arguments, attributes=attributes, name="put", dims=[x.shape])
    return y


def _cast(x: Tensor, to_type: trt.DataType) -> Tensor:
    (y,) = x.network.add("cast", {"input": x, "to_type": to_type}, dims=[x.shape])
    return y


def elements(x: Tensor, y: Tensor, read: Callable[[Tensor], Tensor], refused: str = "") -> Tensor:
    """`y`, some of the elements of `x` in another order, which `read` takes out of it, as a view of it."""
    sizes = x.shape

    def write(base: Tensor, value: Tensor) -> Tensor:
        numbers = _places(base, Cut(0, numel(sizes)))
        places = reshape(read(reshape(numbers, sizes)), (-1,))
        flat = scattered(reshape(base, (-1,)), 0, places, reshape(value, (-1,)))
        return reshape(flat, sizes)

    return share(x, y, View(x, read, write, object(), refused=refused), None)


def _strides(x: Tensor, cuts: Mapping[int, Cut]) -> Strides:
    numbers = known(x.shape, x.strides)
    if numbers is None:
        return None
    steps: list[Size] = [cuts[a].step if a in cuts else 1 for a in range(x.ndim)]
    return tuple(int(step) * stride for step, stride in zip(steps, numbers, strict=True))
