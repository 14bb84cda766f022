"""Slices of a few positions of an axis, of which alone these positions are computed where that is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.read import read
from trtnet.graph.layers.wiring import Wiring
from trtnet.ops.formulations.facts import known
from trtnet.ops.positions.moved import Sliced
from trtnet.ops.positions.selection import Selection, selected
from trtnet.ops.shapes.moves import Part
from trtnet.support.backend import trt

LEAST = 2
"""How many times as many positions there must be as are selected."""


def select(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each selection of positions of a network in its form."""
    if network.division.ranks > 1 or network.quantized.watched is not None:
        return
    for result, part in list(_slices(network)):
        if _takes_few(part):
            _select(network, result, part, [tensor.trt for tensor in outputs])


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


def _select(network: Network, result: trt.ITensor, part: Part, outputs: Sequence[trt.ITensor]) -> None:
    wiring = Wiring(network.trt, outputs)
    if result not in wiring.makers or not wiring.is_movable(result):
        return
    selection = Selection(result, part, read(network.trt), [x for x in outputs if x is not result])
    if selection.products == 0:
        return
    with network.at(network.places[wiring.makers[result].layer.name]):
        y = selected(part.source, selection)
    if y is not None:
        network.replace(result, y.trt)
        network.aside.append(part.source)
