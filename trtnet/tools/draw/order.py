"""One after the other, so that what is needed comes first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush


def in_order(needs: Sequence[Collection[int]]) -> list[int]:
    """The places in `needs`, each after those it needs, the first possible one next.

    Where all that is left waits for each other, as in a loop, the first of them goes.
    """
    waiting_for = [set(before) for before in needs]
    readers: dict[int, list[int]] = defaultdict(list)
    for place, before in enumerate(waiting_for):
        for need in before:
            readers[need].append(place)
    left = dict.fromkeys(range(len(needs)))
    ready = [place for place, before in enumerate(waiting_for) if not before]
    heapify(ready)
    order: list[int] = []
    while left:
        place = heappop(ready) if ready else next(iter(left))
        if place not in left:
            continue
        del left[place]
        order.append(place)
        for reader in readers[place]:
            waiting_for[reader].discard(place)
            if not waiting_for[reader]:
                heappush(ready, reader)
    return order
