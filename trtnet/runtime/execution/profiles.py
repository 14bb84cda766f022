"""Which optimization profile takes given shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtnet.builder.plan import ShapeRange
from trtnet.support.errors import ProfileError

Shapes = Mapping[str, tuple[int, ...]]


def fitting(profiles: Sequence[Mapping[str, ShapeRange]], shapes: Shapes) -> tuple[int, ...]:
    """The profiles that the shapes fit. Raises ProfileError, with the ranges, if there is none."""
    found = tuple(index for index, profile in enumerate(profiles) if fits(profile, shapes))
    if not found:
        raise ProfileError(f"{_text(shapes)} fits no optimization profile of the engine\n{ranges(profiles)}")
    return found


def fits(profile: Mapping[str, ShapeRange], shapes: Shapes) -> bool:
    """Whether every size lies within the profile's min and max."""
    return all(
        low <= size <= high
        for name, shape in shapes.items()
        for low, size, high in zip(profile[name][0], shape, profile[name][2], strict=True)
    )


def ranges(profiles: Sequence[Mapping[str, ShapeRange]]) -> str:
    """The ranges of all profiles, a line each."""
    return "\n".join(
        f"  profile {index}: " + "; ".join(f"{name} from {_x(low)} to {_x(high)}" for name, (low, _, high) in p.items())
        for index, p in enumerate(profiles)
    )


def _text(shapes: Shapes) -> str:
    return ", ".join(f"{name} {_x(shape)}" for name, shape in shapes.items())


def _x(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
