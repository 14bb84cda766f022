"""The usual way to TensorRT: torch.onnx.export, NVIDIA's parser, an engine of static shapes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from trtnet import backend
from trtnet.backend import trt
from trtnet.builder import Plan, PlanInfo
from trtnet.errors import BuildError, TrtnetError
from trtnet.reference.onnx import OnnxNetwork, parse
from trtnet.runtime import Engine


def onnx_engine(model: Any, arguments: Sequence[Any]) -> Engine:
    """An engine of a torch module, exported with these arguments on the CPU, in its dtype.

    Raises TrtnetError if torch does not export it, what :func:`trtnet.reference.onnx.parse` raises, and BuildError.
    """
    parsed = parse(exported(model, arguments))
    shapes = dict(zip((info.name for info in parsed.reference().inputs), arguments, strict=True))
    return Engine(plan(parsed, {name: tuple(tensor.shape) for name, tensor in shapes.items()}))


def exported(model: Any, arguments: Sequence[Any]) -> bytes:
    """The ONNX file of a torch module."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(model, tuple(arguments), dynamo=True, verbose=False)
        assert program is not None
        return bytes(program.model_proto.SerializeToString())
    except Exception as error:  # the exporter, onnx and onnxscript raise errors of many kinds
        raise TrtnetError(f"torch.onnx.export failed: {type(error).__name__}: {error}") from error


def plan(parsed: OnnxNetwork, shapes: Mapping[str, tuple[int, ...]]) -> Plan:
    """The plan of a parsed network at these shapes, one an input. Raises BuildError."""
    reference = parsed.reference()
    config = parsed.builder.create_builder_config()
    profile = parsed.builder.create_optimization_profile()
    tensors = [parsed.network.get_input(index) for index in range(parsed.network.num_inputs)]
    dynamic = [tensor.name for tensor in tensors if -1 in tuple(tensor.shape)]
    for name in dynamic:
        profile.set_shape(name, shapes[name], shapes[name], shapes[name])
    if dynamic:
        config.add_optimization_profile(profile)
    config.clear_flag(trt.BuilderFlag.TF32)
    blob = parsed.builder.build_serialized_network(parsed.network, config)
    if blob is None:
        raise BuildError("TensorRT does not build the ONNX parser's network; its log says why")
    profiles = ({info.name: (shapes[info.name],) * 3 for info in reference.inputs},)
    info = PlanInfo(backend.name(), backend.version(), reference.inputs, reference.outputs, profiles)
    return Plan(bytes(blob), info)
