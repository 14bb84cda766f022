"""TensorRT's kinds of layers, a row for each member of ``LayerType`` in any release that trtnet is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from trtnet.graph.layers import flops, onnx_operators, titles
from trtnet.graph.layers.flops import FlopsRule, per_element
from trtnet.graph.layers.titles import Attributes, TitleRule

Family = Literal[
    "activation", "attention", "control flow", "convolution", "elementwise", "matrix product", "normalization", "other",
    "pooling, reduction", "quantization, cast", "shape, data movement",
]  # fmt: skip
"""What a picture colours layers by."""


class Traffic(Enum):
    """What one execution of a layer reads and writes."""

    ALL = "its inputs and weights; its outputs"
    NONE = "nothing: what it hands on is read and written by others"
    SIZES = "nothing: it tells the sizes of its input"
    TAKES = "of its first input as much as it outputs, and its other inputs; its outputs"
    UPDATES = "not the cache, its first input; the update, its second"


@dataclass(frozen=True)
class Kind:
    """One kind of layer.

    name: in ``LayerType``. cls: TensorRT's class; "" where it has none. flops: the rule of
    ``trtnet.graph.layers.flops`` that counts its operations. weights: the attributes that hold weights of its own.
    from_inputs: the attributes that are not set where the input of that number is given (TensorRT warns who asks).
    boundary: what it is a boundary of, by the name of the attribute; side: whether that begins or ends with it, or is
    decided by it. title: the rule of ``trtnet.graph.layers.titles`` that says it in a few words; by default the name.
    onnx: ONNX's operator, "" where it has none; several by the values of the attribute `variant`.
    """

    name: str
    cls: str
    family: Family
    flops: FlopsRule
    traffic: Traffic = Traffic.ALL
    weights: tuple[str, ...] = ()
    from_inputs: tuple[str, ...] = ()
    boundary: Literal["", "loop", "conditional"] = ""
    side: Literal["", "opens", "closes", "decides"] = ""
    title: TitleRule | None = None
    variant: str = ""
    onnx: str | Mapping[str, str] = ""

    def entitle(self, attributes: Attributes) -> str:
        """A layer of this kind in a few words: ``Conv 3×3 /2``."""
        return self.title(attributes) if self.title else titles.words(self.name)


def kind_of(name: str) -> Kind:
    """The row of a kind; for one of a newer TensorRT a row that says that nothing is known of it."""
    return KINDS.get(name) or Kind(name, "", "other", flops.unknown)


def is_fixed(name: str) -> bool:
    """Whether layers of a kind keep the inputs that they were made with."""
    return bool(kind_of(name).boundary) or name.startswith(("ATTENTION", "PLUGIN"))


_ROWS = (
    Kind("ACTIVATION", "IActivationLayer", "activation", per_element(1),
         title=titles.by("type"), variant="type", onnx=onnx_operators.ACTIVATIONS),
    Kind("ASSERTION", "IAssertionLayer", "control flow", flops.none, Traffic.NONE),
    Kind("ATTENTION_INPUT", "IAttentionInputLayer", "attention", flops.attention),
    Kind("ATTENTION_OUTPUT", "IAttentionOutputLayer", "attention", flops.none, Traffic.NONE),
    Kind("CAST", "ICastLayer", "quantization, cast", flops.none, title=titles.by("to_type", "Cast to"), onnx="Cast"),
    Kind("CONCATENATION", "IConcatenationLayer", "shape, data movement", flops.none, onnx="Concat"),
    Kind("CONDITION", "IConditionLayer", "control flow", flops.none, Traffic.NONE,
         boundary="conditional", side="decides"),
    Kind("CONDITIONAL_INPUT", "IIfConditionalInputLayer", "control flow", flops.none, Traffic.NONE,
         boundary="conditional", side="opens"),
    Kind("CONDITIONAL_OUTPUT", "IIfConditionalOutputLayer", "control flow", flops.none, Traffic.NONE,
         boundary="conditional", side="closes"),
    Kind("CONSTANT", "IConstantLayer", "shape, data movement", flops.none),
    Kind("CONVOLUTION", "IConvolutionLayer", "convolution", flops.convolution, weights=("kernel", "bias"),
         title=titles.convolution, onnx="Conv"),
    Kind("CUMULATIVE", "ICumulativeLayer", "pooling, reduction", per_element(1),
         title=titles.by("op", "Cumulative"), onnx="CumSum"),
    Kind("DECONVOLUTION", "IDeconvolutionLayer", "convolution", flops.deconvolution, weights=("kernel", "bias"),
         title=titles.deconvolution, onnx="ConvTranspose"),
    Kind("DEQUANTIZE", "IDequantizeLayer", "quantization, cast", per_element(1), onnx="DequantizeLinear"),
    Kind("DIST_COLLECTIVE", "IDistCollectiveLayer", "other", flops.unknown),
    Kind("DYNAMIC_QUANTIZE", "IDynamicQuantizeLayer", "quantization, cast", per_element(1)),
    Kind("EINSUM", "IEinsumLayer", "matrix product", flops.einsum, title=titles.einsum, onnx="Einsum"),
    Kind("ELEMENTWISE", "IElementWiseLayer", "elementwise", per_element(1),
         title=titles.by("op"), variant="op", onnx=onnx_operators.ELEMENTWISE),
    Kind("FILL", "IFillLayer", "shape, data movement", flops.none, from_inputs=("shape", "alpha", "beta"),
         title=titles.by("operation", "Fill")),
    Kind("GATHER", "IGatherLayer", "shape, data movement", flops.none, Traffic.TAKES, onnx="Gather"),
    Kind("GRID_SAMPLE", "IGridSampleLayer", "shape, data movement", per_element(1), onnx="GridSample"),
    Kind("IDENTITY", "IIdentityLayer", "shape, data movement", flops.none, onnx="Identity"),
    Kind("ITERATOR", "IIteratorLayer", "control flow", flops.none, Traffic.NONE, boundary="loop", side="opens"),
    Kind("KV_CACHE_UPDATE", "IKVCacheUpdateLayer", "attention", flops.none, Traffic.UPDATES),
    Kind("LOOP_OUTPUT", "ILoopOutputLayer", "control flow", flops.none, Traffic.NONE, boundary="loop", side="closes"),
    Kind("LRN", "ILRNLayer", "normalization", per_element(1), onnx="LRN"),
    Kind("MATRIX_MULTIPLY", "IMatrixMultiplyLayer", "matrix product", flops.matrix_multiply, onnx="MatMul"),
    Kind("MOE", "IMoELayer", "attention", flops.moe),
    Kind("NMS", "INMSLayer", "pooling, reduction", per_element(1)),
    Kind("NON_ZERO", "INonZeroLayer", "pooling, reduction", flops.none, onnx="NonZero"),
    Kind("NORMALIZATION", "INormalizationLayer", "normalization", per_element(8), onnx="LayerNormalization"),
    Kind("ONE_HOT", "IOneHotLayer", "shape, data movement", flops.none, onnx="OneHot"),
    Kind("PADDING", "IPaddingLayer", "shape, data movement", flops.none, onnx="Pad"),
    Kind("PARAMETRIC_RELU", "IParametricReLULayer", "activation", per_element(1), onnx="PRelu"),
    Kind("PLUGIN", "", "other", flops.unknown),
    Kind("PLUGIN_V2", "IPluginV2Layer", "other", flops.unknown),
    Kind("PLUGIN_V3", "IPluginV3Layer", "other", flops.unknown),
    Kind("POOLING", "IPoolingLayer", "pooling, reduction", flops.pooling,
         title=titles.pooling, variant="type", onnx=onnx_operators.POOLING),
    Kind("QUANTIZE", "IQuantizeLayer", "quantization, cast", per_element(1), onnx="QuantizeLinear"),
    Kind("RAGGED_SOFTMAX", "IRaggedSoftMaxLayer", "activation", per_element(5)),
    Kind("RECURRENCE", "IRecurrenceLayer", "control flow", flops.none, Traffic.NONE, boundary="loop", side="opens"),
    Kind("REDUCE", "IReduceLayer", "pooling, reduction", flops.per_input_element,
         title=titles.by("op", "Reduce"), variant="op", onnx=onnx_operators.REDUCTIONS),
    Kind("RESIZE", "IResizeLayer", "shape, data movement", per_element(1), onnx="Resize"),
    Kind("REVERSE_SEQUENCE", "IReverseSequenceLayer", "shape, data movement", flops.none),
    Kind("ROTARY_EMBEDDING", "IRotaryEmbeddingLayer", "attention", per_element(3)),
    Kind("SCALE", "IScaleLayer", "normalization", per_element(1), weights=("shift", "scale", "power")),
    Kind("SCATTER", "IScatterLayer", "shape, data movement", flops.none, onnx="ScatterND"),
    Kind("SELECT", "ISelectLayer", "elementwise", per_element(1), onnx="Where"),
    Kind("SHAPE", "IShapeLayer", "shape, data movement", flops.none, Traffic.SIZES, onnx="Shape"),
    Kind("SHUFFLE", "IShuffleLayer", "shape, data movement", flops.none, onnx="Reshape"),
    Kind("SLICE", "ISliceLayer", "shape, data movement", flops.none, Traffic.TAKES, onnx="Slice"),
    Kind("SOFTMAX", "ISoftMaxLayer", "activation", per_element(5), onnx="Softmax"),
    Kind("SQUEEZE", "ISqueezeLayer", "shape, data movement", flops.none, onnx="Squeeze"),
    Kind("TOPK", "ITopKLayer", "pooling, reduction", flops.per_input_element, title=titles.by("op", "Top-k"),
         onnx="TopK"),
    Kind("TRIP_LIMIT", "ITripLimitLayer", "control flow", flops.none, Traffic.NONE, boundary="loop", side="decides"),
    Kind("UNARY", "IUnaryLayer", "activation", per_element(1),
         title=titles.by("op"), variant="op", onnx=onnx_operators.UNARY),
    Kind("UNSQUEEZE", "IUnsqueezeLayer", "shape, data movement", flops.none, onnx="Unsqueeze"),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}
"""By name."""
