"""ResNet-50 from uint8 images: the model of Triton's python backend beside an engine's pipeline, on one GPU.

    python tests/benchmarks/triton_model.py [--batch 32] [--instances 2] [--seconds 5]

The code that `trtnet export triton --python` writes is run in this process, with a stand-in for the server's module.
Each instance has a thread that gives it requests, as the server does: a batch in the server's memory, and so is its
response. What it leaves out is the server itself: its queue, and what passes between its process and its instances';
tests/benchmarks/serving.py has both. Exits with 1 for a wrong answer.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.pipeline import batches_of, build, throughput

import trtnet
from trtnet.tools.export.triton.repository import of_engine, publish
from trtnet.tools.export.triton.serving import Serving

WARM_UP = 0.5
"""Seconds before a measurement begins."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--instances", type=int, default=2, help="one, and so many, are measured")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--reference", action="store_true", help="the CPU reference in the engine's place")
    options = parser.parse_args()
    network = build(options.batch, "float16", options.side)
    batches = batches_of(4, options.batch, options.side)
    with tempfile.TemporaryDirectory() as name:
        engine = Path(name) / "r50.engine"
        network.build().save(engine)
        publish(of_engine(engine, python=True), Path(name) / "models", "r50", Serving(max_batch_size=0))
        model_class = loaded(Path(name) / "models/r50/1/model.py")
        models = [instance(model_class, Path(name) / "models/r50") for _ in range(options.instances)]
        called = network.reference() if options.reference else trtnet.load(engine)
        for model in models if options.reference else []:
            model.function = called
        check(models[0], called, batches)
        found = {
            f"{count} instances": served(models[:count], batches, options.seconds) for count in (1, options.instances)
        }
        if not options.reference:
            pipeline = called.pipeline(repeated(batches), 3)
            found["pipeline"] = throughput(pipeline, options.seconds, 20, options.batch)
    for what, rate in found.items():
        share = f", {100 * rate / found['pipeline']:.1f} % of the pipeline" if "pipeline" in found else ""
        print(f"batch {options.batch}, {what}: {rate:.0f} images/s{share}", flush=True)


def loaded(file: Path) -> Any:
    """The class in model.py, with a stand-in for the server's module."""
    sys.modules["triton_python_backend_utils"] = SimpleNamespace(  # type: ignore[assignment]
        get_input_tensor_by_name=lambda request, name: request[name],
        Tensor=SimpleNamespace(from_dlpack=lambda name, array: (name, np.from_dlpack(array).copy())),
        InferenceResponse=lambda output_tensors, error=None: (dict(output_tensors), error),
        TritonError=str,
        TRITONSERVER_RESPONSE_COMPLETE_FINAL=1,
    )
    spec = importlib.util.spec_from_file_location("model", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TritonPythonModel


def instance(model_class: Any, folder: Path) -> Any:
    model = model_class()
    arguments = {"model_repository": str(folder), "model_version": "1", "model_instance_device_id": "0"}
    model.initialize(arguments | {"model_config": json.dumps({"max_batch_size": 0})})
    return model


class Request(dict[str, Any]):
    """Arrays by name; answered: how many requests were."""

    answered: itertools.count[int] = itertools.count()

    def get_response_sender(self) -> Request:
        return self

    def send(self, response: Any, flags: int) -> None:
        self.response = response
        self.done.set()
        next(self.answered)

    def __init__(self, image: Any) -> None:
        super().__init__(image=image)
        self.done = threading.Event()


def check(model: Any, called: Any, batches: list[Any]) -> None:
    """Every response against a call."""
    for image in batches:
        request = Request(image)
        model.execute([request])
        request.done.wait()
        outputs, error = request.response
        (found,) = outputs.values()
        want = called(image)
        assert error is None and found.shape == want.shape, error
        distance = np.linalg.norm(found.astype(np.float32) - want) / np.linalg.norm(want.astype(np.float32))
        if not distance < 1e-3:
            sys.exit(f"relative L2 {distance}")


def served(models: list[Any], batches: list[Any], seconds: float) -> float:
    """Images a second, of all instances at once."""
    until = time.perf_counter() + seconds + WARM_UP
    before = []

    def work(model: Any) -> None:
        images = repeated(batches)
        while time.perf_counter() < until:
            model.execute([Request(next(images))])  # waits while it has as many as it takes

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for wait in (WARM_UP, seconds):
        time.sleep(wait)
        before.append((next(Request.answered), time.perf_counter()))
    for thread in threads:
        thread.join()
    (first, start), (last, end) = before
    return (last - first - 1) * len(batches[0]) / (end - start)


def repeated(batches: list[Any]) -> Any:
    return itertools.cycle(batches)


if __name__ == "__main__":
    main()
