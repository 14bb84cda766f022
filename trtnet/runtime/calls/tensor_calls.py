"""A session's calls with torch tensors, which are read and written in place, in the order of torch's streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.calls.outputs import check_given
from trtnet.runtime.calls.pending import Outputs, Pending
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.cuda.torch_tensors import check_apart, check_in_place, ready
from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.launcher import Launcher, Repeatable
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.execution.signature import Signature
from trtnet.runtime.execution.stream_order import Order
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import InputError


class TensorCalls:
    """What a session's calls with tensors on the GPU need. torch: makes them, see :class:`Torch`."""

    def __init__(
        self,
        device: Device,
        info: PlanInfo,
        context: Context,
        launcher: Launcher,
        staging: Staging,
        order: Order,
        torch: Any,
    ) -> None:
        self._device, self._info = device, info
        self._context, self._launcher, self._staging, self._order = context, launcher, staging, order
        self._torch = torch

    def queue(
        self,
        signature: Signature,
        profile: int,
        tensors: Mapping[str, Any],
        out: Outputs | None,
        finished: Callable[[], None],
    ) -> tuple[Pending, Repeatable | None]:
        """Queues a call: see :meth:`Session.submit`. Returns its result, and what repeats its execution, if any."""
        device = next(iter(tensors.values())).device
        handle = self._torch.current_stream(device.index)
        inputs = {name: ready(tensor) for name, tensor in tensors.items()}
        shapes = self._launcher.shapes(signature, profile)
        for name in self._staging.aliases.values():
            check_in_place(tensors[name], name)
        if out is None:
            outputs = self._new_outputs(tensors, shapes, device)
        else:
            check_given(out, signature, profile, self._info.outputs, self._device.index)
            outputs = self._check_places(out, tensors)
        addresses = {name: tensor.data_ptr() or self._staging.placeholder() for name, tensor in inputs.items()}
        for name, tensor in outputs.items():
            addresses[name] = tensor.data_ptr() or self._staging.placeholder()
        was_graph, repeatable = self._launcher.launch(signature, profile, addresses, self._order.stream(handle))
        if not was_graph:
            for tensor in inputs.values():
                self._torch.keep(tensor, device)
        outputs |= self._copied(self._context.found(), device, handle)
        outputs = {info.name: outputs[info.name] for info in self._info.outputs}
        pending = Pending(lambda: outputs, lambda found: self._deliver(found, device, handle), finished)
        pending.settle()
        return pending, repeatable

    def _check_places(self, out: Outputs, inputs: Mapping[str, Any]) -> Outputs:
        for name, tensor in out.items():
            check_in_place(tensor, name)
            source = self._staging.aliases.get(name)
            if source is not None and tensor.data_ptr() != inputs[source].data_ptr():
                raise InputError(f"output {name} is written in the place of input {source}: out= must be that tensor")
        check_apart(out, inputs, self._staging.aliases)
        return out

    def _new_outputs(self, inputs: Mapping[str, Any], shapes: Mapping[str, StaticShape], device: Any) -> Outputs:
        """The tensors to write to: inputs that the engine writes in place, else new ones."""
        aliases = self._staging.aliases
        return {
            info.name: inputs[aliases[info.name]]
            if info.name in aliases
            else self._torch.empty(shapes[info.name], info.dtype, device)
            for info in self._info.outputs
            if info.name in shapes
        }

    def _copied(self, shapes: Mapping[str, StaticShape], device: Any, handle: int) -> Outputs:
        """Tensors of the outputs that depended on data, out of the session's memory."""
        outputs = {}
        for info in self._info.outputs:
            if info.name in shapes:
                outputs[info.name] = self._torch.empty(shapes[info.name], info.dtype, device)
                address = outputs[info.name].data_ptr()
                self._staging.copy(info, shapes[info.name], address, self._order.stream(handle))
        return outputs

    def _deliver(self, outputs: Outputs, device: Any, handle: int) -> Outputs:
        """Orders the current stream behind the call, if it is not the one that the call was made on."""
        current = self._torch.current_stream(device.index)
        if current != handle:
            self._device.activate()
            self._device.order(self._order.stream(handle), self._order.stream(current))
            for tensor in outputs.values():
                self._torch.keep(tensor, device)
        return outputs
