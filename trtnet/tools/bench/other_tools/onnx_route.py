"""The usual way to TensorRT: torch.onnx.export, NVIDIA's parser, an engine of static shapes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from trtnet.builder import Plan, PlanInfo
from trtnet.graph.layers.work import count
from trtnet.reference.onnx import OnnxNetwork, parse
from trtnet.runtime import Engine
from trtnet.support import backend, dtypes
from trtnet.support.backend import trt
from trtnet.support.errors import BuildError, TrtnetError


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


def plan(parsed: OnnxNetwork, shapes: Mapping[str, tuple[int, ...]], model: str = "") -> Plan:
    """The plan of a parsed network at these shapes, one an input. model: its name. Raises BuildError."""
    config = parsed.builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    profile = parsed.builder.create_optimization_profile()
    for name in shapes:
        profile.set_shape(name, shapes[name], shapes[name], shapes[name])
    config.add_optimization_profile(profile)
    blob = parsed.builder.build_serialized_network(parsed.network, config)
    if blob is None:
        raise BuildError("TensorRT does not build the ONNX parser's network; its log says why")
    return Plan(bytes(blob), _info(parsed, shapes, model))


def _info(parsed: OnnxNetwork, shapes: Mapping[str, tuple[int, ...]], model: str) -> PlanInfo:
    """What the sidecar of a network of trtnet's would say. dtype: of the first floating input."""
    reference, work = parsed.reference(), count(parsed.network, shapes)
    floating = [info.dtype for info in reference.inputs if dtypes.get(info.dtype).is_floating]
    return PlanInfo(
        backend=backend.name(),
        backend_version=backend.version(),
        inputs=reference.inputs,
        outputs=reference.outputs,
        profiles=({name: (shape, shape, shape) for name, shape in shapes.items()},),
        model=model,
        dtype=floating[0] if floating else "float32",
        flops=(work.flops,),
        minimum_bytes=(work.minimum_bytes,),
    )
