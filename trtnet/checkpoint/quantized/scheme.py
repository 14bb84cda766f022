"""How weights are quantized, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError

WHOLE = 0
"""The size of a block that is as long as its axis."""

Blocks = tuple[int, ...]
"""The size of a block along each axis of a weight: (1, 128) is 128 columns of a row, (1, WHOLE) a row."""


@dataclass(frozen=True)
class Scheme:
    """How a weight is quantized.

    dtype: the type of TensorRT that holds its values. bits: of one value, which may be fewer. blocks: what shares a
    scale, by axis. zero_points: whether a block has a number that is taken off its values. activations: the dtype that
    the inputs of the weight's product were quantized to, "" for none; dynamic: with scales that are measured at run
    time. input_columns: of inputs that share such a scale, a power of two; 0 where that is not said.
    """

    dtype: DType
    bits: int
    blocks: Blocks
    zero_points: bool = False
    activations: str = ""
    dynamic: bool = False
    input_columns: int = 0

    def __str__(self) -> str:
        kind = f"int{self.bits}" if not self.dtype.is_floating else self.dtype.name
        asymmetric = ", with zero points" if self.zero_points else ""
        inputs = f", inputs in {self.activations}{' (measured)' * self.dynamic}" if self.activations else ""
        return f"{kind}, {described(self.blocks)}{asymmetric}{inputs}"


def described(blocks: Blocks) -> str:
    """What shares a scale, in words."""
    if all(size == WHOLE for size in blocks):
        return "one scale"
    if blocks[0] == 1 and all(size == WHOLE for size in blocks[1:]):
        return "a scale a channel"
    sizes = blocks if any(size != 1 for size in blocks[:-1]) else blocks[-1:]
    return f"a scale a block of {' x '.join('all' if size == WHOLE else str(size) for size in sizes)}"


def operand_dtypes(words: str) -> tuple[str, str]:
    """(dtype of the values, dtype of the inputs or "") of a scheme in words, as Scheme and WeightScheme write them.

    TensorRT holds integers of other than 4 bits in int8.
    """
    kind, inputs = words.partition(",")[0], words.partition(", inputs in ")[2].partition(" ")[0]
    return ("int8" if kind.startswith("int") and kind != "int4" else kind), inputs


def blocks_of(key: str, shape: tuple[int, ...], scale: tuple[int, ...], block: tuple[int, ...] = (128, 128)) -> Blocks:
    """The blocks of a weight whose scales have the shape `scale`, of the weight's rank.

    Blocks along the last axis divide it. block: those along two axes, which the last ones need not fill; their sizes
    cannot be told from the shapes.
    Raises CheckpointError for scales that fit no blocks, as transposed ones do.
    """
    if len(shape) == len(scale) and any(fits(shape, scale) for fits in (_is_whole, _is_channels, _is_runs)):
        return tuple(WHOLE if n == 1 else size // n for size, n in zip(shape, scale, strict=True))
    if scale == tuple(-(-size // n) for size, n in zip(shape, block, strict=False)):
        return tuple(WHOLE if n >= size else n for size, n in zip(shape, block, strict=True))
    raise CheckpointError(
        f"{key} {list(shape)} has scales {list(scale)}, which match no blocks of it: neither runs of columns nor"
        f" {' x '.join(map(str, block))}. They may be transposed, or of another weight"
    )


def _is_whole(shape: tuple[int, ...], scale: tuple[int, ...]) -> bool:
    return all(count == 1 for count in scale)


def _is_channels(shape: tuple[int, ...], scale: tuple[int, ...]) -> bool:
    """One for each output channel: the first axis, and of transposed convolutions the second."""
    axes = [axis for axis, count in enumerate(scale) if count != 1]
    return len(axes) == 1 and axes[0] <= (len(shape) > 2) and scale[axes[0]] == shape[axes[0]]


def _is_runs(shape: tuple[int, ...], scale: tuple[int, ...]) -> bool:
    return scale[:-1] == shape[:-1] and scale[-1] > 0 and shape[-1] % scale[-1] == 0
