"""Sessions on a real GPU: CUDA graphs, given results, streams, the runtime cache; tests/conftest.py skips them."""

from __future__ import annotations

import gc
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.gpu import raw
from helpers.gpu.engines import batch, engine, equal, mixing, on_gpu, x
from helpers.host_memory import allocated
from helpers.processes import output_of
from helpers.threads import in_threads

import trtnet
from trtnet.runtime.execution import context_options as creation
from trtnet.support.backend import supports
from trtnet.support.errors import DeviceError, InputError
from trtnet.tools.warm import warm

pytestmark = pytest.mark.gpu


def expected(given: torch.Tensor) -> dict[str, torch.Tensor]:
    a = given.float()
    return {"mixed": torch.softmax(a @ a.transpose(1, 2), -1) @ a, "twice": a * 2}


def close(found: dict[str, Any], given: torch.Tensor) -> None:
    for name, want in expected(given).items():
        got = torch.as_tensor(found[name]).to(want.device).float()
        assert float((got - want).norm() / want.norm()) < 5e-3, name


@pytest.mark.parametrize("lifetime", [math.inf, 10], ids=["one context", "new contexts"])
def test_graphs_over_two_profiles_and_many_shapes_in_changing_order(
    lifetime: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtnet.runtime.execution.context.lifetime", lambda: lifetime)
    session = mixing().session()
    buffers = {n: (batch(n, n), {k: v.half() for k, v in expected(batch(n, n)).items()}) for n in (1, 2, 8, 9, 16, 64)}
    for step in range(120):
        n = list(buffers)[(step * 5 + step // 7) % 6]
        given, out = buffers[n]
        given.copy_(batch(n, step))
        for tensor in out.values():
            tensor.fill_(float("nan"))
        assert session(given, out=out)["mixed"] is out["mixed"]
        close(out, given)
    assert session.no_cuda_graph == ""


def test_graphs_of_numpy_calls() -> None:
    session = mixing().session()
    for step in range(60):
        given = batch((1, 8, 16, 3)[step % 4], step)
        close(session(given.cpu().numpy()), given)


@pytest.mark.parametrize("kind", ["default", "other"])
def test_streams_of_torchs(kind: str) -> None:
    session, stream = mixing().session(), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream if kind == "other" else torch.cuda.current_stream()):
        given, out = batch(4, 0), {"mixed": batch(4, 1), "twice": batch(4, 2)}
        for step in range(20):
            torch.cuda._sleep(1_000_000)
            given.copy_(batch(4, step))
            close(session(given, out=out), given)


def test_a_given_stream() -> None:
    stream = torch.cuda.Stream()
    session = mixing().session(stream=stream)
    given = batch(4, 0)
    for _ in range(4):
        close(session(given), given)
        close(session(given.cpu().numpy()), given)


def test_other_libraries_arrays_through_dlpack_and_cuda_array_interface() -> None:
    class Array:
        """What numba or cupy would hand over."""

        def __init__(self, tensor: torch.Tensor) -> None:
            self.tensor, self.shape, self.dtype = tensor, tuple(tensor.shape), np.dtype(np.float32)
            self.__class__.__module__ = "elsewhere"

        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            return self.tensor.__cuda_array_interface__

    class Packed(Array):
        def __dlpack__(self, **options: Any) -> Any:
            return self.tensor.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.tensor.__dlpack_device__()

    for kind in (Array, Packed):
        equal(engine()(kind(on_gpu(x(5)))), x(5))


def test_given_results_of_another_shape_are_refused_and_nothing_is_written() -> None:
    out = torch.full((4, raw.COLUMNS), 7.0, device="cuda")
    with pytest.raises(InputError, match="out= of output"):
        engine()(on_gpu(x(5)), out=out)
    assert bool((out == 7).all())


def test_a_capture_that_cuda_refuses_is_an_error_and_hurts_nothing_else() -> None:
    made = mixing()
    device, given = made.open().device, batch(4, 0)
    stream = device.create_stream()
    for _ in range(3):
        with pytest.raises(DeviceError, match="CUDA did not capture the graph"):
            device.capture(lambda: device.synchronize(stream), stream)
        gc.collect()
    session = made.session()
    out = {name: tensor.clone() for name, tensor in session(given).items()}
    for _ in range(4):
        close(session(given, out=out), given)
    assert session.no_cuda_graph == ""


@pytest.mark.skipif(not supports("cuda_graph_strategy"), reason="this TensorRT makes no CUDA graphs by itself")
def test_graphs_of_the_backend_over_shapes_and_addresses() -> None:
    session = mixing().session(cuda_graph="backend")
    for step in range(40):
        given = batch((1, 8, 9)[step % 3], step)
        close(session(given), given)
        close(session(given.cpu().numpy()), given)
    assert session.no_cuda_graph == ""


@pytest.mark.alone
def test_device_memory_does_not_grow() -> None:
    made = mixing()
    sessions = [made.session() for _ in range(2)]
    rng = np.random.default_rng(0)

    def run(steps: int) -> None:
        for step in range(steps):
            given = batch(int(rng.integers(1, 65)), step)
            close(sessions[step % 2](given), given)

    run(150)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.mem_get_info()[0]
    run(300)
    gc.collect()
    torch.cuda.empty_cache()
    assert before - torch.cuda.mem_get_info()[0] < 8 << 20


def test_host_memory_does_not_grow_where_shapes_change() -> None:
    """TensorRT-RTX keeps some of it for each change, until its context goes."""
    session, given = mixing().session(cuda_graph=False), [batch(n, n) for n in (1, 2, 9)]

    def run(steps: int) -> None:
        for step in range(steps):
            close(session(given[step % 3]), given[step % 3])

    run(creation.SHAPE_CHANGES)
    before = allocated()
    run(3 * creation.SHAPE_CHANGES)
    assert allocated() - before < 1 << 20


def test_threads_with_a_session_each() -> None:
    made = mixing()

    def work(seed: int) -> None:
        session = made.session()
        for step in range(30):
            given = batch(1 + (seed * 7 + step) % 64, seed * 100 + step)
            close(session(given), given)

    in_threads(work)


@pytest.mark.skipif(not supports("runtime_cache"), reason="this TensorRT has no runtime cache")
def test_the_runtime_cache_is_written_and_read(tmp_path: Path) -> None:
    mixing().save(tmp_path / "m.engine")
    for _ in range(2):
        with trtnet.load(tmp_path / "m.engine") as made:
            close(made(batch(8, 0)), batch(8, 0))
        (cache,) = tmp_path.glob("m.engine.*.cache")
        assert cache.stat().st_size > 1000
        size = cache.stat().st_size
        cache.write_bytes(cache.read_bytes()[:-1])
    with trtnet.load(tmp_path / "m.engine") as made:
        close(made(batch(8, 0)), batch(8, 0))
    assert cache.stat().st_size == size


@pytest.mark.skipif(not supports("runtime_cache"), reason="this TensorRT has no runtime cache")
def test_shapes_that_were_warmed(tmp_path: Path) -> None:
    mixing().save(tmp_path / "m.engine")
    warmed = warm(tmp_path / "m.engine", {"n": [1, 8, 9]})
    assert [call.sizes for call in warmed.calls] == [{"n": 1}, {"n": 8}, {"n": 9}]
    assert warmed.nbytes == warmed.cache.stat().st_size > 1000
    with trtnet.load(tmp_path / "m.engine") as made:
        for n in (1, 8, 9):
            close(made(batch(n, n).cpu().numpy()), batch(n, n))


LEAVES = """
import itertools
from helpers.gpu.engines import batch, mixing

engines, given = [mixing() for _ in range(3)], batch(4, 0)
kept = []
for engine in engines:
    kept += [engine.session(), engine.session(cuda_graph=False), engine.batcher(8)]
    with_graph, without, batcher = kept[-3:]
    for _ in range(3):
        with_graph(given)
        without(given)
        batcher.submit(given[0].cpu().numpy()).result()
    kept.append(engine.pipeline(given.cpu().numpy() for _ in itertools.count()))
    next(kept[-1])
    kept.append(engine.submit(given.cpu().numpy()))
kept.append(kept)
print("left")
"""


def test_a_process_may_end_with_all_open() -> None:
    """Python takes what is left apart in any order, which TensorRT does not survive: trtnet does before."""
    for _ in range(3):
        assert output_of(LEAVES) == "left\n"
