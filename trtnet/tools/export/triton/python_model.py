"""A model of Triton's python backend, run with trtnet; `trtnet export triton --python` puts it there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from trtnet.support.call_interface import by_name
from trtnet.support.errors import TrtnetError
from trtnet.tools.export.triton.models import open_model
from trtnet.tools.export.triton.server_tensors import to_array, to_tensor

Array = np.ndarray[Any, Any]


IN_FLIGHT = 3
"""Batches that an engine has at a time: one is copied to the GPU while another is computed and a third copied back."""


class TritonPythonModel:
    """One instance of the model, by the name that Triton's python backend needs."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Opens what lies beside this file, an engine on the instance's GPU."""
        self.batched = json.loads(args["model_config"])["max_batch_size"] > 0
        folder = Path(args["model_repository"]) / args["model_version"]
        self.function = open_model(folder, int(args["model_instance_device_id"]))
        count = IN_FLIGHT if hasattr(self.function, "submit") else 1
        self.free, self.calls = Semaphore(count), ThreadPoolExecutor(count)

    def execute(self, requests: Sequence[Any]) -> None:
        """Begins a batch, and waits if there are as many already: Triton makes the next batch larger meanwhile."""
        self.free.acquire()
        self.calls.submit(self._run, requests, [request.get_response_sender() for request in requests])

    def finalize(self) -> None:
        """Ends after the batches that were begun."""
        self.calls.shutdown()

    def _run(self, requests: Sequence[Any], senders: Sequence[Any]) -> None:
        try:
            responses = self._responses(requests)
        except Exception as error:  # without an answer a request would wait forever
            responses = [_error(f"{type(error).__name__}: {error}") for _ in requests]
        finally:
            self.free.release()
        for sender, response in zip(senders, responses, strict=True):
            sender.send(response, flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _responses(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request: all in one batch where the model has one, else one after another."""
        if self.batched and len(requests) > 1:
            try:
                return self._answered(requests)
            except Exception:  # one by one, so that each has its own answer
                pass
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            return self._answered([request])[0]
        except TrtnetError as error:
            return _error(str(error))
        except Exception as error:  # of values that the model does not take
            return _error(f"{type(error).__name__}: {error}")

    def _answered(self, requests: Sequence[Any]) -> list[Any]:
        names = [info.name for info in self.function.inputs]
        arrays = {name: [to_array(triton.get_input_tensor_by_name(each, name)) for each in requests] for name in names}
        inputs = {name: np.concatenate(parts) if len(parts) > 1 else parts[0] for name, parts in arrays.items()}
        outputs = by_name(self.function(**inputs), self.function.outputs)
        if len(requests) == 1:
            return [_response(outputs)]
        ends = np.cumsum([len(part) for part in arrays[names[0]]])[:-1]
        parts = {name: np.split(array, ends) for name, array in outputs.items()}
        return [_response({name: parts[name][index] for name in outputs}) for index in range(len(requests))]


def _error(text: str) -> Any:
    return triton.InferenceResponse(output_tensors=[], error=triton.TritonError(text))


def _response(outputs: Mapping[str, Array]) -> Any:
    tensors = [to_tensor(triton.Tensor, name, array) for name, array in outputs.items()]
    return triton.InferenceResponse(output_tensors=tensors)
