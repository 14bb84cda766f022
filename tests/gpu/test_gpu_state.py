"""States carried on a real GPU: 64 streams of ragged lengths, resets, errors in one stream, and a steady memory.

tests/conftest.py skips them where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.stateful import Cached, alone, chunks, network
from helpers.silero import SileroVAD

import trtnet
from trtnet import models
from trtnet.support.errors import CheckpointError, InputError
from trtnet.weights import rules, silero_vad

pytestmark = pytest.mark.gpu
STREAMS = 64
CLOSE = {"float32": 2e-3, "float16": 2e-2}
"""float32 products may be of TensorFloat-32: see docs/status.md."""


@cache
def engine(dtype: str = "float32") -> trtnet.Engine:
    return network(dtype).build({"streams": (1, STREAMS, STREAMS)})


@cache
def vad(dtype: str = "float32") -> tuple[trtnet.Engine, Any]:
    """Silero VAD with its published weights, and the original; skips where its file is neither there nor to be had."""
    try:
        path = silero_vad.jit()
    except CheckpointError as error:
        pytest.skip(f"{str(error).splitlines()[0]}: put the wheel of silero-vad into .gpu/wheels")
    made = trtnet.define(models.silero_vad(), weights=rules("silero_vad").apply(path), dtype=dtype)
    return made.build({"streams": (1, STREAMS, STREAMS)}), torch.jit.load(str(path)).eval()


def close(found: Any, expected: Any, limit: float = CLOSE["float32"]) -> None:
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, atol=limit, rtol=0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("cuda_graph", [True, False])
def test_64_streams_of_ragged_lengths_take_200_sequences(dtype: str, cuda_graph: bool) -> None:
    rng = np.random.default_rng(0)
    sequences = [chunks(number, int(rng.integers(1, 40))).astype(dtype) for number in range(200)]
    streams = trtnet.Streams(engine(dtype), STREAMS, cuda_graph=cuda_graph)
    for sequence, found in zip(sequences, streams.run(sequences), strict=True):
        close(found["y"], alone(sequence.astype(np.float32)), CLOSE[dtype])
        assert found["count"].tolist() == list(range(1, len(sequence) + 1))


def test_resets_and_errors_in_one_stream_leave_the_others_right() -> None:
    rng, streams = np.random.default_rng(1), trtnet.Streams(engine(), STREAMS)
    given: list[list[Any]] = [[] for _ in range(STREAMS)]
    for step in range(120):
        now: dict[int, Any] = {
            int(n): rng.standard_normal(3).astype(np.float32) for n in np.flatnonzero(rng.random(STREAMS) < 0.6)
        }
        reset, bad = int(rng.integers(STREAMS)), int(rng.integers(STREAMS))
        streams.reset(reset)
        given[reset].clear()
        now[bad] = np.ones(5, np.float32) if step % 2 else np.ones(3)
        found = streams.step(now)
        assert isinstance(found.pop(bad), InputError)
        for number, result in found.items():
            given[number].append(now[number])
            assert result["count"] == len(given[number])
            if step % 20 == 19:
                close(result["y"], alone(given[number])[-1])


def test_a_sequence_that_raises_ends_alone() -> None:
    def failing() -> Iterator[Any]:
        yield from chunks(3, 4)
        raise OSError("the microphone is gone")

    good = [chunks(number, 30) for number in range(10)]
    found = trtnet.Streams(engine(), 4).run([good[0], failing(), *good[1:]])
    assert isinstance(found[1], OSError)
    for sequence, result in zip(good, [found[0], *found[2:]], strict=True):
        close(result["y"], alone(sequence))


def test_a_nan_stays_in_its_stream_until_it_is_reset() -> None:
    streams, x = trtnet.Streams(engine(), STREAMS), np.ones((STREAMS, 3), np.float32)
    wrong = x.copy()
    wrong[7] = np.nan
    streams(wrong)
    found = streams(x)["y"]
    assert np.isnan(found[7]).all() and np.isfinite(np.delete(found, 7, 0)).all()
    streams.reset(7)
    close(streams(x)["y"][7], alone(x[:1])[0])


def test_10000_steps_take_no_memory_and_two_graphs() -> None:
    streams = trtnet.Streams(engine(), STREAMS)
    x = torch.randn(STREAMS, 3, device="cuda")
    out = {"y": torch.empty(STREAMS, 2, device="cuda"), "count": torch.empty(STREAMS, dtype=torch.int32, device="cuda")}
    few, rest = range(0, STREAMS, 2), range(1, STREAMS, 2)
    for _ in range(8):
        streams(x, out=out)
    torch.cuda.synchronize()
    before, free = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[0]
    for step in range(10_000):
        streams(x, out=out, active=few if step % 2 else rest)
        if step % 1000 == 999:
            streams.reset(step % STREAMS)
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() == before
    assert free - torch.cuda.mem_get_info()[0] <= 1 << 20, "the device's memory grew by more than a MiB"
    assert streams._call.no_cuda_graph == "" and len(streams._call._launcher.graphs._graphs) == 2
    assert streams.state(STREAMS - 2)["steps"].item() + streams.state(STREAMS - 1)["steps"].item() <= 10_016


def test_a_cache_in_place_is_written_where_it_is() -> None:
    made = trtnet.define(Cached())
    streams = trtnet.Streams(made.build({"streams": (1, 2, 8)}), 2)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for step in range(8):
        np.testing.assert_array_equal(streams(x, np.full(2, step, np.int32)), (step + 1) * x)
    assert len(streams._call.carried._kept[0].buffers) == 1, "the backend aliases the cache"
    streams.reset(0)
    np.testing.assert_array_equal(streams(x, np.full(2, 7, np.int32)), [x[0], 8 * x[1]])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_silero_vad_gives_the_published_probabilities_for_64_streams(dtype: str) -> None:
    made, original = vad(dtype)
    sound = np.random.default_rng(0).standard_normal((100, STREAMS, 512)).astype(np.float32)
    sound *= 0.2 * np.sin(np.arange(512) / 20) * np.random.default_rng(1).random((100, STREAMS, 1))
    original.reset_states()
    with torch.inference_mode():
        expected = np.stack([original(torch.from_numpy(chunk), 16000).numpy() for chunk in sound])
    streams = trtnet.Streams(made, STREAMS)
    found = np.stack([streams(chunk.astype(dtype)) for chunk in sound])
    close(found, expected, {"float32": 5e-3, "float16": 3e-2}[dtype])


def test_drift_over_100_steps_is_one_call() -> None:
    torch.manual_seed(1)
    original = SileroVAD().eval()
    made = trtnet.define(models.silero_vad(), weights=rules("silero_vad").apply(original))
    report = trtnet.compare(made.build({"streams": 4}), original, steps=100, dims={"streams": 4})
    print(report)
    assert report.passed and all(len(output.iterations) == 100 for output in report.outputs)
