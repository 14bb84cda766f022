"""Which function executes which layer: the name in TensorRT's ``LayerType``, our function."""

from __future__ import annotations

from collections.abc import Callable

import torch

from trtnet.reference.layers import (
    activation,
    attention,
    conv,
    create,
    detection,
    elementwise,
    index,
    matmul,
    moe,
    norm,
    pool,
    quantize,
    reduce,
    resize,
    shape,
)
from trtnet.reference.step import Step

LayerFunction = Callable[[Step], list[torch.Tensor]]

LAYERS: dict[str, LayerFunction] = {
    "ACTIVATION": activation.activation,
    "ASSERTION": elementwise.assertion,
    "ATTENTION_INPUT": attention.attention_input,
    "ATTENTION_OUTPUT": attention.attention_output,
    "CAST": elementwise.cast,
    "CONCATENATION": shape.concatenation,
    "CONDITIONAL_INPUT": elementwise.identity,
    "CONSTANT": elementwise.constant,
    "CONVOLUTION": conv.convolution,
    "CUMULATIVE": create.cumulative,
    "DECONVOLUTION": conv.deconvolution,
    "DEQUANTIZE": quantize.dequantize,
    "DYNAMIC_QUANTIZE": quantize.dynamic_quantize,
    "EINSUM": matmul.einsum,
    "ELEMENTWISE": elementwise.elementwise,
    "FILL": create.fill,
    "GATHER": index.gather,
    "GRID_SAMPLE": resize.grid_sample,
    "IDENTITY": elementwise.identity,
    "KV_CACHE_UPDATE": attention.kv_cache_update,
    "LRN": norm.lrn,
    "MATRIX_MULTIPLY": matmul.matrix_multiply,
    "MOE": moe.moe,
    "NMS": detection.nms,
    "NON_ZERO": shape.non_zero,
    "NORMALIZATION": norm.normalization,
    "ONE_HOT": create.one_hot,
    "PADDING": shape.padding,
    "PARAMETRIC_RELU": activation.parametric_relu,
    "POOLING": pool.pooling,
    "QUANTIZE": quantize.quantize,
    "RAGGED_SOFTMAX": activation.ragged_softmax,
    "REDUCE": reduce.reduce,
    "RESIZE": resize.resize,
    "REVERSE_SEQUENCE": shape.reverse_sequence,
    "ROTARY_EMBEDDING": attention.rotary_embedding,
    "SCALE": elementwise.scale,
    "SCATTER": index.scatter,
    "SELECT": elementwise.select,
    "SHAPE": shape.shape,
    "SHUFFLE": shape.shuffle,
    "SLICE": shape.slice_,
    "SOFTMAX": activation.softmax,
    "SQUEEZE": shape.squeeze,
    "TOPK": reduce.topk,
    "UNARY": elementwise.unary,
    "UNSQUEEZE": shape.unsqueeze,
}
"""Loops and conditionals are executed by ``trtnet.reference.execution``."""

PLUGINS = ("PLUGIN_V2", "PLUGIN_V3")
"""Executed as the decompositions that ``ops.custom`` was given."""

REFUSED = {
    "DIST_COLLECTIVE": "it exchanges data with other processes, and the reference is one",
    "PLUGIN": "TensorRT tells nothing of it, neither its class nor its name",
}
"""The kinds that are not executed, and why."""
