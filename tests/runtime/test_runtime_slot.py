"""Slots: one inference in flight each, whose transfers overlap the executions of others; on a fake device."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.engines import engine_of, unbuilt, x
from helpers.runtime.fakes import Opener

from trtnet import ops
from trtnet.runtime.serving.shared_context import Stages
from trtnet.runtime.serving.slot import Slot
from trtnet.support import backend
from trtnet.support.errors import InputError, ProfileError, TrtnetError

PROFILES = [{"n": (1, 2, 4)}, {"n": (3, 8, 16)}]


def doubling(dims: Any = PROFILES) -> tuple[Stages, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=dims)
    opener.device.activate()
    return Stages(opener(engine.plan)), opener


def run(slot: Slot, values: np.ndarray) -> None:
    slot.fill({"x": values})
    slot.upload()
    slot.compute()
    slot.download()


def check(slot: Slot, values: np.ndarray) -> None:
    np.testing.assert_array_equal(slot.results()["output"], values * 2 + 1)


def test_slots_in_turn_over_profiles_and_shapes() -> None:
    stages, opener = doubling()
    slots = [Slot(stages) for _ in range(3)]
    for i in range(12):
        n = (2, 16, 3)[i // 3 % 3]
        for slot in slots:
            run(slot, x(n) * i)
            i += 1
        for j, slot in enumerate(slots):
            check(slot, x(n) * (i - 3 + j))
    assert len(opener.engine.contexts) == 1, "slots share a context"


def test_nothing_is_allocated_or_inferred_when_shapes_repeat() -> None:
    stages, opener = doubling()
    slots = [Slot(stages) for _ in range(2)]
    for slot in slots:
        run(slot, x(16))
        run(slot, x(2))
    allocations, inferences = opener.device.allocations, opener.engine.contexts[0].inferences
    for i in range(10):
        run(slots[i % 2], x(2) * i)
    assert (opener.device.allocations, opener.engine.contexts[0].inferences) == (allocations, inferences)


def test_each_slots_executions_become_a_graph_that_runs_on_the_compute_stream() -> None:
    stages, opener = doubling()
    slots = [Slot(stages) for _ in range(2)]
    for i in range(10):
        run(slots[i % 2], x(4) * i)
        check(slots[i % 2], x(4) * i)
    assert [graph.launches for graph in opener.device.graphs] == [[stages.compute.handle] * 3] * 2
    assert all(slot.no_cuda_graph == "" for slot in slots)


def test_an_upload_waits_for_its_own_slot_and_not_for_the_others() -> None:
    stages, opener = doubling()
    first, second = Slot(stages), Slot(stages)
    run(first, x(4))
    run(second, x(4) * 2)
    done = len(opener.device.streams[stages.compute.handle].work)
    first.upload()
    opener.device.synchronize(stages.upload)
    assert 0 < opener.device.streams[stages.compute.handle].done < done
    second.upload()
    opener.device.synchronize(stages.upload)
    assert opener.device.streams[stages.compute.handle].done == done


def test_parts_may_be_repeated() -> None:
    stages, _ = doubling()
    slot = Slot(stages)
    slot.fill({"x": x(4)})
    slot.upload()
    for _ in range(4):
        slot.compute()
        slot.download()
        slot.upload()
    check(slot, x(4))
    check(slot, x(4))


def test_memory_may_be_reserved_and_written_in_place() -> None:
    stages, _ = doubling()
    slot = Slot(stages)
    slot.reserve({"x": np.broadcast_to(np.float32(0), (3, 3))})["x"][...] = x(3)
    slot.upload()
    slot.compute()
    slot.download()
    check(slot, x(3))


def test_a_profile_to_stay_in() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=PROFILES)
    opener.device.activate()
    slot = Slot(Stages(opener(engine.plan), profile=1))
    run(slot, x(4))
    check(slot, x(4))
    assert opener.engine.contexts[0].profiles == [0, 1]
    with pytest.raises(ProfileError, match="stays in profile 1"):
        slot.fill({"x": x(2)})
    with pytest.raises(ProfileError, match="there is no profile 2"):
        Stages(opener(engine.plan), profile=2)


def test_without_graphs() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    slot = Slot(Stages(opener(engine.plan), cuda_graph=False))
    for i in range(4):
        run(slot, x(4) * i)
        check(slot, x(4) * i)
    assert opener.device.graphs == [] and slot.no_cuda_graph == "cuda_graph=False"


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (np.ones((2, 4), np.float32), InputError, r"found \[2, 4\] float32"),
        (x(2, np.float64), InputError, "convert it first"),
        (x(17), ProfileError, "fits no optimization profile"),
        ([1.0], InputError, "takes an array; found list"),
        (torch.ones(2, 3), InputError, "is a torch tensor on cpu"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_run(values: Any, error: type[Exception], text: str) -> None:
    stages, _ = doubling()
    slot = Slot(stages)
    run(slot, x(2))
    with pytest.raises(error, match=text):
        slot.fill({"x": values})
    with pytest.raises(InputError, match="the slot holds no inputs: fill it first"):
        slot.upload()
    run(slot, x(3))
    check(slot, x(3))


def test_a_failed_execution_leaves_the_slot_usable() -> None:
    stages, opener = doubling()
    slot, other = Slot(stages), Slot(stages)
    run(other, x(2))
    slot.fill({"x": x(2)})
    slot.upload()
    opener.engine.refuses = "execution"
    with pytest.raises(TrtnetError, match="TensorRT did not run the engine\n  TensorRT: no execution today"):
        slot.compute()
    opener.engine.refuses = ""
    run(slot, x(16))
    check(slot, x(16))
    check(other, x(2))


def test_outputs_whose_shape_depends_on_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    engine, opener = unbuilt(lambda x: {"double": x * 2, "where": ops.nonzero(x > 4)}, {"where"})
    stages = Stages(opener(engine.plan))
    slots = [Slot(stages) for _ in range(2)]
    for n in (1, 5, 2, 8, 8, 8, 3):
        for slot in slots:
            run(slot, x(n))
        for slot in slots:
            found = slot.results()
            np.testing.assert_array_equal(found["double"], x(n) * 2)
            np.testing.assert_array_equal(found["where"], np.argwhere(x(n) > 4))
    assert opener.device.graphs == []
    assert all("the shape of output where depends on data" in slot.no_cuda_graph for slot in slots)


def test_slots_dropped_at_work_are_waited_for_and_free_their_memory() -> None:
    stages, opener = doubling()
    run(Slot(stages), x(4))
    assert opener.device.clock == 3, "an upload, an execution and a download"
    assert not opener.device.memory, "buffers outlive their slot"
    slot = Slot(stages)
    run(slot, x(4))
    del slot, stages
    gc.collect()
    assert opener.device.clock == 6 and not opener.device.memory
