"""A session's calls with numpy arrays, by way of page-locked memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.runtime.calls.outputs import check_arrays_apart, check_given, written
from trtnet.runtime.calls.pending import Outputs, Pending
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.launcher import Launcher
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.execution.signature import Signature
from trtnet.runtime.execution.stream_order import Order
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import TensorInfo


class ArrayCalls:
    """What a session's calls with numpy arrays need. inputs: those that are arrays."""

    def __init__(
        self,
        device: Device,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        context: Context,
        launcher: Launcher,
        staging: Staging,
        order: Order,
    ) -> None:
        self._device, self._inputs, self._outputs = device, inputs, outputs
        self._context, self._launcher, self._staging, self._order = context, launcher, staging, order

    def queue(
        self,
        signature: Signature,
        profile: int,
        values: Mapping[str, Any],
        out: Outputs | None,
        finished: Callable[[], None],
    ) -> Pending:
        """Queues a call, whose results must be collected before the next: see :meth:`Session.submit`."""
        shapes = self._launcher.shapes(signature, profile)
        if out is not None:
            check_given(out, signature, profile, self._outputs, self._device.index)
            check_arrays_apart(out)
        staging, own = self._staging, self._order.own
        self._order.move(own)
        for info in self._inputs:
            staging.upload(info, np.asarray(values[info.name]))
        for info in self._outputs:
            if info.name in shapes:
                staging.grow(info, shapes[info.name])
        self._launcher.launch(signature, profile, staging.addresses(), own)
        found = {**shapes, **self._context.found()}
        for info in self._outputs:
            staging.download(info, found[info.name])
        return Pending(lambda: self._collect(found, out), finished=finished)

    def _collect(self, shapes: Mapping[str, StaticShape], out: Outputs | None) -> Outputs:
        self._device.activate()
        self._device.synchronize(self._order.own)
        found = {info.name: self._staging.array(info, shapes[info.name]) for info in self._outputs}
        return written(found, out)
