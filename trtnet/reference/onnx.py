"""Networks that NVIDIA's ONNX parser wrote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from trtnet.reference.executor import Reference
from trtnet.support.backend import supports, trt
from trtnet.support.diagnostics import logger
from trtnet.support.errors import CheckpointError, ExecutionError


@dataclass(frozen=True)
class OnnxNetwork:
    """A parsed network, with what must live as long as it does: the parser owns its weights."""

    # Python lets go of them in this order, and TensorRT crashes if the network goes before its parser.
    parser: trt.OnnxParser
    network: trt.INetworkDefinition
    builder: trt.Builder

    def reference(self, *, exact: bool = False) -> Reference:
        """The network as the CPU executes it."""
        return Reference(self.network, exact=exact, owner=self)


def parse(model: str | os.PathLike[str] | bytes) -> OnnxNetwork:
    """Parses an ONNX file, or the bytes of one, into a strongly typed network.

    Raises CheckpointError if the file cannot be read, ExecutionError with the parser's words if it refuses the model.
    """
    builder = trt.Builder(logger)
    # no error recorder: TensorRT-RTX 1.7 crashes when a network that has both one and a parser is destroyed
    network = builder.create_network(_flags())
    parser = trt.OnnxParser(network, logger)
    accepted = parser.parse(model) if isinstance(model, bytes) else _parse_file(parser, Path(model))
    if not accepted:
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        lines = [f"  {error.node_operator()} {error.node_name()}: {error.desc()}" for error in errors]
        raise ExecutionError("the ONNX parser refused the model\n" + "\n".join(lines))
    parsed = OnnxNetwork(parser, network, builder)
    if not network.num_outputs:
        raise ExecutionError("the ONNX model has no outputs: it has no layers, or is not an ONNX file")
    return parsed


def _parse_file(parser: trt.OnnxParser, path: Path) -> bool:
    if not path.is_file():
        raise CheckpointError(f"cannot read {path}: no such file")
    return bool(parser.parse_from_file(str(path)))


def _flags() -> int:
    flag = trt.NetworkDefinitionCreationFlag
    return 1 << int(flag.STRONGLY_TYPED) if supports("strongly_typed_flag") else 0
