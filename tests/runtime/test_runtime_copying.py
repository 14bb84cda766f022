"""Copies to page-locked memory by several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from helpers.threads import in_threads

from trtnet.runtime.serving import copying
from trtnet.runtime.serving.copying import copy_into


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(copying, "PIECE", 8)
    monkeypatch.setattr(copying, "THREADS", 3)
    copying._work.cache_clear()
    yield
    copying._work.cache_clear()


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 50), (3, 7), (1000,), (64, 3, 5), (0, 9), (4, 0)])
def test_all_elements_are_copied(shape: tuple[int, ...], dtype: str) -> None:
    source = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 99, shape).astype(dtype)
    place = np.zeros(shape, dtype)
    copy_into(place, source)
    assert np.array_equal(place, source)


def test_arrays_that_lie_otherwise_in_memory_and_tensors_are_copied() -> None:
    source = np.arange(600, dtype=np.float32).reshape(20, 30).T
    for given in (source, source[::-1], torch.from_numpy(source.copy()).T.contiguous().T):
        place = np.zeros((30, 20), np.float32)
        copy_into(place, given)
        assert np.array_equal(place, np.asarray(given))


def test_an_error_of_a_thread_is_raised() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        copy_into(np.zeros((300, 2), np.float32), np.zeros((300, 3), np.float32))


def test_threads_that_copy_at_once_do_not_mix_their_pieces() -> None:
    sources = [np.full((999, 3), number, np.int64) for number in range(8)]
    places = [np.zeros_like(source) for source in sources]
    for _ in range(20):
        in_threads(lambda number: copy_into(places[number], sources[number]), len(sources))
        for place, source in zip(places, sources, strict=True):
            assert np.array_equal(place, source)
            place[...] = -1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_copies_with_threads_of_its_own() -> None:
    source, place = np.arange(900), np.zeros(900, np.int64)
    copy_into(place, source)
    if (child := os.fork()) == 0:
        place[...] = 0
        copy_into(place, source)
        os._exit(0 if np.array_equal(place, source) else 1)
    assert os.waitpid(child, 0)[1] == 0
