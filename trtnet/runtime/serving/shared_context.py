"""What the slots of a pipeline share: one execution context, and three streams whose work overlaps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from trtnet.runtime.cuda.interface import Device, Stream
from trtnet.runtime.cuda.nvtx import no_range, nvtx_ranges
from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.context_options import graphs_of
from trtnet.runtime.execution.launcher import Launcher
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.execution.stream_order import Order
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.errors import ProfileError


class Stages:
    """An execution context with a stream each to upload, compute and download on; slots take turns in it.

    Executions run one after another, so that a slot needs memory for its inputs and outputs only; what is uploaded for
    the next one and downloaded from the one before overlaps them. One thread at a time fills and runs the slots;
    another may wait for their results.

    profile: the optimization profile to stay in; None changes to one that takes the shapes. cuda_graph: whether
    executions that come again are captured. nvtx: as a session's. Raises ProfileError for a profile that the engine has
    not.
    """

    def __init__(
        self, opened: OpenEngine, *, profile: int | None = None, cuda_graph: bool = True, nvtx: str | None = None
    ) -> None:
        if profile is not None and not 0 <= profile < len(opened.info.profiles):
            raise ProfileError(f"there is no profile {profile}: the engine has {len(opened.info.profiles)}")
        self.device, self.info = opened.device, opened.info
        self.device.activate()
        self.upload, self.compute, self.download = (self.device.create_stream() for _ in range(3))
        self.lock = threading.Lock()
        self.order = Order(self.device, self.compute)
        self.turn = Turn(self.device, self.upload, self.compute)
        self.context = Context(opened, graphs_of(cuda_graph), provide=self.turn.provide)
        if nvtx is not None:
            self.context.set_nvtx_verbosity(nvtx)
        self.range = no_range if nvtx is None else nvtx_ranges()
        self._opened, self._profile = opened, profile

    def launcher(self) -> Launcher:
        """What runs the context for one slot, whose addresses make CUDA graphs of its own."""
        return Launcher(self._opened, self.context, self.order, self._profile, stays=True)

    def drain(self) -> None:
        """Waits until everything queued is done."""
        with suppress(Exception):  # at the end of the process the driver may be gone before us
            self.device.activate()
            for stream in (self.upload, self.compute, self.download):
                self.device.synchronize(stream)


class Turn:
    """Whose memory TensorRT is given for outputs whose shape depends on data: that of the slot that executes."""

    def __init__(self, device: Device, upload: Stream, compute: Stream) -> None:
        self._device, self._upload, self._compute = device, upload, compute
        self._staging: Staging | None = None

    @contextmanager
    def of(self, staging: Staging) -> Iterator[None]:
        """While a slot with this memory executes."""
        self._staging = staging
        try:
            yield
        finally:
            self._staging = None

    def provide(self, name: str, nbytes: int) -> int:
        assert self._staging is not None, "TensorRT allocates while it executes"
        address = self._staging.provide(name, nbytes)
        self._device.order(self._upload, self._compute)  # the memory is there in the order of the upload stream
        return address
