"""A drawing as ONNX in JSON, which Netron opens: a graph to look at, without weights, that no runtime executes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from trtnet.graph.layers.kinds import kind_of
from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer, DrawnTensor

DOMAIN = "tensorrt"
"""Of what ONNX has no operator for."""

ELEMENT_TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
    "bfloat16": 16, "float8_e4m3fn": 17, "float8_e5m2": 19, "int4": 22, "float4_e2m1fn": 23, "float8_e8m0fnu": 24,
}  # fmt: skip
"""``TensorProto.DataType``; 0 (undefined) for what is not known."""


def onnx_json(drawing: Drawing) -> str:
    """The text of a file; Netron tells by its beginning that it is ONNX."""
    return json.dumps(document(drawing), indent=1) + "\n"


def document(drawing: Drawing) -> dict[str, Any]:
    """``ModelProto`` in protobuf's JSON. Layers' attributes are text, as the drawing shows them."""
    ends = {kind: [x for x in drawing.layers if x.kind == kind] for kind in (INPUT, OUTPUT)}
    inputs = [tensor for drawn in ends[INPUT] for tensor in drawn.outputs]
    outputs = [tensor for drawn in ends[OUTPUT] for tensor in drawn.inputs]
    inner = [tensor for tensor in range(len(drawing.tensors)) if tensor not in {*inputs, *outputs}]
    values = [_value(tensor) for tensor in drawing.tensors]
    return {
        "irVersion": "10",
        "producerName": "trtnet",
        "docString": " ".join(drawing.notes),
        "opsetImport": [{"domain": "", "version": "21"}, {"domain": DOMAIN, "version": "1"}],
        "graph": {
            "name": drawing.title,
            "node": [_node(drawn, drawing.tensors) for drawn in drawing.layers if drawn.kind not in (INPUT, OUTPUT)],
            "input": [values[tensor] for tensor in inputs],
            "output": [values[tensor] for tensor in outputs],
            "valueInfo": [values[tensor] for tensor in inner],
        },
    }


def operator(drawn: DrawnLayer) -> str:
    """ONNX's name of what a layer does, "" where it has none."""
    kind = kind_of(drawn.kind)
    return kind.onnx if isinstance(kind.onnx, str) else kind.onnx.get(drawn.attributes.get(kind.variant, ""), "")


def _node(drawn: DrawnLayer, tensors: tuple[DrawnTensor, ...]) -> dict[str, Any]:
    known = operator(drawn)
    places = {"module": drawn.module, "source": drawn.source}
    return {
        "name": drawn.name,
        "opType": known or drawn.title,
        "domain": "" if known else DOMAIN,
        "input": [tensors[index].name for index in drawn.inputs],
        "output": [tensors[index].name for index in drawn.outputs],
        "attribute": [_attribute(name, value) for name, value in drawn.attributes.items()],
        "metadataProps": [{"key": key, "value": value} for key, value in places.items() if value],
    }


def _attribute(name: str, value: str) -> Mapping[str, Any]:
    return {"name": name, "type": "STRING", "s": base64.b64encode(value.encode()).decode()}


def _value(tensor: DrawnTensor) -> dict[str, Any]:
    dims = [{"dimValue": str(size)} if isinstance(size, int) else {"dimParam": size} for size in tensor.shape]
    dims = [{} if size == -1 else dim for size, dim in zip(tensor.shape, dims, strict=True)]
    tensor_type = {"elemType": ELEMENT_TYPES.get(tensor.dtype, 0), "shape": {"dim": dims}}
    return {"name": tensor.name, "type": {"tensorType": tensor_type}}
