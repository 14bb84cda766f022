"""From a model to an engine in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trtnet.builder import BuildConfig, DimRange, Dims
from trtnet.checkpoint import Source
from trtnet.definition.inputs import Axes, Declared
from trtnet.definition.models import Model
from trtnet.definition.network import DTypes, define
from trtnet.ops.formulations import GivenForms
from trtnet.runtime import Engine

DimsAndAxes = Mapping[str, DimRange | Axes]
"""Sizes and ranges of dynamic dimensions, and beside them the names of axes, by input."""


def build(
    model: Model,
    inputs: Mapping[str, Declared] | None = None,
    weights: Source | None = None,
    *,
    dtype: DTypes = "float32",
    dims: DimsAndAxes | Sequence[DimsAndAxes] | None = None,
    forms: GivenForms = MappingProxyType({}),
    approximations: bool = False,
    config: BuildConfig | None = None,
) -> Engine:
    """Defines a network and builds an engine: :func:`define` and :meth:`DefinedNetwork.build` in one.

    model, inputs, weights, dtype, forms, approximations: as in define. dims: for each dynamic dimension its size or
    (min, opt, max), and for inputs that are given by example tensors the names of their dynamic axes, ``{"x": {0:
    "batch"}, "batch": (1, 4, 16)}``; a sequence of such mappings makes several optimization profiles. config: options
    of the build.
    Returns the engine, which is loaded to the GPU at its first call.
    Raises what define raises, ProfileError and BuildError.

    >>> import torch, trtnet
    >>> example = {"input": torch.zeros(4, 3)}
    >>> engine = trtnet.build(torch.nn.ReLU().eval(), example, dims={"input": {0: "batch"}, "batch": (1, 4, 16)})
    >>> [x.name for x in engine.inputs], [y.shape for y in engine.outputs]
    (['input'], [('batch', 3)])
    >>> len(engine.plan.data) > 1000
    True
    """
    axes, ranges = _axes_and_ranges(dims)
    targets = (config or BuildConfig()).compute_capabilities
    options: dict[str, Any] = {"forms": forms, "approximations": approximations, "compute_capabilities": targets}
    return define(model, inputs, weights, dims=axes, dtype=dtype, **options).build(ranges, config)


def _axes_and_ranges(
    dims: DimsAndAxes | Sequence[DimsAndAxes] | None,
) -> tuple[dict[str, Axes], Dims | Sequence[Dims] | None]:
    """(names of axes by input, sizes and ranges by name)."""
    if dims is None:
        return {}, None
    profiles = [dims] if isinstance(dims, Mapping) else list(dims)
    axes = {name: value for profile in profiles for name, value in profile.items() if isinstance(value, Mapping)}
    ranges: list[Dims] = [
        {name: value for name, value in profile.items() if not isinstance(value, Mapping)} for profile in profiles
    ]
    return axes, ranges[0] if isinstance(dims, Mapping) else ranges
