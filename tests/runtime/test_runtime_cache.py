"""The runtime cache's file: found again, replaced when damaged, one a GPU and version; on a fake TensorRT."""

from __future__ import annotations

import gc
import logging
import weakref
from pathlib import Path

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import FakeRuntimeCache, FakeRuntimeConfig, Opener
from helpers.threads import in_threads

from trtnet.runtime import Engine
from trtnet.runtime.loaded.kernel_cache import RuntimeCache, cache_path
from trtnet.support import backend
from trtnet.support.backend import supports
from trtnet.support.files import locked

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


def test_the_second_call_writes_it_and_the_next_process_reads_it(saved: tuple[Engine, Opener, Path]) -> None:
    engine, opener, path = saved
    np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
    assert not path.exists(), "the first result waits for it"
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
    engine.close()
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-1], "changed": whole[:-1] + b"?", "other": b"abc", "empty": b""}.get(damage, whole)
    )
    if damage == "TensorRT refuses":
        monkeypatch.setattr(FakeRuntimeCache, "refuses", True)
    other = again(opener, path.parent / "e.engine")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(other(x()), x() * 2 + 1)
        other.close()
    assert f"{path} is damaged" in caplog.text and opener.engine.config.cache.loaded == b""
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_a_warning(
    saved: tuple[Engine, Opener, Path], caplog: pytest.LogCaptureFixture
) -> None:
    engine, _, path = saved
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
        engine.close()
    assert "cannot read the runtime cache" in caplog.text and "cannot write the runtime cache" in caplog.text


def opened(cache: RuntimeCache) -> FakeRuntimeCache:
    """TensorRT's object after a context is made and has compiled."""
    config = FakeRuntimeConfig()
    with cache.turn("kernels"):
        kernels: FakeRuntimeCache = cache.attach(config)
    assert config.cache is kernels
    return kernels


def test_of_what_another_process_wrote_meanwhile_the_larger_stays(tmp_path: Path) -> None:
    one, other = RuntimeCache(tmp_path / "k.cache"), RuntimeCache(tmp_path / "k.cache")
    opened(one).kernels, opened(other).kernels = b"of both the larger one", b"the smaller one"
    one.save()
    other.save()
    assert opened(RuntimeCache(tmp_path / "k.cache")).loaded == b"of both the larger one"


def test_a_lock_that_another_keeps_is_a_warning(
    saved: tuple[Engine, Opener, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, _, path = saved
    monkeypatch.setattr("trtnet.runtime.loaded.kernel_cache.locked", lambda where: locked(where, timeout=0.01))
    with locked(path), caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
        engine.close()
    assert "cannot write the runtime cache" in caplog.text and not path.exists()


def test_contexts_share_one_object_as_long_as_the_last_of_them_lives() -> None:
    cache = RuntimeCache(None)
    kernels = opened(cache)
    assert opened(cache) is kernels
    gone = weakref.ref(kernels)
    cache.close()
    assert gone() is kernels
    del kernels
    assert gone() is None


def test_while_an_engine_runs_it_is_written_when_something_was_compiled_and_a_second_has_passed(tmp_path: Path) -> None:
    now = 100.0
    cache = RuntimeCache(tmp_path / "k.cache", clock=lambda: now)
    kernels = opened(cache)

    def writes() -> bool:
        before = cache.path.read_bytes() if cache.path.exists() else b""
        cache.save_soon()
        return cache.path.exists() and cache.path.read_bytes() != before

    assert writes()
    kernels.kernels += b"\nkernels 2"
    now += 10
    assert not writes(), "nobody said that something was compiled"
    with cache.turn("kernels"):
        assert not writes()
    assert not writes(), "what the same turn compiled before"
    for shape in range(2, 4):
        kernels.kernels += b"\nkernels %d" % shape
        with cache.turn("kernels", shape):
            pass
        now += 0.5
        assert not writes() if shape == 3 else writes()
    now += 0.5
    assert writes() and not writes()


def test_contexts_take_turns_where_kernels_are_looked_up() -> None:
    """In the fake, any two of these at a time fail: 8 threads make, run, change and close contexts of one engine."""
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=[{"n": (1, 2, 4)}, {"n": (5, 6, 9)}])

    def work(seed: int) -> None:
        session = engine.session()
        for step in range(6):
            rows = (seed * 5 + step * 3) % 9 + 1
            given = np.ones((rows, 3), np.float32)
            np.testing.assert_array_equal(session(given), given * 3)
        session.close()

    in_threads(work, 8)
    assert opener.engine.looked_up >= 8 * 8


def test_shapes_that_came_just_before_need_no_turn() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    session = engine.session(cuda_graph=False)
    session(x())
    before = opener.engine.looked_up
    for _ in range(3):
        session(x())
    assert opener.engine.looked_up == before
    session(np.ones((1, 3), np.float32))
    session(x())
    assert opener.engine.looked_up == before + 2


def test_an_engine_that_is_in_no_file_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine, opener = engine_of(lambda x: x * 2 + 1)
    engine(x())
    engine.session()(x())
    assert opener.engine.config.cache.kernels == b"kernels 1"
    engine.close()
    assert list(tmp_path.iterdir()) == []
