"""Captures by the driver: what is destroyed, and when, whatever CUDA refuses; on a fake driver."""

from __future__ import annotations

from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import pytest

from trtnet.runtime.cuda.cuda_graph import CudaGraph, capture
from trtnet.support.errors import DeviceError, TrtnetError

STREAM = SimpleNamespace(raw="stream")


class Result(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901


class Driver:
    """refuses: the function that fails. said: what was called, with its first argument."""

    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL="thread local")

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.said: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        made = {"cuStreamEndCapture": "graph", "cuGraphInstantiate": "executable"}

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.said.append((name, arguments[0]))
            if name == self.refuses:
                return (Result.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, *[None] * (name in made))
            return (Result.CUDA_SUCCESS, *[made.get(name)] * (name in made))

        return call

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.said]


def nothing() -> None: ...


def test_a_graph_is_launched_and_destroyed_once() -> None:
    driver = Driver()
    graph = capture(driver, lambda: driver.said.append(("queue", None)), STREAM)
    assert driver.said == [
        ("cuStreamBeginCapture", "stream"),
        ("queue", None),
        ("cuStreamEndCapture", "stream"),
        ("cuGraphInstantiate", "graph"),
        ("cuGraphDestroy", "graph"),
        ("cuGraphUpload", "executable"),
    ]
    graph.launch(STREAM)
    del graph
    assert driver.said[6:] == [("cuGraphLaunch", "executable"), ("cuGraphExecDestroy", "executable")]


@pytest.mark.parametrize(
    ("refused", "destroyed"),
    [
        ("cuStreamBeginCapture", []),
        ("cuStreamEndCapture", []),
        ("cuGraphInstantiate", ["cuGraphDestroy"]),
        ("cuGraphUpload", ["cuGraphDestroy", "cuGraphExecDestroy"]),
    ],
)
def test_what_cuda_refuses_leaves_nothing_behind(refused: str, destroyed: list[str]) -> None:
    driver = Driver(refused)
    with pytest.raises(DeviceError, match="did not capture the graph: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"):
        capture(driver, nothing, STREAM)
    assert [name for name in driver.names if "Destroy" in name] == destroyed


@pytest.mark.parametrize("invalidated", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected"), [(TrtnetError("not today"), TrtnetError), (ValueError("no"), DeviceError)]
)
def test_a_capture_whose_work_fails_is_ended(raised: Exception, expected: type[Exception], invalidated: bool) -> None:
    """A graph that CUDA has invalidated is destroyed by CUDA: to destroy it once more would end the process."""
    driver = Driver("cuStreamEndCapture" if invalidated else "")

    def queue() -> None:
        raise raised

    with pytest.raises(expected, match=str(raised)):
        capture(driver, queue, STREAM)
    assert driver.names == ["cuStreamBeginCapture", "cuStreamEndCapture", *["cuGraphDestroy"] * (not invalidated)]


def test_a_launch_that_fails_says_so() -> None:
    with pytest.raises(DeviceError, match="did not launch the graph: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"):
        CudaGraph(Driver("cuGraphLaunch"), "executable").launch(STREAM)
