"""Padding, with the arguments of torch.nn.functional.pad."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.bounds import never_negative
from trtnet.graph.sizes.dim import Dim, smallest
from trtnet.graph.sizes.requirements import require
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.sizes import sizes_of
from trtnet.ops.shapes.shape import flatten, reshape
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support import backend

MODES = {"constant": "FILL", "reflect": "REFLECT", "replicate": "CLAMP", "circular": "WRAP"}
Sides = dict[int, tuple[Size, Size]]


def pad(x: Tensor, pad: Sequence[Size], mode: str = "constant", value: float | None = None) -> Tensor:
    """`x` with elements added at the ends of its last axes, or removed where a number is negative.

    x: any shape and dtype. pad: (before, after) of the last axis, then of the one before it, and so on; ints or Dims.
    mode: "constant" (`value`, 0 by default), "reflect", "replicate" or "circular". Returns the grown shape, in the
    dtype of `x`.
    Layer: ISliceLayer in the mode FILL, REFLECT, CLAMP or WRAP; two of them for "circular" with negative numbers.
    Raises LayerError for another mode, for an odd number of sizes, and for more to reflect, wrap or remove than the
    axis has; of a size that is known only when the engine runs, `build` and `reference` refuse it.
    """
    if mode not in MODES:
        x.network.fail(f"pad: mode is {', '.join(MODES)}, found {mode!r}", {"x": x})
    amounts = sizes_of(x, pad, "pad")
    if len(amounts) % 2 or len(amounts) > 2 * x.ndim:
        x.network.fail(f"pad takes a pair for each of the last axes, found {list(map(str, amounts))}", {"x": x})
    sides: Sides = {x.ndim - 1 - i // 2: (amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)}
    for along, (before, after) in sides.items():
        _check_room(x, along, before, after, mode)
    fill = tensor(0 if value is None else value, x.network, x.dtype) if mode == "constant" else None
    if mode == "circular":
        x, sides = _cropped(x, sides)
    inner = {along: both for along, both in sides.items() if along > 1}
    if mode == "constant" and _is_computed_wrong(x, inner):
        x, sides = _apart(x, inner, fill), {along: both for along, both in sides.items() if along < 2}
    return cut(x, _cuts(x, sides), MODES[mode], fill, name="pad")


def _is_computed_wrong(x: Tensor, sides: Sides) -> bool:
    """Whether TensorRT would compute it in the kernel of a convolution, and wrong.

    TensorRT-RTX 1.6.1 on an H200 does where an axis grows behind the convolution's result alone, (0, 1), as images do
    for "same" padding of even windows: in engines of fixed shapes, in every dtype, whatever reads the result (relative
    error 0.7 to 1.4; of as many elements on both sides it is right), and behind ``ops.cat`` of such a result (0.7,
    0.8). tests/gpu/test_gpu_pads.py.
    """
    is_uneven = any(before != after for before, after in sides.values())
    return is_uneven and backend.name() == "tensorrt_rtx" and x.network.convolved.holds(x.trt)


def _apart(x: Tensor, sides: Sides, fill: Tensor | None) -> Tensor:
    """The padded axes behind the first two, of the images of all channels in a row: no kernel of a convolution."""
    rows = {along - 1: both for along, both in sides.items()}
    images = flatten(x, 0, 1)
    grown = cut(images, _cuts(images, rows), MODES["constant"], fill, name="pad")
    return reshape(grown, (*x.shape[:2], *grown.shape[1:]))


def _cuts(x: Tensor, sides: Sides) -> dict[int, Cut]:
    return {
        a: Cut(0 - left, x.shape[a] + left + right) for a, (left, right) in sides.items() if left != 0 or right != 0
    }


def _cropped(x: Tensor, sides: Sides) -> tuple[Tensor, Sides]:
    """(`x` without what negative sides take away, the other sides): torch wraps what is left."""
    crops = {a: (_negative(left), _negative(right)) for a, (left, right) in sides.items()}
    rest = {a: (left - crops[a][0], right - crops[a][1]) for a, (left, right) in sides.items()}
    return cut(x, _cuts(x, crops), name="pad"), rest


def _negative(side: Size) -> Size:
    return 0 if never_negative(side) else smallest(side, 0)


def _check_room(x: Tensor, along: int, before: Size, after: Size, mode: str) -> None:
    """What torch refuses: reflecting or wrapping more than there is, or cropping more."""
    size, known = x.shape[along], [side for side in (before, after) if isinstance(side, int)]
    for side in (before, after):
        _require_room(x, size, side, mode)
    if not isinstance(size, int) or not known:
        return
    most = {"reflect": size - 1, "circular": size}.get(mode)
    if most is not None and max(known) > most:
        x.network.fail(f"pad: {mode} padding of {(before, after)} for an axis of size {size}", {"x": x})
    if mode == "replicate" and size == 0 and max(known) > 0:
        x.network.fail("pad: nothing to replicate in an axis of size 0", {"x": x})
    if sum(side for side in known if side < 0) < -size:
        x.network.fail(f"pad: {(before, after)} takes more than an axis of size {size} has", {"x": x})


def _require_room(x: Tensor, size: Size, side: Size, mode: str) -> None:
    """The same of sizes that are known only when the engine runs."""
    room = size - side
    if not isinstance(room, Dim) or (isinstance(side, int) and side <= 0):
        return
    if mode == "reflect":
        require(x.network, room, lambda rooms: rooms > 0, f"reflect padding of {side} needs more than that in {size}")
    elif mode == "circular":
        require(x.network, room, lambda rooms: rooms >= 0, f"circular padding of {side} needs as much in {size}")
