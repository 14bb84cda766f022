"""Shapes that depend on data or on values, scratch memory that is shared, memory given back: on a real GPU."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of
from helpers.threads import in_threads

import trtnet
from trtnet import ops
from trtnet.runtime import Engine
from trtnet.support.errors import ClosedError, ProfileError

pytestmark = pytest.mark.gpu

X = {"x": trtnet.Input(("n", 64), "float16")}


def x(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    return torch.randn(n, 64, generator=generator, device="cuda", dtype=torch.float16)


def equal(found: Any, expected: torch.Tensor) -> None:
    assert tuple(found.shape) == tuple(expected.shape)
    torch.testing.assert_close(torch.as_tensor(found).to(expected.device), expected, rtol=0, atol=0)


def counting() -> Engine:
    """As many rows as begin with a positive number, doubled: the output's shape depends on data."""

    def body(x: Any) -> dict[str, Any]:
        positive = (x[:, 0] > 0).to("int64").sum(0)
        return {"all": x * 2, "some": x[: positive.item()] * 2}

    return network_of(body, X, "float16").build({"n": (1, 8, 32)})


def expected_rows(given: torch.Tensor) -> torch.Tensor:
    return given[: int((given[:, 0] > 0).sum())] * 2


def test_outputs_whose_shape_depends_on_data() -> None:
    session = counting().session()
    results = []
    for step in range(40):
        given = x(1 + step * 7 % 32, step)
        found = session(given)
        results.append((given, found))
        numpy = session(given.cpu().numpy())
        equal(numpy["some"], expected_rows(given))
        equal(numpy["all"], given * 2)
    for given, found in results:
        equal(found["some"], expected_rows(given))
        equal(found["all"], given * 2)
    equal(session(-x(4).abs())["some"], x(0))


SIZED = {"x": trtnet.Input(("n", 3, 16, 16), "float16"), "size": trtnet.Input((2,), "int64", values=("h", "w"))}


def resizing() -> Engine:
    dims = [{"n": (1, 2, 8), "h": (1, 16, 32), "w": (1, 16, 32)}, {"n": 1, "h": (33, 64, 128), "w": (1, 64, 128)}]
    return network_of(lambda x, size: ops.interpolate(x, size.tolist()), SIZED, "float16").build(dims)


def test_inputs_that_say_sizes_over_two_profiles() -> None:
    session = resizing().session()
    given = torch.randn(1, 3, 16, 16, device="cuda", dtype=torch.float16)
    for step in range(60):
        size = ((8, 8), (100, 3), (32, 32), (1, 1), (33, 128))[step * 3 % 5]
        want = torch.nn.functional.interpolate(given.float(), size).half()
        equal(session(given, size), want)
        equal(session(given.cpu().numpy(), np.array(size)), want)
    with pytest.raises(ProfileError, match="size 200x8 fits no optimization profile"):
        session(given, (200, 8))


def test_a_graph_reads_the_values_it_was_captured_with() -> None:
    session = resizing().session()
    given = torch.randn(1, 3, 16, 16, device="cuda", dtype=torch.float16)
    outs = {size: torch.empty(1, 3, *size, device="cuda", dtype=torch.float16) for size in ((8, 8), (12, 5))}
    for _ in range(20):
        given.copy_(torch.randn(1, 3, 16, 16))
        for size, out in outs.items():
            session(given, size, out=out)
            equal(out, torch.nn.functional.interpolate(given.float(), size).half())
    assert session.no_cuda_graph == ""


def deep() -> Engine:
    """Several products with a softmax between: it needs scratch memory."""

    def body(x: Any) -> Any:
        for _ in range(4):
            x = ops.softmax(x @ x.permute(1, 0), -1) @ x
        return x

    return network_of(body, X, "float16").build({"n": (1, 512, 2048)})


def close(found: Any, given: torch.Tensor) -> None:
    want = given.float()
    for _ in range(4):
        want = torch.softmax(want @ want.T, -1) @ want
    got = torch.as_tensor(found).to(want.device).float()
    assert float((got - want).norm() / want.norm()) < 2e-2


def test_sessions_share_scratch_memory() -> None:
    engine = deep()
    memory = engine.activation_memory()
    sessions = [engine.session(memory=memory) for _ in range(4)]
    results = []
    for step in range(60):
        with torch.cuda.stream(torch.cuda.Stream() if step % 3 else torch.cuda.default_stream()):
            torch.cuda.current_stream().wait_stream(torch.cuda.default_stream())
            given = x(1 + step * 131 % 2048, step)
            results.append((given, sessions[step % 4](given)))
    torch.cuda.synchronize()
    for given, found in results:
        close(found, given)
    assert memory.nbytes > 0


def test_sessions_of_threads_share_scratch_memory() -> None:
    engine = deep()
    memory = engine.activation_memory()

    def work(seed: int) -> None:
        with engine.session(memory=memory) as session:
            given = x(64 * (seed + 1), seed)
            for _ in range(30):
                close(session(given.cpu().numpy()), given)

    in_threads(work)


@pytest.mark.alone
def test_shared_scratch_memory_is_less_than_one_each() -> None:
    engine = deep()
    given = x(2048)
    engine(given)

    def taken(**options: Any) -> int:
        before = torch.cuda.mem_get_info()[0]
        sessions = [engine.session(**options) for _ in range(6)]
        for session in sessions:
            session(given)
        torch.cuda.synchronize()
        used = before - torch.cuda.mem_get_info()[0]
        for session in sessions:
            session.close()
        return used

    apart, together = taken(), taken(memory=engine.activation_memory())
    print(f"6 sessions: {apart / 2**20:.0f} MiB apart, {together / 2**20:.0f} MiB together")
    assert together < apart


@pytest.mark.alone
def test_closing_gives_memory_back() -> None:
    deep()(x(2048))  # what the process needs once
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.mem_get_info()[0]
    for _ in range(3):
        engine = deep()
        sessions = [engine.session() for _ in range(3)]
        for session in sessions:
            session(x(2048).cpu().numpy())
        held = before - torch.cuda.mem_get_info()[0]
        engine.close()
        torch.cuda.empty_cache()
        left = before - torch.cuda.mem_get_info()[0]
        print(f"held {held / 2**20:.0f} MiB, after closing {left / 2**20:.0f} MiB")
        assert left < 8 << 20 < held
        with pytest.raises(ClosedError):
            sessions[0](x(4))
