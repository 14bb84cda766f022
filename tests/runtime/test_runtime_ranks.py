"""Engines that are one rank of several: communicators, and the check of collectives at the first call."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import doubling_engine, x
from helpers.runtime.fakes import Opener

import trtnet
from trtnet import nn
from trtnet.runtime import Engine, EngineOptions
from trtnet.runtime.cuda.nccl import ID_BYTES, capsule
from trtnet.support.backend import supports
from trtnet.support.errors import DeviceError, InputError, PlanError

CAPSULE = capsule(4096)
WEIGHTS = {"0.weight": np.eye(4, 3, dtype=np.float32), "1.weight": np.eye(3, 4, dtype=np.float32)}


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 4, bias=False), nn.Linear(4, 3, bias=False))


def rank_engine(rank: int, total: float = 3.0, refuses: str = "", communicator: Any = CAPSULE) -> tuple[Engine, Opener]:
    """An engine of one of two ranks, on fake devices that compute what the whole does."""
    plan = trtnet.TensorParallel({"0": "column", "1": "row"}, rank, 2)
    inputs = {"x": trtnet.Input(("n", 3))}
    built = trtnet.define(Net(), inputs, WEIGHTS, parallel=plan).build({"n": (1, 2, 8)})
    opener = _Opener(trtnet.define(Net(), inputs, WEIGHTS).reference(), total, refuses)
    return Engine(built.plan, opener, options=EngineOptions(communicator=communicator)), opener


class _Opener(Opener):
    def __init__(self, reference: Any, total: float, refuses: str) -> None:
        super().__init__(reference)
        self.total, self.refuses = total, refuses

    def __call__(self, plan: Any, index: int = 0) -> Any:
        opened = super().__call__(plan, index)
        self.engine.sum_of_ranks, self.engine.refuses = self.total, self.refuses
        return opened


pytestmark = pytest.mark.skipif(not supports("collectives"), reason="this TensorRT has no collectives")


def test_a_rank_gives_its_communicator_to_every_context_and_runs() -> None:
    engine, opener = rank_engine(1)
    np.testing.assert_array_equal(engine(x()), x())
    session = engine.session()
    for _ in range(3):
        np.testing.assert_array_equal(session(x()), x())
    assert opener.engine.communicators == [CAPSULE, CAPSULE]


@pytest.mark.parametrize(
    ("total", "said"),
    [(2.0, "not built for several ranks"), (4.0, "needs the engine of its own number"), (0.0, "one communicator")],
)
def test_collectives_that_do_nothing_are_an_error_of_the_first_call(total: float, said: str) -> None:
    engine, _ = rank_engine(1, total)
    for _ in range(2):  # the second is checked as well
        with pytest.raises(DeviceError, match=f"rank 1 of 2 do not work.*is {total:g}, expected 3.*{said}"):
            engine(x())


def test_a_communicator_that_tensorrt_refuses_is_an_error_in_its_words() -> None:
    engine, _ = rank_engine(0, refuses="communicator")
    with pytest.raises(DeviceError, match=r"took no communicator for rank 0 of 2\n.*no communicator today"):
        engine(x())


def test_a_rank_needs_a_communicator_and_a_whole_engine_takes_none() -> None:
    with pytest.raises(InputError, match="the engine is rank 0 of 2: give EngineOptions"):
        rank_engine(0, communicator=None)[0](x())
    whole, _ = doubling_engine()
    whole.options = EngineOptions(communicator=CAPSULE)
    with pytest.raises(InputError, match="the engine is whole: give none"):
        whole(x())


def test_a_communicator_of_another_rank_is_refused(tmp_path: Path) -> None:
    communicator = made(0, tmp_path / "meeting")
    with pytest.raises(InputError, match="rank 1 of 2, and the communicator is of rank 0 of 2"):
        rank_engine(1, communicator=communicator)[0](x())
    engine, opener = rank_engine(0, communicator=communicator)
    engine(x())
    assert repr(opener.engine.communicators[0]).startswith('<capsule object "ncclComm_t"')


def test_weights_of_a_rank_are_not_refitted() -> None:
    with pytest.raises(PlanError, match="the engine is rank 0 of 2, with parts of the weights"):
        rank_engine(0)[0].refit(WEIGHTS)


class FakeNccl:
    """Functions of NCCL's, and what they were called with."""

    def __init__(self, status: int = 0) -> None:
        self.joined: list[tuple[int, bytes, int]] = []
        self.destroyed = 0
        self._status = status
        self.functions = SimpleNamespace(
            ncclGetUniqueId=self._make_id,
            ncclCommInitRank=self._join,
            ncclCommDestroy=self._destroy,
            ncclGetErrorString=lambda status: b"unhandled system error",
        )

    def _make_id(self, own: Any) -> int:
        own._obj.internal = b"id of this start"
        return 0

    def _join(self, address: Any, ranks: int, own: Any, rank: int) -> int:
        self.joined.append((ranks, own.internal, rank))
        address._obj.value = 4096
        return self._status

    def _destroy(self, address: ctypes.c_void_p) -> int:
        self.destroyed += 1
        return 0


def made(rank: int, meeting: Path, library: FakeNccl | None = None, timeout: float = 5) -> trtnet.Communicator:
    own = library or FakeNccl()
    return trtnet.Communicator(
        rank, 2, meeting, timeout=timeout, library=lambda: own.functions, activate=lambda index: None
    )


def test_ranks_meet_by_rank_zeros_id_whose_file_goes_afterwards(tmp_path: Path) -> None:
    meeting, library = tmp_path / "meeting", FakeNccl()
    meeting_of_others = tmp_path / "seen"
    meeting_of_others.write_bytes(b"id of this start".ljust(ID_BYTES, b"\0"))
    first, second = made(0, meeting, library), made(1, meeting_of_others, library)
    assert not meeting.exists()
    assert library.joined == [(2, b"id of this start", 0), (2, b"id of this start", 1)]
    assert (first.device, second.device) == (0, 1)
    with first:
        assert first.capsule is not None
    assert library.destroyed == 1
    with pytest.raises(InputError, match="the communicator was closed"):
        _ = first.capsule


def test_a_meeting_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"rank 0 wrote no .*meeting within 0\.05 seconds"):
        made(1, tmp_path / "meeting", timeout=0.05)
    with pytest.raises(DeviceError, match="no communicator for rank 0 of 2: unhandled system error"):
        made(0, tmp_path / "meeting", FakeNccl(status=2))
    assert not (tmp_path / "meeting").exists()
    (tmp_path / "old").write_bytes(b"short")
    with pytest.raises(InputError, match="is there already"):
        made(0, tmp_path / "old")
    with pytest.raises(InputError, match="no id of NCCL's: 5 bytes"):
        made(1, tmp_path / "old")
    with pytest.raises(InputError, match="rank 2 of 2"):
        made(2, tmp_path / "meeting")
