"""Einstein summation, in torch's notation."""

from __future__ import annotations

import string
from collections import Counter

from trtnet.graph import Size, Tensor
from trtnet.ops.operands import network_of


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Products summed over the letters that the result lacks: ``einsum("bij,bjk->bik", x, y)``.

    As torch's: "..." stands for any axes, letters may be capital, and without "->" the result has the letters that
    stand once, in alphabetical order. A letter twice in one operand (a diagonal) TensorRT does not take.
    Layer: IEinsumLayer.
    """
    network = network_of(*operands)
    named = {f"x{i}": x for i, x in enumerate(operands)}
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        network.fail(f"einsum {equation!r} speaks of {len(terms)} operands, found {len(operands)}", named)
    extra = [x.ndim - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)]
    if any(n < 0 or (n and "..." not in term) for n, term in zip(extra, terms, strict=True)):
        network.fail(f"einsum {equation!r}: a term has another number of letters than its operand has axes", named)
    letters = _Letters(max(extra))
    given = [letters.of(term, n) for term, n in zip(terms, extra, strict=True)]
    if any(len(set(term)) < len(term) for term in given):
        network.fail(f"einsum {equation!r}: TensorRT takes no letter twice in one operand", named)
    result = letters.of(right, letters.longest) if arrow else letters.implied(left)
    sizes: dict[str, Size] = {}
    for term, x in zip(given, operands, strict=True):
        sizes.update(zip(term, x.shape, strict=True))
    if not set(result) <= set(sizes):
        network.fail(f"einsum {equation!r}: the result has letters that no operand has", named)
    arguments = {"inputs": list(operands), "equation": f"{','.join(given)}->{result}"}
    (y,) = network.add("einsum", arguments, dims=[tuple(sizes[letter] for letter in result)])
    return y


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
