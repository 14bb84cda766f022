"""Some positions of an axis, computed alone: the operations that nothing else needs, with these positions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import count

from trtnet.graph import Size, Tensor
from trtnet.graph.layers.read import Node, needed
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, known
from trtnet.ops.positions.moved import step_of
from trtnet.ops.positions.steps import Needed, Step
from trtnet.ops.shapes.first_parts import sliced
from trtnet.ops.shapes.moves import Part
from trtnet.support.backend import trt

Key = tuple[trt.ITensor, int, Size]
"""A tensor, an axis, the first position."""


@dataclass(frozen=True)
class Link:
    """A result that is computed for the positions alone. needed: by names of operands."""

    x: Tensor
    axis: int
    step: Step
    needed: dict[str, Needed]
    start: Size


class Selection:
    """A slice of one axis. x: what is sliced. axis, start, size: where. nodes: the layers of the network.

    outputs: what the network gives, the slice not among it.
    """

    def __init__(self, result: trt.ITensor, part: Part, nodes: Sequence[Node], outputs: Sequence[trt.ITensor]) -> None:
        ((self.axis, taken),) = part.cuts.items()
        self.x, self.start, self.size = part.source, taken.start, taken.size
        self._nodes = [node for node in nodes if result not in node.outputs]
        self._outputs = outputs
        self._order = {x: number for number, node in enumerate(nodes) for x in node.outputs}

    @cached_property
    def links(self) -> list[Link]:
        """The results that only the selection needs, operands first.

        Beginning at the slice, the last result comes first: what needs it as a whole is known by then.
        """
        whole = self._made(self._outputs)
        waiting: list[tuple[int, int, Needed, Size]] = []
        found: dict[Key, Link] = {}
        number = count()

        def wait(each: Needed, start: Size) -> None:
            heappush(waiting, (-self._order.get(each.x.trt, -1), next(number), each, start))

        wait(Needed(self.x, self.axis), self.start)
        while waiting:
            *_, each, start = heappop(waiting)
            key = each.x.trt, each.axis, start
            if key in found or each.x.trt in whole:
                continue
            step = step_of(each.x)
            needs = None if step is None else step.needed(each.x.ndim, each.axis)
            if step is None or needs is None:
                whole |= self._made([each.x.trt])
                continue
            found[key] = Link(each.x, each.axis, step, needs, start)
            whole |= self._made([x.trt for name, x in step.operands.items() if name not in needs])
            for other in needs.values():
                wait(other, _shifted(start, other.shift))
        return list(found.values())[::-1]

    def _made(self, tensors: Sequence[trt.ITensor]) -> set[trt.ITensor]:
        """These, and all that is computed for them."""
        return {*tensors, *(x for node in needed(self._nodes, tensors) for x in node.outputs)}

    @property
    def products(self) -> int:
        """How many matrix products are computed for the positions alone."""
        return sum(link.step.is_product for link in self.links)

    def alone(self) -> Tensor:
        """The positions [..., size, ...], with layers of their own."""
        made: dict[Key, Tensor] = {}

        def some(each: Needed, start: Size) -> Tensor:
            key = each.x.trt, each.axis, start
            if key not in made:
                made[key] = sliced(each.x, each.axis, start, self.size)
            return made[key]

        for link in self.links:
            network = link.x.network
            with network.at(network.places[network.maker(link.x).name]):
                operands = {name: some(each, _shifted(link.start, each.shift)) for name, each in link.needed.items()}
                made[link.x.trt, link.axis, link.start] = link.step.again(operands, link.axis)
        return made[self.x.trt, self.axis, self.start]


def _shifted(start: Size, shift: Size) -> Size:
    return start if shift == 0 else start + shift


def selection_facts(x: Tensor, selection: Selection) -> dict[str, int]:
    """The batch, how many positions of how many, and how many matrix products are computed for no others."""
    sizes = {"length": known(x.shape[selection.axis]), "positions": known(selection.size)}
    return batch_facts(x) | sizes | {"products": selection.products}


@formulated("positions", "whole", facts=selection_facts)
def selected(x: Tensor, selection: Selection) -> Tensor | None:
    """All positions are computed, and a slice takes some. x: the whole."""
    return None
