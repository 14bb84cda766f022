"""Tensors that rules have moved and not yet read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from trtnet.checkpoint.base import Array, Checkpoint, Listed, TensorSpec, plain
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support.errors import CheckpointError


class Lazy:
    """A tensor to be: its spec, and what reads and computes it.

    spec: or what tells it when it is asked for: of a tensor that nobody needs it never is. listed: the tensor as its
    file has it, while no rule has changed it; quantized: how it is quantized, while it is what `make` dequantizes.
    of: the tensors that a rule computes it from.
    """

    def __init__(
        self, spec: TensorSpec | Callable[[], TensorSpec], make: Callable[[], Array],
        listed: Callable[[], Listed] | None = None, quantized: QuantizedWeight | None = None,
        of: Iterable[Lazy] = (),
    ) -> None:  # fmt: skip
        self._spec, self.make, self._listed, self.quantized = spec, make, listed, quantized
        self._made_of: tuple[str, ...] = tuple(key for part in of for key in part.quantized_keys)

    @property
    def spec(self) -> TensorSpec:
        """Its shape and dtype. Raises CheckpointError for a tensor that cannot be read."""
        if not isinstance(self._spec, TensorSpec):
            self._spec = self._spec()
        return self._spec

    def listed(self) -> Listed:
        """How `trtnet weights ls` shows it; also one that cannot be read."""
        if self._listed is not None:
            return self._listed()
        return Listed(self.spec.shape, self.spec.dtype.name, self.spec.nbytes)

    def read(self) -> Array:
        """The tensor. Raises ValueError if it is not what its spec says, and what making it raises."""
        array = self.make()
        if (array.shape, array.dtype) != (self.spec.shape, self.spec.dtype.numpy):
            raise ValueError(f"expected {self.spec}, found {list(array.shape)} {array.dtype}")
        return array

    @property
    def quantized_keys(self) -> tuple[str, ...]:
        """The keys of the weights of the file that it is or was made of, and that are quantized there."""
        return self._made_of if self.quantized is None else (self.quantized.key,)

    def changed(
        self, shape: tuple[int, ...], function: Callable[[Array], Array], quantized: QuantizedWeight | None = None
    ) -> Lazy:
        """The tensor that a function makes of this one, of the same dtype. quantized: of the quantized one."""
        return Lazy(TensorSpec(shape, self.spec.dtype), lambda: function(self.read()), quantized=quantized, of=[self])


Tensors = dict[str, Lazy]


class Converted(Checkpoint):
    """A checkpoint as rules show it: names and shapes at once, the data when a tensor is asked for. source: that."""

    def __init__(self, source: Checkpoint, tensors: Mapping[str, Lazy]) -> None:
        super().__init__(source.name, tensors, source.metadata)
        self.source, self._tensors = source, tensors
        self.flat = source.flat

    def _spec(self, key: str) -> TensorSpec:
        return self._tensors[key].spec

    def listed(self, key: str) -> Listed:
        self._check(key)
        return self._tensors[key].listed()

    def _read(self, key: str) -> Array:
        lazy = self._tensors[key]
        try:
            return plain(lazy.read(), lazy.spec.dtype)
        except ValueError as error:
            raise CheckpointError(f"{self.name}: {key} cannot be made by its rule: {error}") from error

    def lazy(self, key: str) -> Lazy:
        """A tensor that is not yet read, and what is known of it. Raises KeyError."""
        self._check(key)
        return self._tensors[key]

    def _release(self) -> None:
        self.source.close()


def tensors_of(checkpoint: Checkpoint) -> Tensors:
    """Every tensor of a checkpoint, to be read by it."""
    return {key: _unread(checkpoint, key) for key in checkpoint}


def _unread(checkpoint: Checkpoint, key: str) -> Lazy:
    parts = [checkpoint.lazy(key)] if isinstance(checkpoint, Converted) else []
    quantized = parts[0].quantized if parts else None
    return Lazy(lambda: checkpoint.info(key), lambda: checkpoint[key], lambda: checkpoint.listed(key), quantized, parts)
