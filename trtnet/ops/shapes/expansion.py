"""Axes of size 1 repeated."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Shape, Size, Tensor
from trtnet.graph.memory.storage import View, share
from trtnet.graph.memory.strides import Strides, known
from trtnet.graph.sizes.dim import smallest
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.ops.arguments.sizes import sizes_of
from trtnet.ops.shapes.first_parts import gathered
from trtnet.ops.shapes.shape import text_of
from trtnet.ops.shapes.slicing import Cut, cut


def expand(x: Operand, sizes: Sequence[Size]) -> Tensor:
    """Axes of size 1 repeated to `sizes`; new axes come in front. A view of `x`.

    x: any shape and dtype, a tensor, array or number. sizes: ints or Dims; -1 keeps an axis. An axis whose size is
    known only at run time must then be 1, or the size it is expanded to. Returns `sizes`, in the dtype of `x`.
    Layer: ISliceLayer with stride 0.
    Raises LayerError for fewer sizes than axes, and for an axis of another size than 1 that would grow.
    """
    x = tensor(x, network_of(x))
    sizes = sizes_of(x, sizes, "expand")
    missing = len(sizes) - x.ndim
    if missing < 0:
        x.network.fail(f"expand to {text_of(sizes)} has fewer dimensions than its input", {"x": x})
    lifted = x[(None,) * missing] if missing else x
    pairs = list(zip(lifted.shape, sizes, strict=True))
    target = tuple(old if new == -1 else new for old, new in pairs)
    if any(old not in (1, new) and isinstance(old, int) for old, new in zip(lifted.shape, target, strict=True)):
        x.network.fail(f"expand of {text_of(x.shape)} to {text_of(sizes)}: only axes of size 1 grow", {"x": x})
    if target == lifted.shape:
        return lifted
    grown = [a for a, (old, new) in enumerate(zip(lifted.shape, target, strict=True)) if old != new]
    y = cut(gathered(lifted), {a: Cut(0, target[a], _step(lifted.shape[a])) for a in grown}, name="expand")
    return share(lifted, y, _repeated(lifted, target), _of_repeated(lifted, grown))


def _repeated(x: Tensor, sizes: Shape) -> View[Tensor]:
    refused = "an expanded tensor, of which several elements are one in memory"
    return View(x, lambda base: expand(base, sizes), lambda _, value: value, ("expand", sizes), refused=refused)


def _of_repeated(x: Tensor, grown: Sequence[int]) -> Strides:
    numbers = known(x.shape, x.strides)
    return None if numbers is None else tuple(0 if a in grown else stride for a, stride in enumerate(numbers))


def _step(size: Size) -> Size:
    """How far an axis of a size goes from element to element when it is expanded: not at all if the size is 1."""
    return 0 if isinstance(size, int) else smallest(1, size - 1)
