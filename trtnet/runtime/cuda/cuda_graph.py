"""CUDA graphs by the driver's own functions: cuda.core (to 1.2) ends the process where CUDA refuses a capture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from trtnet.support.errors import DeviceError, TrtnetError


class CudaGraph:
    """A graph that can be launched, which is destroyed with this object: after a launch that is under way.

    driver: ``cuda.bindings.driver``. executable: its ``CUgraphExec``.
    """

    def __init__(self, driver: Any, executable: Any) -> None:
        self._launch, self._destroy, self._executable = driver.cuGraphLaunch, driver.cuGraphExecDestroy, executable

    def launch(self, stream: Any) -> None:
        (status,) = self._launch(self._executable, stream.raw)
        if status:
            raise DeviceError(f"CUDA did not launch the graph: {status.name}")

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the process the driver may be gone before us
            self._destroy(self._executable)


def capture(driver: Any, queue: Callable[[], None], stream: Any) -> CudaGraph:
    """What `queue` queues on a stream, as a graph; it is not run. stream: with its ``CUstream`` as ``raw``.

    Raises what `queue` raises if that is trtnet's, and DeviceError if CUDA cannot capture it.
    """
    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    _check(driver.cuStreamBeginCapture(stream.raw, mode)[0])
    try:
        queue()
    except BaseException as error:
        status, graph = driver.cuStreamEndCapture(stream.raw)
        if not int(status):  # else CUDA has destroyed it
            driver.cuGraphDestroy(graph)
        if isinstance(error, TrtnetError) or not isinstance(error, Exception):
            raise
        raise DeviceError(f"CUDA did not capture the graph: {type(error).__name__}: {error}") from error
    status, graph = driver.cuStreamEndCapture(stream.raw)
    _check(status)
    status, executable = driver.cuGraphInstantiate(graph, 0)
    driver.cuGraphDestroy(graph)
    _check(status)
    made = CudaGraph(driver, executable)
    _check(driver.cuGraphUpload(executable, stream.raw)[0])
    return made


def _check(status: Any) -> None:
    if int(status):
        raise DeviceError(f"CUDA did not capture the graph: {status.name}")
