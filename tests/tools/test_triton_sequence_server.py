"""A model with states in a Triton server, with clients that send sequences; where nvidia-pytriton is installed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.tools.triton_clients import GrpcChannel, RejectedError
from helpers.tools.triton_sequences import MEAN, Talk
from helpers.tools.triton_server import Server, package

import trtnet
from trtnet.tools.export.triton.ensembles import Step, write_ensemble
from trtnet.tools.export.triton.models import served
from trtnet.tools.export.triton.repository import publish
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.networks import Choices

pytestmark = pytest.mark.skipif(
    package() is None, reason="Triton's server is not installed: pip install --no-deps nvidia-pytriton"
)
ROWS = 3
REQUESTS, CALLS = "nv_inference_request_success", "nv_inference_exec_count"
IDLE = 2.0
"""Seconds after which the server gives a sequence up."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("triton")
    (folder / "mean.py").write_text(MEAN)
    (folder / "steps.py").write_text("def after(output): return {'double': 2 * output}")
    made = served(f"{folder}/mean.py:Mean", Choices(dims=[f"streams=1:2:{ROWS}"]), python=True)
    after = Step(f"{folder}/steps.py:after", {"double": trtnet.Input(("streams", 2), "float32")})
    write_ensemble(made, folder / "models", "mean", Serving(idle=IDLE), None, after)
    publish(made, folder / "models", "slots", Serving(sequences="direct", warmup=True, max_batch_size=2))
    with Server(folder / "models", folder) as running:
        yield running


@pytest.mark.parametrize("model", ["mean_model", "slots"])
def test_every_sequence_has_its_own_state_and_its_own_errors(server: Server, model: str) -> None:
    requests, calls = (server.counts(metric)[model] for metric in (REQUESTS, CALLS))
    talk = Talk((server.http, server.grpc), model)
    talk.run(60, 6)
    assert talk.counts["chunks"] > 300 and len([kind for kind in talk.counts if kind.startswith("wrong")]) == 2
    server.wait_for_count(REQUESTS, model, requests + talk.counts["chunks"])
    assert 0 < server.counts(CALLS)[model] - calls < talk.counts["chunks"]


def test_an_idle_sequence_leaves_its_place_to_a_new_one(server: Server) -> None:
    with GrpcChannel(server.grpc) as channel:
        ask = {"sequence_start": True, "sequence_end": False}
        for number in range(ROWS):
            channel.infer("mean_model", values(number), sequence_id=f"idle{number}", **ask)
        until = time.monotonic() + 1.5 * IDLE  # the others stay awake, the first is given up
        while time.monotonic() < until:
            for number in range(1, ROWS):
                channel.infer("mean_model", values(number), sequence_id=f"idle{number}")
            time.sleep(IDLE / 10)
        found = channel.infer("mean_model", values(7), sequence_id="new", **ask)
        np.testing.assert_array_equal(found, [[7, 7]])
        for number in range(1, ROWS):
            found = channel.infer("mean_model", values(number), sequence_id=f"idle{number}", sequence_end=True)
            np.testing.assert_array_equal(found, [[number, number]])
        with pytest.raises(RejectedError, match="must specify the START flag"):
            channel.infer("mean_model", values(0), sequence_id="idle0")
        with pytest.raises(RejectedError, match="must specify a non-zero or non-empty correlation ID"):
            channel.infer("mean_model", values(0))


def values(number: int) -> dict[str, np.ndarray]:
    return {"x": np.full((1, 2), number, np.float32)}


def test_an_ensemble_of_a_model_with_states_and_a_step(server: Server) -> None:
    with GrpcChannel(server.grpc, "double") as channel:
        for number, mean in ((2, 2), (4, 3)):
            found = channel.infer("mean", values(number), sequence_id=5, sequence_start=number == 2)
            np.testing.assert_array_equal(found, [[2 * mean, 2 * mean]])
