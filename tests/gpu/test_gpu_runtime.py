"""The runtime on a real GPU, with engines made by TensorRT's own API. tests/conftest.py skips these without one."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from helpers.gpu import raw
from helpers.gpu.engines import NUMPY, engine, equal, on_gpu, x
from helpers.threads import in_threads

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError, ProfileError

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", NUMPY)
def test_numpy_in_every_dtype_at_varying_batches(dtype: str) -> None:
    for n in (2, 1, 8, 9, 4096, 3, 2):
        found = engine(dtype)(x(n, dtype))
        assert isinstance(found, np.ndarray) and found.dtype == NUMPY[dtype] and found.flags.owndata
        equal(found, x(n, dtype))


@pytest.mark.parametrize("dtype", NUMPY)
def test_torch_in_every_dtype_at_varying_batches(dtype: str) -> None:
    for n in (2, 1, 8, 9, 4096, 3, 2):
        found = engine(dtype)(x=on_gpu(x(n, dtype), dtype))
        assert found.is_cuda and found.dtype == getattr(torch, dtype)
        equal(found, x(n))


def test_several_outputs() -> None:
    for given in (x(3), on_gpu(x(3))):
        found = engine(body=raw.double_and_square)(given)
        assert found.keys() == ("double", "square")
        for name, expected in (("double", x(3) * 2), ("square", x(3) ** 2)):
            np.testing.assert_array_equal(torch.as_tensor(found[name]).cpu().numpy(), expected)


def test_non_contiguous_and_misaligned_inputs() -> None:
    wide = np.arange(-30, 30, dtype=np.float32).reshape(5, 12)
    equal(engine()(wide[:, ::2]), wide[:, ::2])
    tensor = torch.from_numpy(wide).cuda()
    equal(engine()(tensor[:, ::2]), wide[:, ::2])
    flat = torch.arange(61, dtype=torch.float32, device="cuda")
    shifted = flat[1:].reshape(10, 6)
    assert shifted.is_contiguous() and shifted.data_ptr() % 256
    equal(engine()(shifted), shifted.cpu().numpy())


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_submissions_on_one_session_and_on_the_engine(kind: str) -> None:
    session = engine().session()
    for submit in (session.submit, engine().submit):
        given = [x(1 + 3 * i) * (i + 1) for i in range(6)]
        pending = [submit(values if kind == "numpy" else on_gpu(values)) for values in given]
        for i in (5, 0, 3, 1, 4, 2):
            equal(pending[i].result(), given[i])
        equal(pending[0].result(), given[0])


def test_inputs_may_change_after_submit() -> None:
    values, tensor = x(4096), on_gpu(x(4096))
    pending = [engine().submit(values), engine().submit(tensor)]
    values[...] = 1
    tensor.fill_(1)
    for one in pending:
        equal(one.result(), x(4096))


def test_pending_results_may_be_dropped() -> None:
    session = engine().session()
    for i in range(20):
        session.submit(x(1 + 100 * i))
        engine().submit(x(1 + 100 * i))
        engine().submit(on_gpu(x(4096)))
        gc.collect()
    equal(session(x(7)), x(7))


def test_two_sessions_in_two_threads() -> None:
    sessions = [engine().session(), engine().session()]

    def work(seed: int) -> None:
        for i in range(200):
            values = x(1 + (seed * 37 + i * 13) % 200) * (seed + 1)
            equal(sessions[seed](values), values)

    in_threads(work, 2)


def test_one_engine_in_many_threads_with_both_kinds() -> None:
    def work(seed: int) -> None:
        with torch.cuda.stream(torch.cuda.Stream()):
            for i in range(100):
                values = x(1 + (seed * 37 + i * 13) % 200) * (seed + 1)
                equal(engine()(on_gpu(values) if i % 2 else values), values)

    in_threads(work, 4)


def test_one_session_in_many_threads() -> None:
    session = engine().session()

    def work(seed: int) -> None:
        for i in range(50):
            values = x(1 + (seed * 7 + i) % 20) * (seed + 1)
            equal(session(values), values)

    in_threads(work, 4)


def test_profiles() -> None:
    session = engine().session()
    for n in (1, 8, 9, 4096, 2):
        equal(session(x(n)), x(n))
    fixed = engine().session(profile=1)
    equal(fixed(x(16)), x(16))
    with pytest.raises(ProfileError, match="stays in profile 1"):
        fixed(x(2))
    with pytest.raises(ProfileError, match="profile 1: x from 9x6 to 4096x6"):
        engine()(x(4097))


def test_the_call_waits_for_torchs_work_and_torch_for_the_call() -> None:
    big = torch.randn(4096, 4096, device="cuda")
    stream = torch.cuda.Stream()
    for chosen in (torch.cuda.default_stream(), stream):
        with torch.cuda.stream(chosen):
            given = torch.zeros(4096, raw.COLUMNS, device="cuda")
            for i in range(1, 6):
                slow = (big @ big @ big).sum() * 0  # keeps the stream busy while the call is queued
                given.copy_(torch.ones_like(given) * i + slow)
                found = engine()(given)
                given.zero_()
                total = found.sum()
                assert float(total) == 2 * i * found.numel()


def test_a_result_asked_on_another_stream() -> None:
    other = torch.cuda.Stream()
    for i in range(1, 20):
        pending = engine().submit(on_gpu(x(4096)) * i)
        with torch.cuda.stream(other):
            found = (pending.result() + 0).cpu()
        equal(found, x(4096) * i)


def test_memory_that_torch_frees_is_not_reused_too_early() -> None:
    found = [engine()(on_gpu(x(4096)) * i) for i in range(50)]  # each input is freed at once
    for i, tensor in enumerate(found):
        equal(tensor, x(4096) * i)


def test_what_is_refused_and_that_the_engine_lives_on() -> None:
    for given, text in (
        (torch.from_numpy(x()), r"on cpu; give tensor\.cuda\(\) or tensor\.numpy\(\)"),
        (x().astype(np.float64), "float64; convert it first"),
        (np.zeros((2, 5), np.float32), r"found \[2, 5\]"),
    ):
        with pytest.raises(InputError, match=text):
            engine()(given)
    with pytest.raises(ProfileError, match="x 0x6 fits no optimization profile"):
        engine()(np.zeros((0, 6), np.float32))
    equal(engine()(x()), x())


def test_an_empty_batch() -> None:
    class Model(nn.Module):
        inputs = {"x": trtnet.Input(("n", 3, 8, 8))}

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return ops.relu(ops.max_pool2d(x, 2)).mean((2, 3))

    made = trtnet.define(Model()).build({"n": (0, 2, 4)})
    for batch in (2, 0, 3):
        given = np.random.default_rng(0).standard_normal((batch, 3, 8, 8), np.float32)
        pooled = given.reshape(batch, 3, 4, 2, 4, 2).max((3, 5))
        np.testing.assert_allclose(made(given), np.maximum(pooled, 0).mean((2, 3)), rtol=1e-5, atol=1e-6)
        assert made(torch.from_numpy(given).cuda()).shape == (batch, 3)


def test_an_empty_output() -> None:
    for given in (x(3), on_gpu(x(3))):
        assert tuple(engine(body=raw.no_columns)(given).shape) == (3, 0)


def test_sessions_come_and_go() -> None:
    for _ in range(30):
        session = engine().session()
        equal(session(x(8)), x(8))
        del session
