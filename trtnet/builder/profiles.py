"""Optimization profiles from the sizes of named dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from trtnet.builder.plan import ShapeRange
from trtnet.graph import Dim, Network, Tensor
from trtnet.support.backend import trt
from trtnet.support.errors import ProfileError

DimRange = int | tuple[int, int, int]
"""A size, or (min, opt, max)."""
Dims = Mapping[str, DimRange]


def profile_shapes(network: Network, dims: Dims | Sequence[Dims] | None) -> tuple[dict[str, ShapeRange], ...]:
    """For each profile, every input's (min, opt, max) shapes, or values of a shape input.

    dims: name -> size or (min, opt, max); a sequence of such mappings makes several profiles.
    Raises ProfileError for a name no input has, one that is left out, or sizes that are not 0 <= min <= opt <= max, or
    none that the network is for, and for values that have no names, or names that nothing takes a size from.
    """
    for name, tensor in network.inputs.items():
        _check_values(tensor, network.values.get(name, ()))
    if not (dims is None or isinstance(dims, Mapping) or _is_sequence(dims, Mapping)):
        raise ProfileError(
            f'dims is a mapping of names to sizes, or a sequence of these: {{"batch": 8}}; found {dims!r}'
        )
    profiles = [dims or {}] if dims is None or isinstance(dims, Mapping) else list(dims)
    if not profiles:
        raise ProfileError("dims is an empty sequence: give at least one mapping of names to (min, opt, max)")
    return tuple(_shapes(network, _ranges(network, profile)) for profile in profiles)


def _is_sequence(value: object, of: type) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, of) for each in value)


def _check_values(tensor: Tensor, names: tuple[str, ...]) -> None:
    if tensor.trt.is_shape_tensor and not names:
        raise ProfileError(
            f"input {tensor.name} is a shape input, whose ranges TensorRT needs: declare it with"
            f" trtnet.Input({tuple(tensor.shape)}, '{tensor.dtype}', values=(...)), a name for each of its values"
        )
    if names and not tensor.trt.is_shape_tensor:
        raise ProfileError(
            f"no size of the network is one of the values {', '.join(names)} of input {tensor.name}: use"
            f" {tensor.name}.tolist(), or declare it without values="
        )


def _ranges(network: Network, dims: Dims) -> dict[str, tuple[int, int, int]]:
    unknown, missing = sorted(set(dims) - set(network.dims)), sorted(set(network.dims) - set(dims))
    if unknown:
        known = f"they have {', '.join(network.dims)}" if network.dims else "all of their axes are fixed"
        raise ProfileError(f"dims names {', '.join(unknown)}, which no input has; {known}")
    if missing:
        example = ", ".join(f'"{name}": (1, 8, 32)' for name in missing)
        options = " ".join(f"--dim {name}=1:8:32" for name in missing)
        raise ProfileError(
            f"dims needs the sizes of {', '.join(missing)}: build(dims={{{example}}}) for (min, opt, max), {options}"
        )
    ranges = {name: _range(name, size) for name, size in dims.items()}
    problem = network.limits.problem(ranges)
    if problem:
        raise ProfileError(problem)
    return ranges


def _range(name: str, size: DimRange) -> tuple[int, int, int]:
    sizes: Any = (size, size, size) if isinstance(size, Integral) else size
    if not _is_sequence(sizes, Integral) or len(sizes) != 3:
        raise ProfileError(f"dims: the size of {name} is an int or (min, opt, max), as in (1, 8, 32); found {size!r}")
    low, best, high = map(int, sizes)
    if not 0 <= low <= best <= high or best == 0:
        text = f"{name} is (min {low}, opt {best}, max {high})"
        raise ProfileError(f"{text}; it must be 0 <= min <= opt <= max, with opt at least 1")
    return low, best, high


def _shapes(network: Network, ranges: dict[str, tuple[int, int, int]]) -> dict[str, ShapeRange]:
    def at(which: int, name: str) -> tuple[int, ...]:
        names = network.values.get(name)
        sizes = [network.dims[value] for value in names] if names else network.inputs[name].shape
        return tuple(ranges[size.name][which] if isinstance(size, Dim) else size for size in sizes)

    return {name: (at(0, name), at(1, name), at(2, name)) for name in network.inputs}


def add_profiles(network: Network, config: trt.IBuilderConfig, profiles: Sequence[dict[str, ShapeRange]]) -> None:
    """Gives the profiles to TensorRT; none if every input is static."""
    if not network.dims:
        return
    for shapes in profiles:
        profile = network.builder.create_optimization_profile()
        for name, (low, best, high) in shapes.items():
            (profile.set_shape_input if name in network.values else profile.set_shape)(name, low, best, high)
        if not profile or config.add_optimization_profile(profile) < 0:
            raise ProfileError(f"TensorRT refused the profile {shapes}: {'; '.join(network.recorder.take())}")
