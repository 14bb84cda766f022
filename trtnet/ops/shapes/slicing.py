"""Slices: the one layer behind indexing, expansion, padding, flips, rolls and repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trtnet.graph import Shape, Size, Tensor
from trtnet.graph.shapes import shape_tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import as_bytes
from trtnet.ops.shapes.moves import Part
from trtnet.support import dtypes
from trtnet.support.backend import supports, trt


@dataclass(frozen=True)
class Cut:
    """What a slice takes of one axis: `size` elements from `start`, every `step`-th; 0 repeats one, -1 goes back."""

    start: Size
    size: Size
    step: Size = 1


def cut(
    x: Tensor, cuts: Mapping[int, Cut], mode: str = "STRICT_BOUNDS", fill: Tensor | None = None, name: str = "slice"
) -> Tensor:
    """`x` with some of its axes cut, in one layer. Layer: ISliceLayer.

    mode: of TensorRT's ``SampleMode``, what stands outside of an axis. fill: the 0-D value of mode FILL.
    """
    if not cuts:
        return x
    result = tuple(cuts[a].size if a in cuts else size for a, size in enumerate(x.shape))
    axes = tuple(sorted(cuts)) if supports("slice_axes") else tuple(range(x.ndim))
    chosen = [cuts.get(a, Cut(0, x.shape[a])) for a in axes]
    start: Shape = tuple(c.start for c in chosen)
    size: Shape = tuple(c.size for c in chosen)
    step: Shape = tuple(c.step for c in chosen)
    inputs = {i: shape_tensor(x.network, s) for i, s in ((1, start), (2, size), (3, step)) if not is_static(s)}
    if fill is not None:
        (inputs[4],) = movable(fill)
    arguments = {"start": _ints(start), "shape": _ints(size), "stride": _ints(step)}
    attributes = {"axes": axes} if len(axes) < x.ndim else {}
    if mode != "STRICT_BOUNDS":
        attributes["mode"] = getattr(trt.SampleMode, mode)
    (moved,) = movable(x)
    (y,) = x.network.add(
        "slice", {"input": moved, **arguments}, attributes=attributes, inputs=inputs, name=name, dims=[result]
    )
    if moved is x and mode == "STRICT_BOUNDS":
        x.network.moves[y.trt] = Part(x.fresh(), dict(cuts))
    return restored(y, x)


def movable(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors as TensorRT moves their elements: it has uint8 for inputs and outputs only, so uint8 becomes int32."""
    return tuple(x.to(dtypes.int32) if x.dtype == dtypes.uint8 else x for x in tensors)


def restored(y: Tensor, x: Tensor) -> Tensor:
    """What was made of a movable `x`, in its dtype."""
    return as_bytes(y) if y.dtype != x.dtype else y


def _ints(shape: Shape) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 0 for size in shape)
