"""AutoAWQ's "gemm".

``qweight`` int32 [K, N / 8]: half byte j of word w is output channel 8 w + (0, 2, 4, 6, 1, 3, 5, 7)[j]. ``qzeros``
int32 [G, N / 8] in the same order, ``scales`` [G, N]; the weight is ((codes - zeros) * scales).T.
Source: AutoAWQ, utils/packing_utils.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.families.gptq import WORDS, bits_of, group_size
from trtnet.checkpoint.quantized.packing import from_words
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

NAME = "AutoAWQ"
METHODS = ("awq",)
_PARTS = ("qweight", "qzeros", "scales")
_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)
"""Channel i of eight is half byte _PLACES[i] of its word."""


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights: words along the output channels."""
    return any(_is_awq(parts) for parts in modules(checkpoint, "qweight"))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for tensors that do not fit each other or the configuration."""
    version = str(config.document.get("version", "gemm")).lower()
    if version != "gemm":
        raise CheckpointError(f"{config.where}: AWQ version {version!r} is packed for a kernel; trtnet reads gemm")
    for parts in modules(checkpoint, "qweight"):
        if not _is_awq(parts):
            raise parts.wrong("qweight has its words along the input channels, which is GPTQ's layout and not AWQ's")
        yield _weight(parts, config)


def _is_awq(parts: Parts) -> bool:
    if "qzeros" not in parts or "scales" not in parts:
        return False
    return parts.spec("qweight").shape[-1:] == parts.spec("qzeros").shape[-1:] != parts.spec("scales").shape[-1:]


def _weight(parts: Parts, config: Configuration) -> QuantizedWeight:
    rows, words = parts.check("qweight", *WORDS, rank=2).shape
    blocks, columns = parts.check("scales", rank=2).shape
    bits = bits_of(parts, columns, config)
    if bits != 4:
        raise parts.wrong(f"AWQ has 4 bits, found {bits}")
    if columns != 8 * words:
        raise parts.wrong(
            f"qweight [{rows}, {words}] has {counted(8 * words, 'output channel')}, and scales [{blocks}, {columns}]"
        )
    group = group_size(parts, rows, blocks, config)
    if rows % group:
        raise parts.wrong(f"qweight has {counted(rows, 'input channel')}, which blocks of {group} do not divide")
    dtype = parts.spec("scales").dtype

    def read() -> QuantizedTensor:
        codes, zeros = (_in_order(from_words(parts.read(name), 4, columns)) for name in ("qweight", "qzeros"))
        scale = np.ascontiguousarray(parts.read("scales").T)
        return QuantizedTensor(codes, scale, (1, group), dtype, 4, 0, zeros.astype(np.int16))

    scheme = Scheme(dtypes.int4, 4, (1, group), zero_points=True)
    return QuantizedWeight(f"{parts.stem}weight", (columns, rows), scheme, dtype, parts.keys(_PARTS), read)


def _in_order(codes: Array) -> Array:
    """[rows, channels] of words in AWQ's order as [channels, rows]."""
    ordered = codes.reshape(codes.shape[0], -1, 8)[..., _PLACES]
    return np.ascontiguousarray(ordered.reshape(codes.shape).T)
