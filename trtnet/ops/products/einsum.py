"""Einstein summation, in torch's notation."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import Any

from trtnet.graph import OpenNetwork, Size, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, not_empty, tensor
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.views import diagonal
from trtnet.support.text.counted import counted


def einsum(equation: str, *operands: Operand | Sequence[Operand]) -> Tensor:
    """Einstein summation: products summed over the letters missing in the result, ``einsum("bij,bjk->bik", x, y)``.

    operands: tensors, arrays and parameters of one dtype, floating or integer, or one list of them. As in torch, "..."
    stands for any axes, letters may be capital, and without "->" the result has the letters that occur once, in
    alphabetical order. A letter twice in one operand is its diagonal; sizes of 1 broadcast. Returns the shape of the
    result's letters, [b, i, k] above, in the dtype of the operands; int64 where a letter that only one operand of
    integers has is summed.
    Layer: IEinsumLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM, which are exact.
    Raises LayerError for mixed dtypes, a wrong number of operands or letters, and sizes that differ.
    Source: torch.einsum's documentation.
    """
    listed: Any = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    not_empty("einsum", listed)
    network = network_of(*listed)
    given_as = [tensor(x, network) for x in listed]
    named = {f"x{i}": x for i, x in enumerate(given_as)}
    return _einsum(network, equation, given_as, named)


def _einsum(network: OpenNetwork, equation: str, operands: list[Tensor], named: dict[str, Tensor]) -> Tensor:
    if len({x.dtype for x in operands}) > 1:
        kinds = ", ".join(str(x.dtype) for x in operands)
        network.fail(f"einsum {equation!r} of {kinds}; cast them with .to()", named)
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        network.fail(f"einsum {equation!r} has {counted(len(terms), 'term')}, found operands: {len(operands)}", named)
    extra = [x.ndim - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)]
    if any(n < 0 or (n and "..." not in term) for n, term in zip(extra, terms, strict=True)):
        network.fail(f"einsum {equation!r}: the letters of a term do not match the axes of its operand", named)
    letters = _Letters(max(extra))
    given = [letters.of(term, n) for term, n in zip(terms, extra, strict=True)]
    result = letters.of(right, letters.longest) if arrow else letters.implied(left)
    taken = [_of_diagonals(x, term) for x, term in zip(operands, given, strict=True)]
    sizes = _sizes(taken)
    if not set(result) <= set(sizes) or len(set(result)) < len(result):
        network.fail(f"einsum {equation!r}: the result has letters that no operand has, or a letter twice", named)
    for letter, found in _all_sizes(taken).items():
        if len(known := {size for size in found if isinstance(size, int) and size != 1}) > 1:
            network.fail(f"einsum {equation!r}: an axis has the sizes {sorted(known)}", named)
        sizes[letter] = next(iter(known), sizes[letter])
    taken = [_without_ones(x, term, sizes) for x, term in taken]
    if not operands[0].dtype.is_floating:
        return _products(taken, result, sizes)
    arguments = {"inputs": [x for x, _ in taken], "equation": f"{','.join(term for _, term in taken)}->{result}"}
    (y,) = network.add("einsum", arguments, dims=[tuple(sizes[letter] for letter in result)])
    return y


Term = tuple[Tensor, str]


def _of_diagonals(x: Tensor, term: str) -> Term:
    """A letter twice is a diagonal, which diagonal() puts last."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            x = diagonal(x, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return x, term


def _all_sizes(terms: list[Term]) -> dict[str, list[Size]]:
    found: dict[str, list[Size]] = {}
    for x, term in terms:
        for letter, size in zip(term, x.shape, strict=True):
            found.setdefault(letter, []).append(size)
    return found


def _sizes(terms: list[Term]) -> dict[str, Size]:
    """The size of each letter: one other than 1, if there is one."""
    return {letter: next((s for s in found if s != 1), 1) for letter, found in _all_sizes(terms).items()}


def _without_ones(x: Tensor, term: str, sizes: dict[str, Size]) -> Term:
    """Without the axes of 1 that another operand's broadcast."""
    ones = [i for i, (c, n) in enumerate(zip(term, x.shape, strict=True)) if n == 1 and sizes[c] != 1]
    kept = "".join(c for i, c in enumerate(term) if i not in ones)
    return (x.squeeze(ones) if ones else x), kept


def _products(terms: list[Term], result: str, sizes: dict[str, Size]) -> Tensor:
    """The elements multiplied and summed: what TensorRT has no layer for."""
    order = result + "".join(letter for letter in sizes if letter not in result)
    spread = []
    for x, term in terms:
        own = x.permute(sorted(range(len(term)), key=lambda i: order.index(term[i])))
        spread.append(own.reshape(*(sizes[c] if c in term else 1 for c in order)))
    dtype = spread[0].dtype
    product = reduce(mul, spread)
    summed = tuple(range(len(result), len(order)))
    if not summed:
        return product
    total = sum(product, summed)
    times = Counter(letter for _, term in terms for letter in term)
    # torch sums a letter of one operand by sum(), which makes int64, and others in products of matrices
    return total if any(times[letter] == 1 for letter in order[len(result) :]) else cast(total, dtype)


class _Letters:
    """Small letters for what an equation has: its own letters, and one for each axis that "..." stands for."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._free = list(string.ascii_lowercase)
        self._ellipsis = [self._free.pop() for _ in range(longest)]
        self._names: dict[str, str] = {}

    def of(self, term: str, axes: int) -> str:
        """A term written out; its "..." stands for `axes` axes, the last ones of the longest."""
        ellipsis = "".join(self._ellipsis[self.longest - axes :])
        before, dots, after = term.partition("...")
        return self._written(before) + (ellipsis if dots else "") + self._written(after)

    def implied(self, left: str) -> str:
        counts = Counter(left.replace("...", "").replace(",", ""))
        single = "".join(sorted(letter for letter, n in counts.items() if n == 1))
        return ("".join(self._ellipsis) if "..." in left else "") + self._written(single)

    def _written(self, letters: str) -> str:
        return "".join(self._names.setdefault(c, self._free[len(self._names)]) for c in letters)
