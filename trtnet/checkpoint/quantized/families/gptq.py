"""GPTQ, as AutoGPTQ and GPTQModel write it.

``qweight`` int32 [K / 8, N]: the codes of a column of the weight in sequence along K. ``qzeros`` int32 [G, N / 8],
``scales`` [G, N], ``g_idx`` [K]: the block of each column of the weight. The format "gptq" stores zero points less one,
"gptq_v2" stores them as they are; the tensors do not tell which it is, the configuration's ``checkpoint_format`` does.
Source: AutoGPTQ, nn_modules/qlinear/qlinear_cuda_old.py; GPTQModel, utils/model.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.packing import from_words, words_needed
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

NAME = "GPTQ"
METHODS = ("gptq",)
WORDS = (dtypes.int32,)
"""The dtypes of packed values."""
_PARTS = ("qweight", "qzeros", "scales", "g_idx")


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights: words along the input channels."""
    return any(_is_gptq(parts) for parts in modules(checkpoint, "qweight"))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for tensors that do not fit each other or the configuration."""
    for parts in modules(checkpoint, "qweight"):
        if not _is_gptq(parts):
            raise parts.wrong("qweight has its words along the output channels, which is AWQ's layout and not GPTQ's")
        yield _weight(parts, config)


def _is_gptq(parts: Parts) -> bool:
    """AWQ has the output channels in words, so that qweight is narrower than the scales."""
    return "scales" in parts and parts.spec("qweight").shape[-1:] == parts.spec("scales").shape[-1:]


def _weight(parts: Parts, config: Configuration) -> QuantizedWeight:
    words, columns = parts.check("qweight", *WORDS, rank=2).shape
    blocks = parts.check("scales", rank=2).shape[0]
    bits = bits_of(parts, columns, config)
    rows = words * 32 // bits
    if "g_idx" in parts:
        (rows,) = parts.check("g_idx", *WORDS, dtypes.int64, rank=1).shape
        if words_needed(bits, rows) != words:
            raise parts.wrong(f"qweight [{words}, {columns}] of {counted(bits, 'bit')} does not fit g_idx [{rows}]")
    elif config.document.get("desc_act") and blocks > 1:
        raise parts.wrong(f"g_idx is missing, and {config.where} says desc_act: blocks of channels in another order")
    group = group_size(parts, rows, blocks, config)
    surplus = _surplus(config)
    scheme = Scheme(dtypes.int4 if bits <= 4 else dtypes.int8, bits, (1, group), zero_points=True)
    dtype = parts.spec("scales").dtype

    def read() -> QuantizedTensor:
        codes = from_words(parts.read("qweight").T, bits, rows)
        zeros = from_words(parts.read("qzeros"), bits, columns)
        zeros = (zeros + np.uint8(surplus)) & np.uint8((1 << bits) - 1)
        groups = _groups(parts, group, blocks)
        scale = np.ascontiguousarray(parts.read("scales").T)
        return QuantizedTensor(
            codes, scale, (1, group), dtype, bits, 0, np.ascontiguousarray(zeros.T).astype(np.int16), groups=groups
        )

    return QuantizedWeight(f"{parts.stem}weight", (columns, rows), scheme, dtype, parts.keys(_PARTS), read)


def bits_of(parts: Parts, columns: int, config: Configuration) -> int:
    """The bits of a value, of which `qzeros` has one for each column.

    Raises CheckpointError where none fit, or others than the configuration says.
    """
    blocks, words = parts.check("qzeros", *WORDS, rank=2).shape
    if blocks != parts.spec("scales").shape[0]:
        raise parts.wrong(f"qzeros [{blocks}, {words}] does not fit scales {list(parts.spec('scales').shape)}")
    said = config.number("bits", "w_bit")
    fitting = [bits for bits in (2, 3, 4, 8) if words_needed(bits, columns) == words and said in (None, bits)]
    if len(fitting) != 1:
        asked = "" if said is None else f" of {counted(said, 'bit')}, as {config.where} says"
        raise parts.wrong(f"qzeros {list(parts.spec('qzeros').shape)} are not zero points{asked} of {columns} channels")
    return fitting[0]


def group_size(parts: Parts, rows: int, blocks: int, config: Configuration) -> int:
    """The input channels of a block. Raises CheckpointError where they do not divide, or the configuration differs."""
    said = config.number("group_size", "q_group_size")
    group = rows if said == -1 else said if said is not None else -(-rows // blocks)
    if group <= 0 or -(-rows // group) != blocks:
        source = f"{config.where} says blocks of {said}" if said is not None else f"{counted(rows, 'channel')}"
        raise parts.wrong(
            f"{source}, which do not fit {counted(blocks, 'row')} of scales for {counted(rows, 'input channel')}"
        )
    return group


def _surplus(config: Configuration) -> int:
    """What is added to stored zero points. Raises CheckpointError where the configuration does not tell."""
    if config.method.lower() not in METHODS:
        raise CheckpointError(
            "a GPTQ checkpoint without its configuration: the tensors do not show whether zero points are stored minus"
            " one (checkpoint_format gptq) or as they are (gptq_v2). Put its config.json or quantize_config.json"
            " beside it"
        )
    kind = config.document.get("checkpoint_format", config.document.get("format", "gptq"))
    if kind not in ("gptq", "gptq_v2"):
        raise CheckpointError(
            f"{config.where}: checkpoint_format {kind!r} is packed for a kernel; trtnet reads gptq, gptq_v2"
        )
    return 1 if kind == "gptq" else 0


def _groups(parts: Parts, group: int, blocks: int) -> Array | None:
    """The block of each input channel, None where blocks are runs of channels."""
    if "g_idx" not in parts:
        return None
    index = parts.read("g_idx").astype(np.int64)
    if index.size and not 0 <= index.min() <= index.max() < blocks:
        raise parts.wrong(
            f"g_idx has blocks {index.min()} to {index.max()}, but there are {counted(blocks, 'row')} of scales"
        )
    if np.array_equal(index, np.arange(index.size) // group):
        return None
    counts = np.bincount(index, minlength=blocks)
    if (wrong := np.flatnonzero(counts[:-1] != group)).size:
        raise parts.wrong(
            f"g_idx has {counted(int(counts[wrong[0]]), 'channel')} in block {wrong[0]}, which has {group}: it is that"
            f" of another weight, or was not written"
        )
    return index
