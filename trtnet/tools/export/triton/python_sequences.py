"""A model of Triton's python backend that carries state along sequences of requests, run with trtnet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as triton

from trtnet.runtime.streams import Streams
from trtnet.support.errors import TrtnetError
from trtnet.tools.export.triton.models import open_model
from trtnet.tools.export.triton.sequence_config import WARMUP
from trtnet.tools.export.triton.sequences import Chunk, Sequences
from trtnet.tools.export.triton.server_tensors import to_array, to_tensor


class TritonPythonModel:
    """One instance of the model, by the name that Triton's python backend needs."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Opens what lies beside this file, with as many streams as the largest batch has sequences."""
        folder = Path(args["model_repository"]) / args["model_version"]
        config = json.loads(args["model_config"])
        streams = Streams(open_model(folder, int(args["model_instance_device_id"])), config["max_batch_size"])
        self.names = [info.name for info in streams.inputs]
        self.sequences = Sequences(streams)
        if WARMUP in config["parameters"]:
            self.sequences.warm()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request: the requests of a batch are one step of their sequences' streams."""
        taking = [place for place, request in enumerate(requests) if _control(request, "READY")]
        answers = dict(zip(taking, self.sequences.answers([self._chunk(requests[p]) for p in taking]), strict=True))
        return [_response(answers.get(place, {})) for place in range(len(requests))]

    def _chunk(self, request: Any) -> Chunk:
        inputs = {name: to_array(triton.get_input_tensor_by_name(request, name)) for name in self.names}
        return Chunk(request.correlation_id(), _control(request, "START"), _control(request, "END"), inputs)


def _control(request: Any, name: str) -> bool:
    """What the server says of a request; one that is not ready fills the slot of a sequence without a request."""
    return bool(to_array(triton.get_input_tensor_by_name(request, name)).any())


def _response(answer: Any) -> Any:
    if isinstance(answer, TrtnetError):
        return triton.InferenceResponse(output_tensors=[], error=triton.TritonError(str(answer)))
    return triton.InferenceResponse(
        output_tensors=[to_tensor(triton.Tensor, name, array) for name, array in answer.items()]
    )
