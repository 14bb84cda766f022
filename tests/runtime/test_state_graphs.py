"""States on a fake GPU in the steady state: two CUDA graphs in turn, nothing allocated, no state copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.runtime.fakes import FakeDevice, Opener
from helpers.runtime.stateful import alone, chunks, engine_of, network

import trtnet

STREAMS = 64


@pytest.fixture
def made() -> tuple[trtnet.Streams, Opener]:
    engine, opener = engine_of(network())
    return trtnet.Streams(engine, STREAMS), opener


def allocated(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each allocation, on the GPU or page-locked, from now on."""
    found: list[int] = []
    for name in ("allocate", "allocate_host"):
        original = getattr(device, name)
        monkeypatch.setattr(device, name, lambda n, *args, original=original: found.append(n) or original(n, *args))
    return found


def moved(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each copy and of each memset from now on."""
    found: list[int] = []
    for name, size in (("upload", 2), ("download", 2), ("copy", 2), ("zero", 2)):
        original = getattr(device, name)

        def counted(*args: Any, original: Any = original, size: int = size) -> None:
            found.append(args[size])
            original(*args)

        monkeypatch.setattr(device, name, counted)
    pageable = device.upload_pageable

    def uploaded(source: np.ndarray, *args: Any) -> None:
        found.append(source.nbytes)
        pageable(source, *args)

    monkeypatch.setattr(device, "upload_pageable", uploaded)
    return found


def test_the_same_calls_are_two_graphs_in_turn(made: tuple[trtnet.Streams, Opener]) -> None:
    streams, opener = made
    given = np.stack([chunks(number, 12) for number in range(STREAMS)], 1)
    found = [streams(x)["y"] for x in given]
    assert [len(graph.launches) for graph in opener.device.graphs] == [4, 4]
    for number in (0, 17, 63):
        np.testing.assert_allclose([y[number] for y in found], alone(given[:, number]), atol=1e-6)


def test_steps_allocate_nothing_and_copy_no_state(
    made: tuple[trtnet.Streams, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, opener = made
    x, device = np.zeros((STREAMS, 3), np.float32), opener.device
    for _ in range(6):
        streams(x)
    more, launched, sizes = allocated(device, monkeypatch), len(device.graphs), moved(device, monkeypatch)
    for step in range(50):
        streams(x, active=[number for number in range(STREAMS) if number % 3 != step % 3])
    assert not more and len(device.graphs) == launched == 2
    mask, inputs, outputs = STREAMS, x.nbytes, [STREAMS * 2 * 4, STREAMS * 4]
    assert sorted(sizes) == sorted(50 * [mask, inputs, *outputs])
    sizes.clear()
    streams(x, active=[1])
    streams(x, active=[1])  # the mask is there
    streams.reset(5)
    assert sorted(sizes) == sorted([mask, *2 * [inputs, *outputs], 4 * 4, 4])
    assert not more


def test_tensors_on_the_gpu_are_taken_and_written_where_they_are(
    made: tuple[trtnet.Streams, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, opener = made
    device = opener.device
    device.activate()
    x = opener.torch.tensor(np.zeros((STREAMS, 3), np.float32))
    out = {
        "y": opener.torch.tensor(np.zeros((STREAMS, 2), np.float32)),
        "count": opener.torch.tensor(np.zeros(STREAMS, np.int32)),
    }
    device.synchronize(device.streams[0])
    given = np.stack([chunks(number, 12) for number in range(STREAMS)], 1)
    taking, expected = [], np.zeros(STREAMS)
    for step, values in enumerate(given):
        active = range(STREAMS) if step < 8 else range(10)
        x.values[...] = values
        streams(x, out=out, active=active)
        device.synchronize(device.streams[0])
        expected[active] += 1
        taking.append(out["y"].values[5].copy())
        assert np.array_equal(out["count"].values[:10], expected[:10])
        if step == 4:
            more = allocated(device, monkeypatch)
    np.testing.assert_allclose(taking, alone(given[:, 5]), atol=1e-6)
    assert [len(graph.launches) for graph in device.graphs] == [4, 4]
    assert not more
    assert streams.state(20)["steps"].tolist() == [8] and streams.state(3)["steps"].tolist() == [12]


def test_results_on_the_gpu_without_a_place_are_new_tensors(made: tuple[trtnet.Streams, Opener]) -> None:
    streams, opener = made
    opener.device.activate()
    x = opener.torch.tensor(np.ones((STREAMS, 3), np.float32))
    first, second = streams(x), streams(x)
    opener.device.synchronize(opener.device.streams[0])
    assert (first["count"].values == 1).all() and (second["count"].values == 2).all()


def test_two_sets_of_streams_of_one_engine_know_nothing_of_each_other() -> None:
    engine, _ = engine_of(network())
    a, b, x = trtnet.Streams(engine, 2), trtnet.Streams(engine, 3), np.ones((3, 3), np.float32)
    for _ in range(3):
        a(x[:2])
    assert b(x)["count"].tolist() == [1, 1, 1] and a(x[:2])["count"].tolist() == [4, 4]


def test_without_graphs_and_on_a_given_stream_it_is_the_same() -> None:
    engine, opener = engine_of(network())
    engine.open()
    opener.device.activate()
    stream = opener.device.create_stream()
    options: list[dict[str, Any]] = [{"cuda_graph": False}, {"stream": stream.handle}, {"profile": 0}]
    given = chunks(1, 5)
    for option in options:
        streams = trtnet.Streams(engine, 2, **option)
        found = [streams.step({1: chunk})[1]["y"] for chunk in given]
        np.testing.assert_allclose(found, alone(given), atol=1e-6)
