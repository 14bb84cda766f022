"""The runtime cache's file: found again, replaced when damaged, one a GPU and version; on a fake TensorRT."""

from __future__ import annotations

import gc
import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeRuntimeConfig, Opener
from test_runtime import engine_of, x

from trtnet import backend
from trtnet.backend import supports
from trtnet.files import locked
from trtnet.runtime import Engine
from trtnet.runtime.cache import Kernels, RuntimeCache, cache_path

pytestmark = pytest.mark.skipif(not supports("runtime_cache"), reason="this TensorRT has no runtime cache")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Engine, Opener, Path]:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    engine.save(tmp_path / "e.engine")
    return engine, opener, cache_path(tmp_path / "e.engine", "Fake GPU")


def again(opener: Opener, path: Path) -> Engine:
    engine = Engine.load(path)
    engine._opener = opener
    return engine


def test_its_name_tells_gpu_and_version() -> None:
    found = cache_path(Path("models/e.engine"), "NVIDIA H200 NVL")
    assert found == Path(f"models/e.engine.NVIDIA_H200_NVL.{backend.name()}_{backend.version()}.cache")


def test_the_first_call_writes_it_and_the_next_process_reads_it(saved: tuple[Engine, Opener, Path]) -> None:
    engine, opener, path = saved
    assert not path.exists()
    np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
    assert path.exists()
    other = again(opener, path.parent / "e.engine")
    other(x())
    assert opener.engine.config.cache.loaded == b"kernels 1"
    assert [f.name for f in path.parent.iterdir() if f.suffix not in (".engine", ".json", ".lock")] == [path.name]


def test_what_is_compiled_later_is_written_at_the_end(tmp_path: Path) -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    engine.save(tmp_path / "e.engine")
    path = cache_path(tmp_path / "e.engine", "Fake GPU")
    engine(x())
    opener.engine.config.cache.kernels = b"kernels 1\nkernels 2"
    del engine, opener.engines[:]
    gc.collect()
    assert path.read_bytes().endswith(b"kernels 1\nkernels 2")


def test_a_start_that_compiles_nothing_writes_nothing(saved: tuple[Engine, Opener, Path]) -> None:
    engine, opener, path = saved
    engine(x())
    engine.close()
    path.chmod(0o444)
    before = path.stat().st_ino
    other = again(opener, path.parent / "e.engine")
    other(x())
    other.close()
    assert path.stat().st_ino == before


@pytest.mark.parametrize("damage", ["cut", "changed", "other", "empty", "TensorRT refuses"])
def test_a_damaged_file_is_a_warning_and_is_replaced(
    saved: tuple[Engine, Opener, Path], damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener, path = saved
    engine(x())
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-1], "changed": whole[:-1] + b"?", "other": b"abc", "empty": b""}.get(damage, whole)
    )
    if damage == "TensorRT refuses":
        monkeypatch.setattr("fakes.FakeRuntimeCache.refuses", True)
    other = again(opener, path.parent / "e.engine")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(other(x()), x() * 2 + 1)
    assert f"{path} is damaged" in caplog.text and opener.engine.config.cache.loaded == b""
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_a_warning(
    saved: tuple[Engine, Opener, Path], caplog: pytest.LogCaptureFixture
) -> None:
    engine, _, path = saved
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
    assert "cannot read the runtime cache" in caplog.text and "cannot write the runtime cache" in caplog.text


def kernels_of(cache: RuntimeCache) -> Kernels:
    with cache.kernels(FakeRuntimeConfig()) as kernels:
        return kernels


def test_of_what_another_process_wrote_meanwhile_the_larger_stays(tmp_path: Path) -> None:
    one, other = RuntimeCache(tmp_path / "k.cache"), RuntimeCache(tmp_path / "k.cache")
    first, second = kernels_of(one), kernels_of(other)
    first.trt.kernels, second.trt.kernels = b"of both the larger one", b"the smaller one"
    one.save(first)
    other.save(second)
    assert kernels_of(RuntimeCache(tmp_path / "k.cache")).trt.loaded == b"of both the larger one"


def test_a_lock_that_another_keeps_is_a_warning(
    saved: tuple[Engine, Opener, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, _, path = saved
    monkeypatch.setattr("trtnet.runtime.cache.locked", lambda where: locked(where, timeout=0.01))
    with locked(path), caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
    assert "cannot write the runtime cache" in caplog.text and not path.exists()


def test_a_context_gets_what_those_before_it_compiled_in_an_object_of_its_own() -> None:
    cache = RuntimeCache(None)
    first = kernels_of(cache)
    assert first.trt.loaded == b""
    second = kernels_of(cache)
    assert second.trt is not first.trt and second.trt.loaded == b"kernels 1"
    second.trt.kernels = b"kernels 1\nkernels 2"
    cache.drop(second)
    assert second.trt is None
    assert kernels_of(cache).trt.loaded == b"kernels 1\nkernels 2"


def test_contexts_are_made_one_at_a_time() -> None:
    cache, inside, most = RuntimeCache(None), [0], [0]

    def make() -> None:
        with cache.kernels(FakeRuntimeConfig()):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_an_engine_that_is_in_no_file_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine, opener = engine_of(lambda x: x * 2 + 1)
    engine(x())
    engine.session()(x())
    assert opener.engine.config.cache.loaded == b"kernels 1"
    engine.close()
    assert list(tmp_path.iterdir()) == []
