"""A step around a model in Triton's python backend, a function of arrays; `trtnet export triton` puts it there."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from trtnet.tools.export.triton.server_tensors import to_array, to_tensor


class TritonPythonModel:
    """One instance of the step, by the name that Triton's python backend needs."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the function that lies beside this file."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.step = json.loads((folder / "step.json").read_text())
        spec = importlib.util.spec_from_file_location(f"step_{args['model_name']}", folder / "function.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.function = getattr(module, self.step["function"])
        self.dtypes = {
            each["name"]: triton.triton_string_to_numpy(each["data_type"])
            for each in json.loads(args["model_config"])["output"]
        }

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request, which is a call of the function."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            inputs = {name: triton.get_input_tensor_by_name(request, name) for name in self.step["inputs"]}
            found = self.function(**{name: to_array(tensor) for name, tensor in inputs.items()})
            return triton.InferenceResponse(output_tensors=[self._tensor(found, name) for name in self.step["outputs"]])
        except Exception as error:  # whatever the function raises is this request's answer
            return triton.InferenceResponse(
                output_tensors=[], error=triton.TritonError(f"{type(error).__name__}: {error}")
            )

    def _tensor(self, found: Mapping[str, Any], name: str) -> Any:
        if not isinstance(found, Mapping) or name not in found:
            gave = (
                ", ".join(map(str, found)) if isinstance(found, Mapping) else f"not a dict but {type(found).__name__}"
            )
            raise TypeError(f"{self.step['function']} is to give {', '.join(self.step['outputs'])}; it gave {gave}")
        array = np.asarray(found[name])
        if array.dtype != self.dtypes[name]:
            raise TypeError(f"{name} is {array.dtype}, the model takes {np.dtype(self.dtypes[name])}")
        return to_tensor(triton.Tensor, name, array)
