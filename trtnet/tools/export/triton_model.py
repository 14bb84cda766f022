"""A model of Triton's python backend that runs an engine with trtnet; `trtnet export triton --python` puts it there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from trtnet.runtime import load
from trtnet.support.call_interface import by_name
from trtnet.support.errors import TrtnetError


class TritonPythonModel:
    """One instance of the model, by the name that Triton's python backend needs."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the engine that lies beside this file, on the instance's GPU."""
        self.batched = json.loads(args["model_config"])["max_batch_size"] > 0
        plan = Path(args["model_repository"]) / args["model_version"] / "model.plan"
        self.engine = load(plan, device=int(args["model_instance_device_id"]))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request: all in one batch where the model has one, else one after another."""
        groups = [requests] if self.batched else [[request] for request in requests]
        return [response for group in groups for response in self._answer(group)]

    def _answer(self, requests: Sequence[Any]) -> list[Any]:
        try:
            inputs = {info.name: self._gather(requests, info.name) for info in self.engine.inputs}
            outputs = self._named(self.engine(**inputs))
        except TrtnetError as error:
            failed = triton.TritonError(str(error))
            return [triton.InferenceResponse(output_tensors=[], error=failed) for _ in requests]
        return self._responses(outputs, [self._rows(request) for request in requests])

    def _gather(self, requests: Sequence[Any], name: str) -> np.ndarray[Any, Any]:
        arrays = [_array(triton.get_input_tensor_by_name(request, name)) for request in requests]
        return np.concatenate(arrays) if self.batched else arrays[0]

    def _rows(self, request: Any) -> int:
        first = triton.get_input_tensor_by_name(request, self.engine.inputs[0].name)
        return len(_array(first)) if self.batched else 0

    def _named(self, result: Any) -> dict[str, np.ndarray[Any, Any]]:
        return by_name(result, self.engine.outputs)

    def _responses(self, outputs: Mapping[str, np.ndarray[Any, Any]], rows: Sequence[int]) -> list[Any]:
        ends = np.cumsum(rows)[:-1]
        parts = {name: np.split(array, ends) if self.batched else [array] for name, array in outputs.items()}
        return [
            triton.InferenceResponse(output_tensors=[_tensor(name, parts[name][index]) for name in outputs])
            for index in range(len(rows))
        ]


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    """A tensor of the server, by DLPack: the server's ``as_numpy()`` gives other values with numpy 2."""
    return np.from_dlpack(tensor)


def _tensor(name: str, array: np.ndarray[Any, Any]) -> Any:
    return triton.Tensor.from_dlpack(name, np.require(array, requirements=("C", "W")))
