"""What stands above and beside what in a group: ranks, the order in each, and where long lines pass.

The layered drawing of Sugiyama, Tagawa and Toda (1981). It needs no sizes, so it holds whatever is open or closed.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trtnet.tools.draw.tree import ENTRY, EXIT, GROUP, LAYER, Group, Key, Tree, ports

SWEEPS = 8
BEND = "bend"
"""The kind of an item that is a place where a line passes a rank; its index is its tensor's."""


@dataclass(frozen=True)
class Segment:
    """A line between two ranks that follow each other, from the upper item to the lower, by their places in `items`.

    first, last: whether it is the beginning or the end of its link; upward: whether the link runs from below, as what
    a loop carries to its next iteration does.
    """

    upper: int
    lower: int
    tensor: int
    upward: bool = False


@dataclass(frozen=True)
class Arrangement:
    """items: of the group, its ports, and bends. ranks: from above, each the places in `items` from left to right."""

    items: tuple[Key, ...]
    ranks: tuple[tuple[int, ...], ...]
    segments: tuple[Segment, ...]


def arrange(tree: Tree, group: Group) -> Arrangement:
    """Ranks a group's items so that lines run down, then orders each rank so that few lines cross."""
    items = [*ports(group, ENTRY), *group.items, *ports(group, EXIT)]
    place = {key: number for number, key in enumerate(items)}
    links = sorted({(place[a], place[b], tensor): None for a, b, tensor in group.links if a != b})
    rank = _ranks(items, [(min(a, b), max(a, b)) for a, b, _ in links])
    segments = _segments(items, rank, links)
    ranks: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for number, row in enumerate(rank):
        ranks[row].append(number)
    return Arrangement(tuple(items), _ordered(ranks, segments), tuple(segments))


def _ranks(items: Sequence[Key], edges: Sequence[tuple[int, int]]) -> list[int]:
    """Below all that is above; what waits for nothing stands as low as what reads it allows. Items are in order."""
    above, below = _neighbours(edges)
    first = 1 if any(kind == ENTRY for kind, _ in items) else 0
    rank = [0] * len(items)
    for number, (kind, _) in enumerate(items):
        least = 0 if kind == ENTRY else first
        rank[number] = max([least, *(rank[other] + 1 for other in above[number])])
    for number in reversed(range(len(items))):
        if items[number][0] in (LAYER, GROUP) and not above[number] and below[number]:
            rank[number] = max(rank[number], min(rank[other] for other in below[number]) - 1)
    last = 1 + max((row for row, (kind, _) in zip(rank, items, strict=True) if kind != EXIT), default=-1)
    return [last if kind == EXIT else rank[number] for number, (kind, _) in enumerate(items)]


def _neighbours(edges: Sequence[tuple[int, int]]) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
    above: dict[int, list[int]] = defaultdict(list)
    below: dict[int, list[int]] = defaultdict(list)
    for upper, lower in edges:
        below[upper].append(lower)
        above[lower].append(upper)
    return above, below


def _segments(items: list[Key], rank: list[int], links: Sequence[tuple[int, int, int]]) -> list[Segment]:
    """Cuts links into segments, and adds the bends; the links of one tensor from one item share theirs."""
    bends: dict[tuple[int, int, bool], list[int]] = {}
    segments: dict[Segment, None] = {}
    for source, target, tensor in links:
        upward = source > target
        upper, lower = min(source, target), max(source, target)
        chain = bends.setdefault((source if not upward else -1 - target, tensor, upward), [upper])
        while rank[chain[-1]] < rank[lower] - 1:
            items.append((BEND, tensor))
            rank.append(rank[chain[-1]] + 1)
            chain.append(len(items) - 1)
        path = [*(one for one in chain if rank[one] < rank[lower]), lower]
        segments.update((Segment(a, b, tensor, upward), None) for a, b in pairwise(path))
    return list(segments)


def _ordered(ranks: list[list[int]], segments: Sequence[Segment]) -> tuple[tuple[int, ...], ...]:
    """Orders by the mean place of neighbours, downward and upward in turn; the best of all orders seen."""
    above, below = _neighbours([(one.upper, one.lower) for one in segments])
    best, fewest = [list(row) for row in ranks], _crossings(ranks, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        _sweep(ranks if downward else ranks[::-1], above if downward else below)
        crossings = _crossings(ranks, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in ranks], crossings
    return tuple(tuple(row) for row in best)


def _sweep(ranks: Sequence[list[int]], neighbours: Mapping[int, list[int]]) -> None:
    for fixed, row in pairwise(ranks):
        place = {number: position for position, number in enumerate(fixed)}
        mean = {
            number: _mean([place[other] for other in neighbours[number]], position)
            for position, number in enumerate(row)
        }
        row.sort(key=lambda number: mean[number])


def _mean(places: Sequence[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else otherwise


def _crossings(ranks: Sequence[Sequence[int]], below: Mapping[int, list[int]]) -> int:
    """How many pairs of segments cross."""
    total = 0
    for upper, lower in pairwise(ranks):
        place = {number: position for position, number in enumerate(lower)}
        passed: list[int] = []
        for number in upper:
            ends = sorted(place[other] for other in below[number])
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
