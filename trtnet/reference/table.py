"""Which function executes which layer: the name in TensorRT's ``LayerType``, its class, our function."""

from __future__ import annotations

from collections.abc import Callable

import torch

from trtnet.reference import (
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

LAYERS: dict[str, tuple[str, LayerFunction]] = {
    "ACTIVATION": ("IActivationLayer", activation.activation),
    "ASSERTION": ("IAssertionLayer", elementwise.assertion),
    "ATTENTION_INPUT": ("IAttentionInputLayer", attention.attention_input),
    "ATTENTION_OUTPUT": ("IAttentionOutputLayer", attention.attention_output),
    "CAST": ("ICastLayer", elementwise.cast),
    "CONCATENATION": ("IConcatenationLayer", shape.concatenation),
    "CONDITIONAL_INPUT": ("IIfConditionalInputLayer", elementwise.identity),
    "CONSTANT": ("IConstantLayer", elementwise.constant),
    "CONVOLUTION": ("IConvolutionLayer", conv.convolution),
    "CUMULATIVE": ("ICumulativeLayer", create.cumulative),
    "DECONVOLUTION": ("IDeconvolutionLayer", conv.deconvolution),
    "DEQUANTIZE": ("IDequantizeLayer", quantize.dequantize),
    "DYNAMIC_QUANTIZE": ("IDynamicQuantizeLayer", quantize.dynamic_quantize),
    "EINSUM": ("IEinsumLayer", matmul.einsum),
    "ELEMENTWISE": ("IElementWiseLayer", elementwise.elementwise),
    "FILL": ("IFillLayer", create.fill),
    "GATHER": ("IGatherLayer", index.gather),
    "GRID_SAMPLE": ("IGridSampleLayer", resize.grid_sample),
    "IDENTITY": ("IIdentityLayer", elementwise.identity),
    "KV_CACHE_UPDATE": ("IKVCacheUpdateLayer", attention.kv_cache_update),
    "LRN": ("ILRNLayer", norm.lrn),
    "MATRIX_MULTIPLY": ("IMatrixMultiplyLayer", matmul.matrix_multiply),
    "MOE": ("IMoELayer", moe.moe),
    "NMS": ("INMSLayer", detection.nms),
    "NON_ZERO": ("INonZeroLayer", shape.non_zero),
    "NORMALIZATION": ("INormalizationLayer", norm.normalization),
    "ONE_HOT": ("IOneHotLayer", create.one_hot),
    "PADDING": ("IPaddingLayer", shape.padding),
    "PARAMETRIC_RELU": ("IParametricReLULayer", activation.parametric_relu),
    "POOLING": ("IPoolingLayer", pool.pooling),
    "QUANTIZE": ("IQuantizeLayer", quantize.quantize),
    "RAGGED_SOFTMAX": ("IRaggedSoftMaxLayer", activation.ragged_softmax),
    "REDUCE": ("IReduceLayer", reduce.reduce),
    "RESIZE": ("IResizeLayer", resize.resize),
    "REVERSE_SEQUENCE": ("IReverseSequenceLayer", shape.reverse_sequence),
    "ROTARY_EMBEDDING": ("IRotaryEmbeddingLayer", attention.rotary_embedding),
    "SCALE": ("IScaleLayer", elementwise.scale),
    "SCATTER": ("IScatterLayer", index.scatter),
    "SELECT": ("ISelectLayer", elementwise.select),
    "SHAPE": ("IShapeLayer", shape.shape),
    "SHUFFLE": ("IShuffleLayer", shape.shuffle),
    "SLICE": ("ISliceLayer", shape.slice_),
    "SOFTMAX": ("ISoftMaxLayer", activation.softmax),
    "SQUEEZE": ("ISqueezeLayer", shape.squeeze),
    "TOPK": ("ITopKLayer", reduce.topk),
    "UNARY": ("IUnaryLayer", elementwise.unary),
    "UNSQUEEZE": ("IUnsqueezeLayer", shape.unsqueeze),
}
