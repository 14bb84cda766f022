"""What is known of the sign of a size before the engine runs, and bounds that count from the end as Python's do."""

from __future__ import annotations

from trtnet.graph.sizes.dim import Dim, Size, largest, smallest
from trtnet.graph.sizes.origins import Arithmetic, Axis


def never_negative(size: Size) -> bool:
    """Whether a size is 0 or more whatever the inputs are, as far as its arithmetic tells."""
    if isinstance(size, int):
        return size >= 0
    if not isinstance(size.origin, Arithmetic):  # what an input says is a size; what is computed may be anything
        return isinstance(size.origin, Axis) or bool(size.origin.tensor.trt.is_network_input)
    left, right = size.origin.left, size.origin.right
    if size.origin.operation == "MAX":
        return never_negative(left) or never_negative(right)
    if size.origin.operation in ("SUM", "PROD", "FLOOR_DIV", "MIN"):
        return never_negative(left) and never_negative(right)
    return size.origin.operation == "SUB" and _at_most(right, left)


def never_zero(size: Size) -> bool:
    """Whether a size is 1 or more whatever the inputs are: no axis of an input is empty, nor what windows leave of it.

    Of a count of windows, ``(n - k) // step + 1``, there is at least one, since a window that does not fit is an error.
    """
    if isinstance(size, int):
        return size > 0
    if not isinstance(size.origin, Arithmetic):
        return isinstance(size.origin, Axis)
    operation, left, right = size.origin.operation, size.origin.left, size.origin.right
    if operation == "MAX":
        return never_zero(left) or never_zero(right)
    if operation == "SUM":
        counted = isinstance(left, Dim) and isinstance(left.origin, Arithmetic) and left.origin.operation == "FLOOR_DIV"
        return any(never_zero(a) and (never_negative(b) or counted) for a, b in ((left, right), (right, left)))
    return operation in ("PROD", "MIN") and never_zero(left) and never_zero(right)


def _at_most(part: Size, whole: Size) -> bool:
    """Whether ``part <= whole``: a quotient, a multiple of a quotient as in ``whole % n``, the smaller of two."""
    if not isinstance(part, Dim) or not isinstance(part.origin, Arithmetic):
        return isinstance(part, int) and isinstance(whole, int) and part <= whole
    left, right = part.origin.left, part.origin.right
    if part.origin.operation == "MIN":
        return whole in (left, right)
    if part.origin.operation == "FLOOR_DIV":
        return left == whole and never_negative(whole) and isinstance(right, int) and right >= 1
    quotient = left.origin if part.origin.operation == "PROD" and isinstance(left, Dim) else None
    return (
        isinstance(quotient, Arithmetic)
        and quotient.operation == "FLOOR_DIV"
        and (quotient.left, quotient.right) == (whole, right)
        and (isinstance(right, Dim) or right >= 1)
        and never_negative(right)
    )


def from_front(position: Size, size: Size) -> Size:
    """A position along an axis of `size`, counted from its front: a negative one counts from the end."""
    if isinstance(position, int):
        return size + position if position < 0 else position
    if never_negative(position):
        return position
    is_negative = smallest(largest(0 - position, 0), 1)
    return Dim(f"place({position}, {size})", Arithmetic("SUM", position, size * is_negative))


def bound(position: Size, size: Size) -> Size:
    """A slice's bound along an axis of `size`: counted from the front, and kept within the axis, as Python does."""
    front = from_front(position, size)
    if front == 0:
        return 0
    return smallest(front if never_negative(front) else largest(front, 0), size)
