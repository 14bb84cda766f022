"""Dynamic sizes by their names: TensorRT names only the axes of inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trtnet.graph.layers.read import Tensor, sizes
from trtnet.graph.layers.work import shaped
from trtnet.support.backend import trt
from trtnet.support.errors import InputError
from trtnet.tools.targets.networks import axis_names

PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
"""What dynamic dimensions are taken as, one each: a size that 7 divides is a multiple of the first."""


def named_shapes(network: trt.INetworkDefinition, tensors: Iterable[Tensor]) -> dict[Any, tuple[int | str, ...]]:
    """The shapes of tensors, with ``batch`` or ``2·batch`` where a size is one, -1 where it cannot be told.

    TensorRT infers the network's shapes once with a prime for each name. A network that takes no such size, or that
    has more names than there are primes, keeps -1.
    """
    inputs = {x.name: axis_names(x) for x in map(network.get_input, range(network.num_inputs))}
    names = dict.fromkeys(size for shape in inputs.values() for size in shape if isinstance(size, str))
    tensors = list(tensors)
    known = {x: sizes(x, network) for x in tensors}
    if not names or len(names) > len(PRIMES):
        return dict(known)
    primes = dict(zip(names, PRIMES, strict=False))
    chosen = {
        name: tuple(primes[size] if isinstance(size, str) else size for size in shape) for name, shape in inputs.items()
    }
    try:
        with shaped(network, chosen):
            trial = {x: sizes(x, network) for x in tensors}
    except InputError:
        return dict(known)
    return {x: _named(shape, trial[x], primes) for x, shape in known.items()}


def _named(shape: tuple[int, ...], trial: tuple[int, ...], primes: dict[str, int]) -> tuple[int | str, ...]:
    if len(shape) != len(trial):  # in a branch that these sizes do not fit
        return shape
    return tuple(_name(found, primes) if size == -1 else size for size, found in zip(shape, trial, strict=True))


def _name(size: int, primes: dict[str, int]) -> int | str:
    dividing = [name for name, prime in primes.items() if size > 0 and size % prime == 0]
    rest = size
    for name in dividing:
        rest //= primes[name]
    if not dividing or rest in primes.values():
        return -1
    return "·".join([*([str(rest)] if rest > 1 else []), *dividing])
