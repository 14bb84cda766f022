"""What a user declares of a network's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trtnet.graph.sizes.dim import Dim
from trtnet.graph.sizes.origins import Value
from trtnet.support import dtypes
from trtnet.support.errors import ModelError

LARGEST_SIZE = 2**31 - 1
"""The largest size of an axis that TensorRT takes."""


@dataclass(frozen=True)
class Input:
    """Declares one input of a network: its shape and its dtype.

    shape: an int for a fixed axis, a name for a dynamic one (``("batch", 3, 224, 224)``); axes of the same name, in any
    input, have the same size. dtype: by name; None is the dtype that the network is defined with. A floating input of
    another dtype is cast to the network's where it enters. values: for a shape input, whose values are read by
    ``x.tolist()`` and ``x.item()``, a name for each of its elements: ``Input((2,), "int64", values=("height",
    "width"))``. Their ranges are given like those of dynamic axes.
    Raises ModelError for a shape, dtype or values that are not possible.

    >>> import trtnet
    >>> trtnet.Input(("batch", 3, 224, 224), "float16").shape
    ('batch', 3, 224, 224)
    >>> trtnet.Input((-1, 3))
    Traceback (most recent call last):
        ...
    trtnet.ModelError: found -1 in (-1, 3); write a dynamic axis as a name, such as 'batch'
    """

    shape: tuple[int | str, ...]
    dtype: str | None = None
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        for size in self.shape:
            if not isinstance(size, int | str) or isinstance(size, bool) or size == "":
                raise ModelError(f"an input's axis is an int or a name, found {size!r} in {self.shape}")
            if isinstance(size, int) and size < 0:
                raise ModelError(f"found {size} in {self.shape}; write a dynamic axis as a name, such as 'batch'")
            if isinstance(size, int) and size > LARGEST_SIZE:
                raise ModelError(f"found {size} in {self.shape}; a size of TensorRT is at most {LARGEST_SIZE}")
        if self.dtype is not None:
            try:
                object.__setattr__(self, "dtype", dtypes.get(self.dtype).name)
            except TypeError as error:
                raise ModelError(f"input of shape {self.shape}: {error}") from error
        object.__setattr__(self, "values", tuple(self.values))
        if self.values and not (self.dtype in ("int32", "int64") and self._has_a_name_each()):
            raise ModelError(
                f"values={self.values} name the sizes that an input of int32 or int64 says, one name for each of its"
                f" elements; found {self.shape} {self.dtype or 'without a dtype'}"
            )

    def _has_a_name_each(self) -> bool:
        return self.shape == (len(self.values),) or (self.shape == () and len(self.values) == 1)


def check_names(name: str, spec: Input, dims: Mapping[str, Dim]) -> None:
    """Raises ModelError for an input whose values share a name with an axis, or with another value."""
    values = {size for size, dim in dims.items() if isinstance(dim.origin, Value)}
    doubled = {size for size in spec.values if spec.values.count(size) > 1}
    if taken := doubled | (set(spec.values) & set(dims)) | (set(spec.shape) & values):
        raise ModelError(f"input {name}: the name {sorted(map(str, taken))[0]!r} is taken; each value needs its own")
