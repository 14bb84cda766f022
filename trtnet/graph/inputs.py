"""What a user declares of a network's inputs."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet import dtypes
from trtnet.errors import ModelError


@dataclass(frozen=True)
class Input:
    """One input of a network.

    shape: an int for a fixed axis, a name for a dynamic one (``("batch", 3, 224, 224)``); axes of the same name, in
    any input, have the same size. dtype: by name; None is the dtype the network is defined with. A floating input of
    another dtype than the network's is cast to it where it enters.
    Raises ModelError for a shape or dtype that cannot be.
    """

    shape: tuple[int | str, ...]
    dtype: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        for size in self.shape:
            if not isinstance(size, int | str) or isinstance(size, bool) or size == "":
                raise ModelError(f"an input's axis is an int or a name, found {size!r} in {self.shape}")
            if isinstance(size, int) and size < 0:
                raise ModelError(f"found {size} in {self.shape}; write a dynamic axis as a name, such as 'batch'")
        if self.dtype is not None:
            try:
                object.__setattr__(self, "dtype", dtypes.get(self.dtype).name)
            except TypeError as error:
                raise ModelError(f"input of shape {self.shape}: {error}") from error
