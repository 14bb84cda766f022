"""Rows of a table, with torch's name."""

from __future__ import annotations

from trtnet.graph import Dim, Parameter, Tensor
from trtnet.graph.sizes.requirements import require
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.indexing.gather import take
from trtnet.ops.quantization.weights import quantized, quantized_weight, watch_table
from trtnet.support.backend import trt
from trtnet.support.text.counted import counted


def embedding(
    indices: Tensor,
    weight: Operand,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` at the indices.

    indices: [...], integer; a computed one out of range is an error of the reference, and is not checked by an engine.
    Of places, ``arange(length)``, a length of more than num_embeddings is refused by both. weight: [num_embeddings,
    embedding_dim], of any dtype.
    padding_idx, scale_grad_by_freq and sparse are used in training only. Returns [..., embedding_dim], in the dtype of
    `weight`.
    Layer: IGatherLayer.
    Raises LayerError for max_norm, with which torch changes the weights, and for constant indices out of range.
    """
    if max_norm is not None:
        text = "embedding: max_norm changes the weights when torch runs; rescale the checkpoint's"
        indices.network.fail(text, {"indices": indices})
    rows = getattr(weight, "shape", (None,))[0]
    if isinstance(rows, int):
        _check_constants(indices, rows)
        _note_rows(indices, rows)
    watch_table(indices.network, weight)
    found = quantized(indices.network, weight)
    if found is not None and isinstance(weight, Parameter):
        return take(quantized_weight(indices.network, weight, found), indices, 0)
    return take(tensor(weight, indices.network), indices, 0)


def _check_constants(indices: Tensor, rows: int) -> None:
    """Raises LayerError for constants beyond the table, as places that are counted up to a fixed length are."""
    values = indices.network.known.value(indices.trt)
    if values is not None and values.size and values.max() >= rows:
        text = (
            f"embedding of index {values.max()}, and the table has {counted(rows, 'row')}: indices are 0 to {rows - 1}"
        )
        indices.network.fail(text, {"indices": indices})


def _note_rows(indices: Tensor, rows: int) -> None:
    """How many rows there are for an input of indices: what gives it may check them, TensorRT does not.

    And for places that are counted, as positions in a text: the length is in the shape of an input.
    """
    end = _end(indices)
    if end is not None:
        text = f"places are counted up to {end}, and their table has {counted(rows, 'row')}"
        require(indices.network, end, lambda ends: ends <= rows, text)
    if indices.trt.is_network_input:
        known = indices.network.tables
        known[indices.trt.name] = min(rows, known.get(indices.trt.name, rows))


_KEEPING = (trt.LayerType.SHUFFLE, trt.LayerType.CAST)
"""Layers that keep the numbers that they get."""


def _end(indices: Tensor) -> Dim | None:
    """What a range of integers stops before, also one of another shape or dtype; None for other indices."""
    network, source = indices.network, indices.trt
    while (layer := network.layer_of(source)) and trt.ILayer.type.fget(layer) in _KEEPING:
        source = layer.get_input(0)
    return network.ends.get(source)
