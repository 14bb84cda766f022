"""One execution context with its stream and buffers: what runs an engine, one call at a time."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from trtnet import dtypes
from trtnet.calling import TensorInfo, bind, check, is_torch
from trtnet.errors import InputError, ProfileError
from trtnet.runtime.context import Context, OpenEngine, Shape
from trtnet.runtime.device import Buffer, Device, HostBuffer, Stream
from trtnet.runtime.pending import Outputs, Pending
from trtnet.runtime.profiles import choose
from trtnet.runtime.tensors import check_devices, ready


class Session:
    """An execution context of an engine, with a stream and buffers of its own that grow as needed and are kept.

    Calls of one session run one after another, from whatever thread; for calls side by side, use several sessions.
    profile: the optimization profile to stay in; None changes to one that takes the shapes of each call.
    Raises ProfileError for a profile that the engine does not have.
    """

    def __init__(self, opened: OpenEngine, profile: int | None = None) -> None:
        self._device, self._info = opened.device, opened.info
        self._fixed, self._torch = profile, opened.torch
        if profile is not None and not 0 <= profile < len(self._info.profiles):
            raise ProfileError(f"there is no profile {profile}: the engine has {len(self._info.profiles)}")
        self._device.activate()
        self._context = Context(opened)
        self._stream = self._device.create_stream()
        self._host: dict[str, HostBuffer] = {}
        self._memory: dict[str, Buffer] = {}
        self._empty: Buffer | None = None
        self._lock = threading.Lock()
        self._pending: weakref.ref[Pending] | None = None
        # neither the context nor the buffers may go while the GPU uses them
        weakref.finalize(self, _drain, self._device, self._stream)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`submit`."""
        return self.submit(*args, **kwargs).result()

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once.

        Inputs by position or by name: numpy arrays, which may be changed as soon as this returns, and whose results
        are the caller's own; or torch CUDA tensors, read and written in place in the order of torch's current stream,
        as an operation of torch's would. A call with numpy arrays first waits until the results of the session's
        call before are out of its buffers; they are kept for their ``Pending``.
        Raises InputError and ProfileError for inputs that do not fit, TrtnetError in TensorRT's words if it fails.
        """
        return self.start(args, kwargs, lambda: None)

    def start(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], finished: Callable[[], None]) -> Pending:
        """:meth:`submit`, with what to call once the session is free for another call (not if this raises)."""
        arrays = bind(self._info.inputs, args, kwargs)
        on_torch = {is_torch(array) for array in arrays.values()}
        if len(on_torch) > 1:
            raise InputError("the inputs are numpy arrays and torch tensors; give all of one kind")
        check(self._info.inputs, arrays)
        with self._lock:
            self._device.activate()
            self._settle()
            try:
                return self._start_torch(arrays, finished) if True in on_torch else self._start_numpy(arrays, finished)
            except BaseException:
                # what was queued before the failure must not meet the next call's data
                _drain(self._device, self._stream)
                raise

    def _settle(self) -> None:
        """Sees to it that the staging memory is free: the call before is done, and its results are with its Pending."""
        if self._pending is None:
            return
        pending = self._pending()
        if pending is None:  # nobody wants the results any more
            self._device.synchronize(self._stream)
        else:
            pending.settle()
        self._pending = None

    def _set_shapes(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        current = self._context.profile if self._fixed is None else self._fixed
        wanted = choose(self._info.profiles, shapes, current)
        if self._fixed is not None and wanted != self._fixed:
            raise ProfileError(f"the session stays in profile {self._fixed}, the shapes fit profile {wanted}")
        return self._context.set_shapes(shapes, wanted, self._stream.handle)

    # numpy
    def _start_numpy(self, arrays: Mapping[str, Any], finished: Callable[[], None]) -> Pending:
        values = {name: np.asarray(array) for name, array in arrays.items()}
        shapes = self._set_shapes({name: value.shape for name, value in values.items()})
        for info in self._info.inputs:
            value = values[info.name]
            nbytes = self._grow(info, value.shape)
            self._staged(info, value.shape)[...] = value
            self._device.upload(self._host[info.name], self._memory[info.name], nbytes, self._stream)
        sizes = {info.name: self._grow(info, shapes[info.name]) for info in self._info.outputs}
        self._context.execute({name: buffer.address for name, buffer in self._memory.items()}, self._stream.handle)
        for name, nbytes in sizes.items():
            self._device.download(self._memory[name], self._host[name], nbytes, self._stream)
        pending = Pending(lambda: self._collect(shapes), finished=finished)
        self._pending = weakref.ref(pending)
        return pending

    def _collect(self, shapes: Mapping[str, Shape]) -> Outputs:
        self._device.activate()
        self._device.synchronize(self._stream)
        return {info.name: self._staged(info, shapes[info.name]).copy() for info in self._info.outputs}

    def _staged(self, info: TensorInfo, shape: Shape) -> np.ndarray[Any, Any]:
        """The staging memory of an input or output, as an array."""
        nbytes = _nbytes(info, shape)
        return self._host[info.name].bytes[:nbytes].view(dtypes.get(info.dtype).numpy).reshape(shape)

    def _grow(self, info: TensorInfo, shape: Shape) -> int:
        """Sees to buffers that are large enough. Returns the bytes needed."""
        nbytes = _nbytes(info, shape)
        if info.name not in self._memory or self._memory[info.name].nbytes < nbytes:
            # TensorRT wants an address for an empty output too
            self._memory[info.name] = self._device.allocate(max(nbytes, 1), self._stream)
            self._host[info.name] = self._device.allocate_host(max(nbytes, 1))
        return nbytes

    # torch
    def _start_torch(self, tensors: Mapping[str, Any], finished: Callable[[], None]) -> Pending:
        check_devices(tensors, self._device.index)
        torch = self._torch()
        device = next(iter(tensors.values())).device
        inputs = {name: ready(tensor) for name, tensor in tensors.items()}
        shapes = self._set_shapes({name: tuple(tensor.shape) for name, tensor in inputs.items()})
        outputs = {i.name: torch.empty(shapes[i.name], i.dtype, device) for i in self._info.outputs}
        addresses = {name: tensor.data_ptr() or self._placeholder() for name, tensor in (inputs | outputs).items()}
        handle = torch.current_stream(device)
        theirs = self._device.foreign_stream(handle)
        # on the session's stream, not on torch's: TensorRT synchronizes the whole device on the default stream
        self._device.order(theirs, self._stream)
        self._context.execute(addresses, self._stream.handle)
        self._device.order(self._stream, theirs)
        for tensor in inputs.values():
            torch.keep(tensor, device)
        pending = Pending(lambda: outputs, lambda found: self._deliver(found, torch, device, handle), finished)
        pending.settle()
        return pending

    def _deliver(self, outputs: Outputs, torch: Any, device: Any, handle: int) -> Outputs:
        """Orders the current stream behind the call, if it is not the one that the call was made on."""
        current = torch.current_stream(device)
        if current != handle:
            self._device.activate()
            self._device.order(self._stream, self._device.foreign_stream(current))
            for tensor in outputs.values():
                torch.keep(tensor, device)
        return outputs

    def _placeholder(self) -> int:
        """An address for an empty tensor, which torch gives none."""
        if self._empty is None:
            self._empty = self._device.allocate(1, self._stream)
        return self._empty.address


def _drain(device: Device, stream: Stream) -> None:
    with suppress(Exception):  # at the end of the process the driver may be gone before us
        device.activate()
        device.synchronize(stream)


def _nbytes(info: TensorInfo, shape: Shape) -> int:
    return dtypes.get(info.dtype).nbytes(prod(shape))
