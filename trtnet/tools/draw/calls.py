"""Modules that are called several times, as one activation often is: a box for each call, so that lines run down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from trtnet.tools.draw.drawing import Drawing, around


def calls(drawing: Drawing, positions: Sequence[int]) -> list[int]:
    """For each layer, which call of its module it is from, 0 for the first.

    TensorRT knows no calls: layers of one module are of different calls if they are not connected to each other but by
    way of other modules. A module that has others in it is one box, whatever happens around these. positions: of the
    layers in execution.
    """
    readers = _readers(drawing)
    members: dict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(positions)), key=positions.__getitem__):
        members[drawing.layers[index].module].append(index)
    found = [0] * len(drawing.layers)
    outer = {path for module in members for path in around(module)}
    for module, inside in members.items():
        if module and module not in outer and _comes_back(set(inside), readers, positions):
            for number, part in enumerate(_parts(inside, readers)):
                for index in part:
                    found[index] = number
    return found


def _readers(drawing: Drawing) -> Mapping[int, list[int]]:
    readers: dict[int, list[int]] = defaultdict(list)
    for maker, reader, _ in drawing.edges():
        readers[maker].append(reader)
    return readers


def _comes_back(inside: set[int], readers: Mapping[int, list[int]], positions: Sequence[int]) -> bool:
    """Whether a way leads out of these layers and into them again."""
    last = max(positions[index] for index in inside)
    stack = [reader for index in inside for reader in readers.get(index, ()) if reader not in inside]
    seen = set(stack)
    while stack:
        for reader in readers.get(stack.pop(), ()):
            if reader in inside:
                return True
            if reader not in seen and positions[reader] < last:
                seen.add(reader)
                stack.append(reader)
    return False


def _parts(inside: Sequence[int], readers: Mapping[int, list[int]]) -> Iterable[list[int]]:
    """The layers that are connected to each other, by their first in execution."""
    part = {index: [index] for index in inside}
    for index in inside:
        for reader in readers.get(index, ()):
            if reader in part and part[reader] is not part[index]:
                merged = part[index] + part[reader]
                part.update(dict.fromkeys(merged, merged))
    return {id(one): one for one in (part[index] for index in inside)}.values()
