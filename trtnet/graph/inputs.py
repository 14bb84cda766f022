"""What a user declares of a network's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtnet.graph.sizes.dim import Dim
from trtnet.graph.sizes.origins import Value
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.support.size_limit import LARGEST_SIZE


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


@dataclass(frozen=True)
class State(Input):
    """Declares an input that gets what an output of the call before gave: what a model carries from call to call.

    shape, dtype: as of an Input; the sizes are fixed, but for that of the streams. output: the name of the output that
    is the next call's input. By default that of the same name, else NAME_next; if ``forward`` returns values without
    names, the last ones are the states, in their order. It is cast to the dtype of the state. axis: that of the
    streams, which run side by side, each with a state of its own; every state of a model has as many.
    See :class:`trtnet.Streams`, which calls a network with states.
    Raises ModelError as Input, for a dynamic axis that is not that of the streams, and for an axis that is not there.

    >>> import trtnet
    >>> trtnet.State(("streams", 128)).shape
    ('streams', 128)
    """

    output: str = field(default="", kw_only=True)
    axis: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.values:
            raise ModelError(f"a state has no values= that say sizes; found {self.values}")
        if not isinstance(self.axis, int) or not 0 <= self.axis < len(self.shape):
            raise ModelError(f"axis={self.axis!r} of the streams is not an axis of {self.shape}")
        dynamic = [size for axis, size in enumerate(self.shape) if isinstance(size, str) and axis != self.axis]
        if dynamic:
            raise ModelError(
                f"{dynamic[0]!r} in {self.shape}: a state keeps its size from call to call, so only the axis of the"
                f" streams may be dynamic; say which that is, axis={self.shape.index(dynamic[0])}, or give the size"
            )


def check_names(name: str, spec: Input, dims: Mapping[str, Dim]) -> None:
    """Raises ModelError for an input whose values share a name with an axis, or with another value."""
    values = {size for size, dim in dims.items() if isinstance(dim.origin, Value)}
    doubled = {size for size in spec.values if spec.values.count(size) > 1}
    if taken := doubled | (set(spec.values) & set(dims)) | (set(spec.shape) & values):
        raise ModelError(f"input {name}: the name {sorted(map(str, taken))[0]!r} is taken; each value needs its own")
