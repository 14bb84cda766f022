"""What is measured with: arrays from files, random ones of the inputs' shapes and dtypes, random weights."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.builder import PlanInfo
from trtnet.support.call_interface import check
from trtnet.support.errors import ModelError
from trtnet.tools.run import random_inputs, read_inputs
from trtnet.tools.targets.placeholder_weights import Placeholder

Array = np.ndarray[Any, Any]


def feeds(
    info: PlanInfo, dims: Mapping[str, int], files: Mapping[str, str], seed: int = 0, profile: int = 0
) -> dict[str, Array]:
    """An array an input: out of its ``.npy`` file, else random.

    dims: sizes of dynamic dimensions; others are as in the files, else the profile's opt sizes. Raises InputError for
    files that do not fit, ModelError for a dimension that no input has.
    """
    sizes = profile_sizes(info, profile)
    unknown = sorted(set(dims) - set(sizes))
    if unknown:
        known = ", ".join(sizes) or "none: all axes are fixed"
        raise ModelError(f"--dim {unknown[0]}: no input has this dimension; the dynamic ones are {known}")
    given = read_inputs(files)
    sizes |= check([one for one in info.inputs if one.name in given], given) | dict(dims)
    arrays = random_inputs(info.inputs, sizes, seed) | given
    check(info.inputs, arrays)
    return arrays


def profile_sizes(info: PlanInfo, profile: int, at: int = 1) -> dict[str, int]:
    """A profile's sizes of the dynamic dimensions, and of the values of inputs that say sizes.

    at: 0 for its min, 1 for its opt, 2 for its max.
    """
    return {
        name: size
        for one in info.inputs
        for name, size in zip(one.values or one.shape, info.profiles[profile][one.name][at], strict=True)
        if isinstance(name, str)
    }


class RandomWeights(Placeholder):
    """A checkpoint of random weights that keep activations near 1: zeros would let a GPU run faster than real ones."""

    def _made(self, key: str) -> Array:
        spec = self._spec(key)
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        if len(spec.shape) < 2:  # scales and variances must be positive
            return rng.uniform(0.5, 1.5, spec.shape).astype(spec.dtype.numpy)
        fan_in = np.prod(spec.shape[1:])
        return (rng.standard_normal(spec.shape, np.float32) / np.sqrt(fan_in)).astype(spec.dtype.numpy)
