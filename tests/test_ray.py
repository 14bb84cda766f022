"""Ray: datasets through a model, and jobs of `trtnet batch` in actors that are killed; where Ray is installed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.docs.pages import ROOT, read
from helpers.tools.batches import Doubling, check_results, job, written

import trtnet
from trtnet.models import lenet
from trtnet.support.errors import InputError, TrtnetError
from trtnet.tools.batch.inputs import InputOptions
from trtnet.tools.batch.job import JobError, run_job

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'trtnet[ray]'")
pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'trtnet[ray]'")


OF_ACTORS = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
SHARDS = 6


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=OF_ACTORS)
    yield
    ray.shutdown()


def test_a_dataset_gets_the_outputs_as_columns() -> None:
    from trtnet.ray import map_batches

    values = np.arange(128, dtype=np.float32).reshape(64, 2)
    dataset = ray.data.from_items([{"id": index, "x": value} for index, value in enumerate(values)])
    rows = map_batches(dataset, Doubling(), batch_size=8).take_all()
    assert sorted(row["id"] for row in rows) == list(range(64))
    for row in rows:
        np.testing.assert_array_equal(row["y"], 2 * values[row["id"]])


def test_a_batch_that_does_not_fit_says_why() -> None:
    from trtnet.ray import Predictor

    predictor = Predictor(Doubling(), InputOptions(), 8)
    with pytest.raises(InputError, match=r"has a column y already"):
        predictor({"x": np.zeros((1, 2), np.float32), "y": np.zeros(1)})
    with pytest.raises(InputError, match=r"x \[2\] float32: found \[3\]"):
        predictor({"x": np.zeros((1, 3), np.float32)})


def finish(folder: Path, model: Any) -> int:
    """The next run, undisturbed: the results are those of a job that never was disturbed. How many were done before."""
    from trtnet.ray import in_actors

    done = run_job(job(folder, model), in_actors(2))
    check_results(folder / "out", SHARDS)
    return done.before


def test_an_actor_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    written(tmp_path / "in", SHARDS)
    model = Doubling(kills_once=12.0, once=str(tmp_path / "killed"))
    assert finish(tmp_path, model) == 0 and (tmp_path / "killed").exists()
    assert finish(tmp_path, model) == SHARDS


def test_a_shard_that_kills_every_actor_fails_and_the_others_are_finished(tmp_path: Path) -> None:
    from trtnet.ray import in_actors

    written(tmp_path / "in", SHARDS)
    with pytest.raises(JobError, match=r"1 of 6 shards failed(?s:.*)002: its actor ended in the middle of it, 3 times"):
        run_job(job(tmp_path, Doubling(kills=12.0)), in_actors(2))
    assert finish(tmp_path, Doubling()) == SHARDS - 1


def test_a_driver_that_is_killed_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    written(tmp_path / "in", SHARDS)
    script = (
        "import os, ray; from pathlib import Path; from helpers.tools.batches import Doubling, job;"
        "from trtnet.ray import in_actors; from trtnet.tools.batch.job import run_job;"
        f"ray.init(address={ray.get_runtime_context().gcs_address!r}, log_to_driver=False, runtime_env={OF_ACTORS!r});"
        "told = lambda text: text.startswith('3 of') and os.kill(os.getpid(), 9);"
        f"run_job(job(Path({str(tmp_path)!r}), Doubling()), in_actors(1), told=told)"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **OF_ACTORS["env_vars"]})
    assert done.returncode == -9
    assert finish(tmp_path, Doubling()) == 3


def test_a_full_disk_ends_the_job_which_goes_on_when_there_is_room(tmp_path: Path) -> None:
    from trtnet.ray import in_actors

    written(tmp_path / "in", SHARDS)
    (tmp_path / "full").touch()
    model = Doubling(full=str(tmp_path / "full"))
    with pytest.raises(TrtnetError, match="No space left on device"):
        run_job(job(tmp_path, model), in_actors(1))
    (tmp_path / "full").unlink()
    assert finish(tmp_path, model) == 2


# Ray Serve
def test_the_deployment_of_the_guide_batches_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve = pytest.importorskip("ray.serve", reason="Ray Serve is not installed: pip install 'ray[serve]'")
    (block,) = [block for block in read(ROOT / "docs/guide/serve.md").blocks if block.title == "digits.py"]
    (tmp_path / "digits.py").write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    digits = importlib.import_module("digits")
    images = np.random.default_rng(0).random((64, 1, 28, 28)).astype(np.float32)
    expected = trtnet.define(lenet(), weights="trtnet:lenet.safetensors").reference()(images).argmax(1).tolist()
    ray.cloudpickle.register_pickle_by_value(digits)  # the replica does not have the file
    serve.start(proxy_location="Disabled")  # requests come by the handle
    try:
        handle = serve.run(digits.app, route_prefix=None)
        answers = [handle.remote(image) for image in images]
        assert [answer.result(timeout_s=60) for answer in answers] == expected
    finally:
        serve.shutdown()
        sys.modules.pop("digits")
