"""Slices of a few positions of an axis, of which alone these positions are computed where that is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.kinds import is_fixed
from trtnet.graph.layers.read import Node, needed, producers, read
from trtnet.ops.formulations.facts import known
from trtnet.ops.positions.moved import Sliced, step_of
from trtnet.ops.positions.selection import Selection, selected
from trtnet.ops.shapes.moves import Part
from trtnet.support.backend import trt

LEAST = 2
"""How many times as many positions there must be as are selected."""


def select(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each selection of positions of a network in its form."""
    if network.division.ranks > 1 or network.quantized.watched is not None:
        return
    nodes: list[Node] = []
    for result, part in list(_slices(network)):
        if _takes_few(part) and _is_of_products(part):
            nodes = nodes or read(network.trt)
            if _select(network, result, part, nodes, [tensor.trt for tensor in outputs]):
                nodes = []


def _slices(network: Network) -> Iterator[tuple[trt.ITensor, Part]]:
    """Results of slices, and of gathers in the place of such."""
    yield from ((result, move) for result, move in network.moves.items() if isinstance(move, Part))
    yield from ((result, step.part) for result, step in network.steps.items() if isinstance(step, Sliced))


def _takes_few(part: Part) -> bool:
    """Whether a slice takes some positions of one axis, and leaves most."""
    if len(part.cuts) != 1 or part.source.storage.body is not None:
        return False
    ((axis, taken),) = part.cuts.items()
    return taken.step == 1 and isinstance(taken.size, int) and LEAST * taken.size <= known(part.source.shape[axis])


def _is_of_products(part: Part) -> bool:
    """Whether matrix products are among what computes each position by itself, whoever else needs them."""
    waiting = [(part.source, axis) for axis in part.cuts]
    seen = set()
    while waiting:
        x, axis = waiting.pop()
        step = step_of(x)
        needs = None if step is None or (x.trt, axis) in seen else step.needed(x.ndim, axis)
        if step is not None and needs is not None:
            if step.is_product:
                return True
            seen.add((x.trt, axis))
            waiting += [(each.x, each.axis) for each in needs.values()]
    return False


def _select(
    network: Network, result: trt.ITensor, part: Part, nodes: Sequence[Node], outputs: Sequence[trt.ITensor]
) -> bool:
    """Whether a slice got other layers. nodes: all that there are."""
    maker = producers(needed(nodes, outputs)).get(result)
    if maker is None or any(is_fixed(node.kind) for node in nodes if result in node.inputs):
        return False
    selection = Selection(result, part, nodes, [x for x in outputs if x is not result])
    if selection.products == 0:
        return False
    with network.at(network.places[maker.layer.name]):
        y = selected(part.source, selection)
    if y is None:
        return False
    network.replace(result, y.trt)
    network.aside.append(part.source)
    return True
