"""Ray: datasets through a model, and jobs of `trtnet batch` in actors that are killed; where Ray is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tools.batches import Doubling, check_results, job, written

from trtnet.support.errors import InputError
from trtnet.tools.batch.inputs import InputOptions
from trtnet.tools.batch.job import run_job

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'trtnet[ray]'")
pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'trtnet[ray]'")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": environment})
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


def test_an_actor_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    from trtnet.ray import in_actors

    written(tmp_path / "in", 6)
    model: Any = Doubling(kills_once=12.0, once=str(tmp_path / "killed"))
    assert run_job(job(tmp_path, model), in_actors(1)).shards == 6
    assert (tmp_path / "killed").exists()
    check_results(tmp_path / "out", 6)
    assert run_job(job(tmp_path, model), in_actors(1)).before == 6
