"""Copies on the host, by one thread and by several."""

from __future__ import annotations

import os

import numpy as np
import pytest

from trtnet.runtime import copying


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 1 << 18), (1, 5, (1 << 19) + 1)])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_every_element_is_copied(
    shape: tuple[int, ...], dtype: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "THREADS", threads)
    source = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    target = np.full_like(source, 201)
    copying.copy(target, source)
    np.testing.assert_array_equal(target, source)


def test_strided_arrays() -> None:
    source = np.random.default_rng(0).random((1 << 10, 1 << 9))
    for strided in (source.T, source[:, ::-1], source[::2]):
        target = np.empty(strided.shape)
        copying.copy(target, strided)
        np.testing.assert_array_equal(target, strided)


def test_a_forked_process_copies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "THREADS", 4)
    source = np.random.default_rng(0).random(1 << 18)
    copying.copy(np.empty_like(source), source)
    child = os.fork()
    if child == 0:
        target = np.empty_like(source)
        copying.copy(target, source)
        os._exit(0 if (target == source).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
