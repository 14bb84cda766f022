"""Which function executes which layer: the name in TensorRT's ``LayerType``, its class, our function."""

from __future__ import annotations

from collections.abc import Callable

import torch

from trtnet.reference import activation, conv, elementwise, matmul, pool, reduce, shape
from trtnet.reference.step import Step

LayerFunction = Callable[[Step], list[torch.Tensor]]

LAYERS: dict[str, tuple[str, LayerFunction]] = {
    "ACTIVATION": ("IActivationLayer", activation.activation),
    "CAST": ("ICastLayer", elementwise.cast),
    "CONCATENATION": ("IConcatenationLayer", shape.concatenation),
    "CONSTANT": ("IConstantLayer", elementwise.constant),
    "CONVOLUTION": ("IConvolutionLayer", conv.convolution),
    "DECONVOLUTION": ("IDeconvolutionLayer", conv.deconvolution),
    "EINSUM": ("IEinsumLayer", matmul.einsum),
    "ELEMENTWISE": ("IElementWiseLayer", elementwise.elementwise),
    "IDENTITY": ("IIdentityLayer", elementwise.identity),
    "MATRIX_MULTIPLY": ("IMatrixMultiplyLayer", matmul.matrix_multiply),
    "PARAMETRIC_RELU": ("IParametricReLULayer", activation.parametric_relu),
    "POOLING": ("IPoolingLayer", pool.pooling),
    "REDUCE": ("IReduceLayer", reduce.reduce),
    "SCALE": ("IScaleLayer", elementwise.scale),
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
