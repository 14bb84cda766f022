"""What `trtnet export triton` writes, in a Triton server with real clients; where nvidia-pytriton is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpc
from helpers.tools.triton_clients import BATCH, LENGTH, MODEL, Load, by_shared_memory
from helpers.tools.triton_server import Server, package
from helpers.waiting import wait_for

import trtnet
from trtnet.tools.export.triton.ensembles import Step, write_ensemble
from trtnet.tools.export.triton.models import served
from trtnet.tools.export.triton.repository import Served, publish
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.networks import Choices

pytestmark = pytest.mark.skipif(
    package() is None, reason="Triton's server is not installed: pip install --no-deps nvidia-pytriton"
)
STEPS = """import numpy as np
def before(values): return {"a": values.astype(np.float32), "b": np.ones(values.shape, np.float32)}
def after(output):
    if output[0, 0] == 0: raise ValueError("nothing to sum")
    return {"total": output.sum(1)}
"""
SERVING = Serving(warmup=True, cache=True, versions=2)


def version(folder: Path, factor: int) -> Served:
    (folder / "mine.py").write_text(MODEL)
    choices = Choices(dims=[f"batch=1:4:{BATCH}", f"length=1:8:{LENGTH}"], arguments=[f"factor={factor}"])
    return served(f"{folder}/mine.py:Sum", choices, python=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("triton")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    (folder / "steps.py").write_text(STEPS)
    before = Step(f"{folder}/steps.py:before", {"values": trtnet.Input(("batch", "length"), "int64")})
    after = Step(f"{folder}/steps.py:after", {"total": trtnet.Input(("batch",), "float32")})
    write_ensemble(version(folder, 2), folder / "models", "sum", SERVING, before, after)
    with Server(folder / "models", folder, "explicit", "--cache-config=local,size=1048576") as running:
        yield running


def test_every_answer_is_right_and_every_failure_its_own_while_the_server_is_killed_and_the_model_updated(
    folder: Path, server: Server
) -> None:
    load = Load((server.http, server.grpc), "sum_model", (2, 3))

    def during(load: Load) -> None:
        load.wait_for(100)
        server.kill()
        server.start()
        publish(version(folder, 3), folder / "models", "sum_model", SERVING)
        server.load("sum_model")
        load.factors = (3,)

    load.run(600, 8, during)
    wrong = {kind for kind in load.counts if kind.startswith("wrong")}
    assert len(wrong) == 5 and load.counts["sent again"] > 0 and "PyCapsule" not in server.log()
    assert server.counts("nv_inference_request_success")["sum_model"] > 0


def test_the_last_two_versions_are_served(folder: Path, server: Server) -> None:
    if not (folder / "models" / "sum_model" / "2").exists():  # this test alone, or beside the one before it
        publish(version(folder, 3), folder / "models", "sum_model", SERVING)
        server.load("sum_model")
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        given = [grpc.InferInput(name, (1, 2), "FP32") for name in "ab"]
        for each in given:
            each.set_data_from_numpy(np.ones((1, 2), np.float32))
        found = [client.infer("sum_model", given, model_version=asked).as_numpy("output") for asked in ("1", "2", "")]
    assert [each.tolist() for each in found] == [[[2 * factor, 2 * factor]] for factor in (2, 3, 3)]


def test_arrays_of_no_elements_are_answered(server: Server) -> None:
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        given = [grpc.InferInput(name, (2, 0), "FP32") for name in "ab"]
        for each in given:
            each.set_data_from_numpy(np.ones((2, 0), np.float32))
        assert client.infer("sum_model", given).as_numpy("output").shape == (2, 0)


def test_shared_memory_and_the_response_cache(server: Server) -> None:
    arrays = {name: np.random.default_rng(0).integers(0, 9, (4, 7)).astype(np.float32) for name in "ab"}
    hits = server.counts("nv_cache_num_hits_per_model")["sum_model"]

    def is_kept() -> bool:  # an answer may be kept after it was sent
        found = by_shared_memory(server.grpc, "sum_model", arrays)
        assert any(np.array_equal(found, (arrays["a"] + arrays["b"]) * factor) for factor in (2, 3))
        return server.counts("nv_cache_num_hits_per_model")["sum_model"] > hits

    wait_for(is_kept, 10, lambda: "the response cache has no hit")


def test_an_ensemble_prepares_and_sums(server: Server) -> None:
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        values = np.arange(12, dtype=np.int64).reshape(3, 4)
        given = grpc.InferInput("values", values.shape, "INT64")
        given.set_data_from_numpy(values)
        found = client.infer("sum", [given]).as_numpy("total")
        assert any(np.array_equal(found[:, 0], (values + 1).sum(1) * factor) for factor in (2, 3))
        given.set_data_from_numpy(np.full((3, 4), -1))
        with pytest.raises(Exception, match="ValueError: nothing to sum"):
            client.infer("sum", [given])
