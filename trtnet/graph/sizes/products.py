"""Numbers of elements divided exactly: sizes as sums of products, of which common factors cancel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import gcd

from trtnet.graph.sizes.dim import Dim, Shape, Size, is_static, numel
from trtnet.graph.sizes.origins import Arithmetic

Terms = dict[tuple[Dim, ...], int]
"""A size as a sum: how often each product of Dims (sorted by name) is in it."""


def quotient(whole: Shape, part: Shape) -> Size | None:
    """``numel(whole) / numel(part)``, a Dim if it is known only at run time; None if it is not a whole number.

    Of two shapes without elements it is 1.
    """
    found = exact_quotient(whole, part)
    if found is None and not (is_static(whole) and is_static(part)):
        (n, above), (m, below) = _cancelled(whole, part)
        return numel((n, *above)) // numel((m, *below)) if n and m and (above or below) else None
    return found


def exact_quotient(whole: Shape, part: Shape) -> Size | None:
    """The quotient where it is a whole number whatever the Dims are, else None."""
    (n, above), (m, below) = _cancelled(whole, part)
    if n == 0 or m == 0:
        return 1 if n == m else (0 if m else None)
    return numel((n, *above)) if m == 1 and not below else None


def _cancelled(whole: Shape, part: Shape) -> tuple[tuple[int, Shape], tuple[int, Shape]]:
    """Two products, each as a number and Dims, without what they have in common."""
    (n, above), (m, below) = _factors(whole), _factors(part)
    shared = max(gcd(n, m), 1)
    left, right = tuple((above - below).elements()), tuple((below - above).elements())
    return (n // shared, left), (m // shared, right)


def _factors(shape: Iterable[Size]) -> tuple[int, Counter[Dim]]:
    """A number of elements as a number and the Dims it is multiplied by."""
    number, dims = 1, Counter[Dim]()
    for size in shape:
        terms = _terms(size)
        if len(terms) > 1:
            assert isinstance(size, Dim)
            dims[size] += 1
            continue
        ((product, times),) = terms.items() or (((), 0),)
        number, dims = number * times, dims + Counter(product)
    return number, dims


def _terms(size: Size) -> Terms:
    """Sums, differences and products taken apart; what is neither is a product of one."""
    if isinstance(size, int):
        return {(): size} if size else {}
    if not isinstance(size.origin, Arithmetic) or size.origin.operation not in ("SUM", "SUB", "PROD"):
        return {(size,): 1}
    left, right = _terms(size.origin.left), _terms(size.origin.right)
    if size.origin.operation == "PROD":
        pairs = [(tuple(sorted(a + b, key=str)), n * m) for a, n in left.items() for b, m in right.items()]
    else:
        sign = 1 if size.origin.operation == "SUM" else -1
        pairs = [*left.items(), *((product, sign * n) for product, n in right.items())]
    total: Counter[tuple[Dim, ...]] = Counter()
    for product, times in pairs:
        total[product] += times
    return {product: times for product, times in total.items() if times}
