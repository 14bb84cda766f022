"""The timing cache: shared by builds at the same time, started afresh when damaged; on a fake TensorRT."""

from __future__ import annotations

import json
import logging
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from trtnet.builder.timing import timings
from trtnet.support import backend
from trtnet.support.errors import TrtnetError
from trtnet.support.files import locked


class FakeCache:
    """Timings by kernel, of one version of TensorRT."""

    def __init__(self, blob: bytes) -> None:
        document = json.loads(blob or b"{}")
        self.version, self.times = document.get("version", "1"), document.get("times", {})

    def combine(self, other: FakeCache, ignore_mismatch: bool) -> bool:
        if other.version != self.version:
            return False
        self.times = {**other.times, **self.times}
        return True

    def serialize(self) -> bytes:
        return json.dumps({"version": self.version, "times": self.times}).encode()


class FakeConfig:
    def __init__(self) -> None:
        self.cache: FakeCache | None = None

    def create_timing_cache(self, blob: bytes) -> FakeCache | None:
        try:
            return FakeCache(blob)
        except ValueError:
            return None

    def set_timing_cache(self, cache: FakeCache, ignore_mismatch: bool) -> bool:
        if cache.version != "1":
            return False
        self.cache = cache
        return True


@pytest.fixture(autouse=True)
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "name", lambda: "tensorrt")


def build(path: Path, kernel: str, meanwhile: Any = None) -> set[str]:
    """A build that measures one kernel. Returns what it knew before."""
    config: Any = FakeConfig()
    with timings(config, path):
        known = set(config.cache.times)
        config.cache.times[kernel] = 1.0
        if meanwhile is not None:
            meanwhile()
    return known


def kernels(path: Path) -> set[str]:
    return set(json.loads(path.read_bytes())["times"])


def test_a_build_starts_from_what_the_last_one_measured(tmp_path: Path) -> None:
    path = tmp_path / "t.cache"
    assert build(path, "a") == set() and build(path, "b") == {"a"} and kernels(path) == {"a", "b"}


def test_no_cache(tmp_path: Path) -> None:
    config: Any = FakeConfig()
    with timings(config, None):
        pass
    assert config.cache is None


def test_builds_at_the_same_time_lose_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.cache"
    build(path, "a")
    assert build(path, "b", meanwhile=lambda: build(path, "c")) == {"a"}
    assert kernels(path) == {"a", "b", "c"} and caplog.text == ""


def many(path: Path, seed: int) -> None:
    backend.name = lambda: "tensorrt"
    for step in range(5):
        build(path, f"{seed}.{step}")


@pytest.mark.parametrize("kind", [threading.Thread, multiprocessing.get_context("fork").Process])
def test_threads_and_processes_lose_nothing(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "t.cache"
    workers = [kind(target=many, args=(path, seed)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert kernels(path) == {f"{seed}.{step}" for seed in range(4) for step in range(5)}


def die_with_the_lock(path: Path) -> None:
    import os

    with locked(path):
        os._exit(1)


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "t.cache"
    process = multiprocessing.get_context("fork").Process(target=die_with_the_lock, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 1, "it had the lock"
    with locked(path, timeout=5), pytest.raises(TimeoutError):
        locked(path, timeout=0).__enter__()


@pytest.mark.parametrize("content", [b"{", b'{"version": "2", "times": {"old": 1}}'])
def test_a_damaged_or_foreign_file_is_a_warning_and_is_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t.cache"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert build(path, "a") == set()
    assert kernels(path) == {"a"}
    assert f"{path} is damaged, or is for another GPU or TensorRT; a new one is started" in caplog.text
    caplog.clear()
    assert build(path, "b") == {"a"} and caplog.text == ""


def test_a_lock_that_is_not_let_go_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t.cache"
    monkeypatch.setattr("trtnet.builder.timing.locked", lambda where: locked(where, timeout=0.01))
    with locked(path), caplog.at_level(logging.WARNING):
        build(path, "a")
    assert "the measurements of this build are lost" in caplog.text and not path.exists()


def test_a_place_that_cannot_be_written_is_an_error_before_the_build(tmp_path: Path) -> None:
    config: Any = FakeConfig()
    with pytest.raises(TrtnetError, match="cannot write"), timings(config, tmp_path / "none" / "t.cache"):
        raise AssertionError("the build began")


def test_a_failed_build_writes_nothing(tmp_path: Path) -> None:
    config: Any = FakeConfig()
    with pytest.raises(ZeroDivisionError), timings(config, tmp_path / "t.cache"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
