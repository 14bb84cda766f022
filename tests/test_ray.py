"""Ray: datasets through a model, and jobs of `trtnet batch` in actors that are killed; where Ray is installed."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.docs.pages import ROOT, read
from helpers.processes import descendants, running
from helpers.tools.batches import ROWS, Doubling, check_results, job, written

import trtnet
from trtnet.models import lenet
from trtnet.support.errors import ExecutionError, InputError, TrtnetError
from trtnet.tools.batch.inputs import InputOptions
from trtnet.tools.batch.job import JobError, run_job

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'trtnet[ray]'")
pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'trtnet[ray]'")
from trtnet.ray import Predictor, in_actors, map_batches  # noqa: E402

SHARDS = 200
OF_RAY = {
    "PYTHONPATH": os.pathsep.join(sys.path),  # of actors, which import the helpers
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_memory_monitor_refresh_ms": "0",  # it ends actors when other processes need the machine's memory
}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A small cluster of its own; none of its processes is left."""
    folder = tempfile.mkdtemp(prefix="ray-")  # pytest's are too long for the names of sockets
    with pytest.MonkeyPatch.context() as patched:
        for name, value in OF_RAY.items():
            patched.setenv(name, value)
        ray.init(
            num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20, _temp_dir=folder
        )
        yield
        started = descendants(os.getpid())
        ray.shutdown()
    gone_by = time.monotonic() + 20
    while left := [pid for pid in started if running(pid)]:
        assert time.monotonic() < gone_by, f"left by Ray: {left}"
        time.sleep(0.05)
    shutil.rmtree(folder)


def test_a_dataset_gets_the_outputs_as_columns() -> None:
    values = np.arange(128, dtype=np.float32).reshape(64, 2)
    dataset = ray.data.from_items([{"id": index, "x": value} for index, value in enumerate(values)])
    rows = map_batches(dataset, Doubling(), batch_size=8).take_all()
    assert sorted(row["id"] for row in rows) == list(range(64))
    for row in rows:
        np.testing.assert_array_equal(row["y"], 2 * values[row["id"]])


def test_a_batch_that_does_not_fit_says_why() -> None:
    predictor = Predictor(Doubling(), InputOptions(), 8)
    with pytest.raises(InputError, match=r"has a column y already"):
        predictor({"x": np.zeros((1, 2), np.float32), "y": np.zeros(1)})
    with pytest.raises(InputError, match=r"x \[2\] float32: found \[3\]"):
        predictor({"x": np.zeros((1, 3), np.float32)})


def test_values_that_the_model_does_not_take_are_said() -> None:
    class Refusing:
        inputs, outputs = Doubling().open().inputs, Doubling().open().outputs

        def __call__(self, x: Any) -> Any:
            raise ExecutionError("the layer does not take these values")

    with pytest.raises(ExecutionError, match="does not take these values"):
        Predictor(SimpleNamespace(open=Refusing), InputOptions(), 8)({"x": np.zeros((1, 2), np.float32)})


def test_a_shard_that_kills_every_actor_fails_and_the_others_are_finished(tmp_path: Path) -> None:
    written(tmp_path / "in", 4)
    with pytest.raises(JobError, match=r"1 of 4 shards failed(?s:.*)002.parquet: its actor ended in .* of it, 3 times"):
        run_job(job(tmp_path, Doubling(kills=12.0)), in_actors(1))
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 3


def test_a_job_whose_workers_and_driver_are_killed_and_whose_disk_is_full_for_a_while_has_each_row_once(
    tmp_path: Path,
) -> None:
    written(tmp_path / "in", SHARDS)
    full = tmp_path / "full"
    first = Doubling(kills_once=SHARDS * ROWS / 5, once=str(tmp_path / "first"), full=str(full))
    last = Doubling(kills_once=SHARDS * ROWS * 0.8, once=str(tmp_path / "last"), full=str(full))
    script = (
        "import os, ray; from pathlib import Path; from helpers.tools.batches import Doubling, job;"
        "from trtnet.ray import in_actors; from trtnet.tools.batch.job import run_job;"
        f"ray.init(address={ray.get_runtime_context().gcs_address!r}, log_to_driver=False);"
        f"told = lambda text: text.startswith('{SHARDS // 3} of') and os.kill(os.getpid(), 9);"
        f"run_job(job(Path({str(tmp_path)!r}), {first!r}), in_actors(1), told=told)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    assert (tmp_path / "first").exists() and results(tmp_path) == SHARDS // 3

    def told(text: str) -> None:
        if text.startswith(f"{SHARDS // 2} of"):
            full.touch()

    with pytest.raises(TrtnetError, match="No space left on device"):
        run_job(job(tmp_path, last), in_actors(1), told=told)
    assert SHARDS // 2 <= (before := results(tmp_path)) < SHARDS * 4 // 5
    full.unlink()

    assert run_job(job(tmp_path, last), in_actors(2)).before == before and (tmp_path / "last").exists()
    check_results(tmp_path / "out", SHARDS)


def results(folder: Path) -> int:
    return len(list((folder / "out").glob("*.parquet")))


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
