"""`trtnet warm`: the kernels of shapes to come are compiled before a request needs them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.progress import track
from rich.table import Table
from rich.text import Text

from trtnet.builder import PlanInfo
from trtnet.runtime import Engine, load
from trtnet.runtime.execution.profiles import fits
from trtnet.runtime.loaded.kernel_cache import cache_path
from trtnet.support import backend
from trtnet.support.errors import TrtnetError
from trtnet.tools.bench.feeds import feeds, profile_sizes
from trtnet.tools.run import call


@dataclass(frozen=True)
class Warmed:
    """sizes: of the dynamic dimensions. first, again: seconds of a call with them, and of another."""

    sizes: dict[str, int]
    first: float
    again: float


@dataclass(frozen=True)
class Warming:
    """What was warmed, and the cache that has its kernels now: a file of so many bytes."""

    calls: list[Warmed]
    cache: Path
    nbytes: int


def warm(plan: Path, chosen: Mapping[str, Sequence[int]]) -> Warming:
    """Calls an engine twice at each of the sizes, with random inputs, and writes the cache beside its plan.

    chosen: sizes of dynamic dimensions, see :func:`combinations`. Raises TrtnetError for a backend that compiles
    nothing when it runs, or if the cache cannot be written; ModelError for a dimension that no input has; and as
    loading and calling the engine.
    """
    if not backend.supports("runtime_cache"):
        raise TrtnetError(f"{backend.name()} compiles all kernels when it builds: there is nothing to warm")
    with load(plan) as engine:
        cache = cache_path(plan, engine.open().device.name)
        every = combinations(engine.info, chosen)
        bar = track(every, "compiling", console=Console(stderr=True), transient=True)
        calls = [_warmed(engine, sizes) for sizes in bar]
    if not cache.is_file():
        raise TrtnetError(f"{cache} was not written, and the kernels are lost: see the warning before")
    return Warming(calls, cache, cache.stat().st_size)


def combinations(info: PlanInfo, chosen: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """The sizes to warm: each profile's min, opt and max; or all combinations of those that are chosen.

    A dimension without a choice has the opt size of the first profile that the others fit.
    """
    if not chosen:
        every = itertools.product(range(len(info.profiles)), range(3))
        found = [profile_sizes(info, profile, at) for profile, at in every]
        return [sizes for i, sizes in enumerate(found) if sizes not in found[:i]]
    rows = (dict(zip(chosen, sizes, strict=True)) for sizes in itertools.product(*chosen.values()))
    return [_completed(info, sizes) for sizes in rows]


def _completed(info: PlanInfo, sizes: Mapping[str, int]) -> dict[str, int]:
    candidates = [profile_sizes(info, profile) | dict(sizes) for profile in range(len(info.profiles))]
    fitting = (
        full for full, profile in zip(candidates, info.profiles, strict=True) if fits(profile, _shapes(info, full))
    )
    return next(fitting, candidates[0])


def _shapes(info: PlanInfo, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    return {
        one.name: tuple(sizes[size] if isinstance(size, str) else size for size in one.values or one.shape)
        for one in info.inputs
    }


def _warmed(engine: Engine, sizes: Mapping[str, int]) -> Warmed:
    inputs = feeds(engine.info, sizes, {})
    (_, first), (_, again) = call(engine, inputs), call(engine, inputs)
    return Warmed(dict(sizes), first, again)


def table(found: Warming) -> Group:
    """What was warmed, to read."""
    picture = Table()
    picture.add_column("sizes")
    for column in ("first call, ms", "again"):
        picture.add_column(column, justify="right")
    for one in found.calls:
        sizes = ", ".join(f"{name}={size}" for name, size in one.sizes.items()) or "fixed"
        picture.add_row(sizes, f"{one.first * 1e3:.1f}", f"{one.again * 1e3:.1f}")
    file = Text(f"{found.cache}: {found.nbytes / 1e6:.1f} MB", no_wrap=True, overflow="ignore")
    return Group(picture, file)


def to_json(found: Warming) -> dict[str, Any]:
    """The same, for a program."""
    return asdict(found) | {"cache": str(found.cache)}
