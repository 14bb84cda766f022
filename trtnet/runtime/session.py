"""One execution context with its stream and buffers: what runs an engine, one call at a time."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from trtnet.runtime.calls.arguments import Arguments, converted, is_foreign
from trtnet.runtime.calls.numpy_calls import ArrayCalls
from trtnet.runtime.calls.outputs import named
from trtnet.runtime.calls.pending import Outputs, Pending
from trtnet.runtime.calls.repeated_calls import Repeats
from trtnet.runtime.calls.tensor_calls import TensorCalls
from trtnet.runtime.cuda.nvtx import no_range, nvtx_ranges
from trtnet.runtime.cuda.torch_tensors import handle_of
from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.context_options import graphs_of
from trtnet.runtime.execution.launcher import Launcher, Repeatable
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.execution.scratch_memory import ActivationMemory
from trtnet.runtime.execution.signature import Signature
from trtnet.runtime.execution.states import States, of_outputs, states_of, without_states
from trtnet.runtime.execution.stream_order import Order
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.call_interface import NamedOutputs, StateInfo, TensorInfo, returned
from trtnet.support.errors import ClosedError, InputError, ProfileError


class Session:
    """An execution context of an engine, with a stream and buffers of its own that grow as needed and are kept.

    Calls of one session run one after another, from any thread; for concurrent calls, use several sessions.
    profile: the optimization profile to use; None switches to one that fits the shapes of each call.
    stream: a stream to run everything on: of torch, of cupy, any object with ``__cuda_stream__``, or a
    ``cudaStream_t`` as an int; it must outlive the session. None: the session's own stream for numpy arrays,
    and the order of the current stream for torch tensors.
    cuda_graph: whether calls that recur with the same shapes and addresses are captured as a CUDA graph, which
    reduces a call's host time from hundreds of microseconds to a few. If there is no graph, ``no_cuda_graph`` says
    why. "backend" leaves it to TensorRT-RTX, which captures again whenever an address changes: see docs/design.md.
    nvtx: what shows on Nsight Systems' timeline, "detailed", "layer_names_only" or "none": TensorRT's layers, whose
    names are module paths, and a range around each call if the package nvtx is installed. None is TensorRT's default.
    memory: scratch memory to share with other sessions, which then run one after another: see
    :meth:`Engine.activation_memory`. None: the session's own memory.
    streams: of an engine with states, how many streams it carries them for; calls then neither take nor return them:
    see :class:`trtnet.Streams`. None: states are inputs and outputs like others.
    As a context manager, it is closed at the end: see :meth:`close`. Raises ProfileError for a profile that the engine
    does not have, InputError for memory of another GPU, or "backend" where the TensorRT makes no graphs.
    """

    def __init__(
        self,
        opened: OpenEngine,
        profile: int | None = None,
        *,
        stream: Any = None,
        cuda_graph: bool | str = False,
        nvtx: str | None = None,
        memory: ActivationMemory | None = None,
        streams: int | None = None,
    ) -> None:
        graphs = graphs_of(cuda_graph)
        self._device = opened.device
        self._info = opened.info if streams is None else without_states(opened.info)
        self._torch = opened.torch
        if profile is not None and not 0 <= profile < len(self._info.profiles):
            raise ProfileError(f"there is no profile {profile}: the engine has {len(self._info.profiles)}")
        if memory is not None and memory.device.index != self._device.index:
            raise InputError(f"memory= is on GPU {memory.device.index}, the engine on GPU {self._device.index}")
        self._device.activate()
        stays = stream is not None
        self._stream = self._device.foreign_stream(handle_of(stream)) if stays else self._device.create_stream()
        self._order = Order(self._device, self._stream)
        self._lock = threading.Lock()
        aliases = opened.aliases()
        self._states = states_of(self._device, self._order, opened.info, aliases, streams, self._lock)
        self._staging = Staging(self._device, self._stream, of_outputs(aliases, self._info.outputs))
        self._context = Context(opened, graphs, self._staging.provide, scratch=memory is None)
        if nvtx is not None:
            self._context.set_nvtx_verbosity(nvtx)
        self._range = no_range if nvtx is None else nvtx_ranges()
        self._arguments = Arguments(self._info, self._device.index, self._states.shapes if self._states else {})
        self._takes_out = all(info.name != "out" for info in self._info.inputs)
        arrays_alone = len(self._arguments.arrays) == len(self._info.inputs)
        repeats = Repeats(self._states)
        self._repeats = repeats if self._takes_out and arrays_alone and not stays else None
        self._launcher = Launcher(
            opened, self._context, self._order, profile, stays, memory, repeats.clear, self._states
        )
        self._pending: weakref.ref[Pending] | None = None
        self._closed = False
        # neither the context nor the buffers may go while the GPU uses them
        weakref.finalize(self, self._order.drain)
        opened.users.add(self)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits for calls in flight, whose results stay valid, and frees the session's memory on the GPU.

        Later calls raise ClosedError.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._device.activate()
            if self._pending is not None:
                self._settle()
            self._order.drain()
            self._repeats = None
            self._launcher.close()
            self._context.close()
            self._staging.close()
            if self._states is not None:
                self._states.close()
            self._device.synchronize(self._stream)  # freed in its order
            self._device.trim()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self._info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self._info.outputs

    @property
    def states(self) -> tuple[StateInfo, ...]:
        """What its callers carry from call to call: none of the states that it carries itself."""
        return self._info.states

    @property
    def carried(self) -> States:
        """The states that it carries itself. Raises InputError for a session that was not asked for streams."""
        if self._states is None:
            raise InputError("this session carries no states: engine.session(streams=4), or trtnet.Streams(engine, 4)")
        return self._states

    @cached_property
    def _tensors(self) -> Any:
        return self._torch()

    @cached_property
    def _on_device(self) -> TensorCalls:
        parts = self._context, self._launcher, self._staging, self._order
        return TensorCalls(self._device, self._info, *parts, self._tensors)

    @cached_property
    def _on_host(self) -> ArrayCalls:
        parts = self._context, self._launcher, self._staging, self._order
        return ArrayCalls(self._device, self._arguments.arrays, self._info.outputs, *parts)

    @property
    def no_cuda_graph(self) -> str:
        """Why calls are not captured as CUDA graphs; "" if they are."""
        return self._launcher.no_cuda_graph

    def report_layers(self, profiler: Any) -> None:
        """Lets TensorRT report each layer's time to an ``IProfiler``: see :mod:`trtnet.runtime.profiling`."""
        self._context.report_layers(profiler)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`submit`. Soonest with the tensors and the out= of a call before."""
        if self._repeats is not None and "out" in kwargs and self._repeat(args, kwargs):
            return self._results(kwargs["out"])
        return self.submit(*args, **kwargs).result()

    def _repeat(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Launches a call that came before with tensors in the same places, if there is one."""
        with self._lock, self._range(self._info.model or "trtnet"):
            repeatable = self._repeats.find(args, kwargs) if self._repeats is not None else None
            if repeatable is None:
                return False
            self._device.activate()
            here = self._tensors.current_stream(self._device.index)
            self._launcher.repeat(repeatable, self._order.stream(here))
            return True

    def _results(self, out: Any) -> Any:
        if not isinstance(out, dict | NamedOutputs):
            return out
        return returned({info.name: out[info.name] for info in self._info.outputs})

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once.

        Inputs by position or by name: numpy arrays, which may be changed as soon as this returns, and whose results
        belong to the caller; or torch CUDA tensors, read and written in place in the order of torch's current stream,
        like an operation of torch. GPU arrays of other libraries (DLPack, ``__cuda_array_interface__``) are taken as
        torch tensors of the same memory, and results are returned as arrays of that library. An output that
        the engine writes in place of an input (a KV cache) is that input. A shape input takes ints, or an
        integer array on the CPU.
        out=: where the results go: an array, a dict by name or an earlier call's outputs, of the same kind as the
        inputs, with the outputs' shapes and dtypes.
        A call with numpy arrays first waits until the results of the session's previous call are out of its buffers;
        they are kept for their ``Pending``.
        Raises InputError and ProfileError for inputs that do not fit, TrtnetError in TensorRT's words if it fails.
        """
        return self.submit_call(args, kwargs, _nothing)

    def submit_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], finished: Callable[[], None]) -> Pending:
        """:meth:`submit`, with what to call once the session is free for another call (not if this raises)."""
        with self._lock, self._range(self._info.model or "trtnet"):
            return self._submit(args, kwargs, finished)

    def _submit(self, args: tuple[Any, ...], given: Mapping[str, Any], finished: Callable[[], None]) -> Pending:
        if self._closed:
            raise ClosedError("the session was closed, or its engine was; make another: engine.session()")
        out, kwargs = None, given
        if self._takes_out and "out" in given:
            out = named(given["out"], self._info.outputs)
            kwargs = {name: given[name] for name in given if name != "out"}
        signature = self._arguments.find(args, kwargs)
        if signature is None:
            foreign = next((value for value in (*args, *kwargs.values()) if is_foreign(value)), None)
            if foreign is not None:
                return self._submit_foreign(foreign, args, kwargs, out, finished)
            signature = self._arguments.look(args, kwargs)
        side = self._repeats.side if self._repeats is not None else 0
        pending, repeatable = self._queue(signature, signature.values(args, kwargs), out, finished)
        if self._repeats is not None and out is not None and repeatable is not None:
            self._repeats.keep(repeatable, side, args, given)
        return pending

    def _queue(
        self, signature: Signature, values: Mapping[str, Any], out: Outputs | None, finished: Callable[[], None]
    ) -> tuple[Pending, Repeatable | None]:
        """The call's result, and what repeats its execution: nothing does for numpy arrays, which are copied."""
        self._device.activate()
        if self._pending is not None:
            self._settle()
        try:
            profile = self._launcher.profile(signature)
            if signature.on_device:
                return self._on_device.queue(signature, profile, values, out, finished)
            pending = self._on_host.queue(signature, profile, values, out, finished)
            self._pending = weakref.ref(pending)
            return pending, None
        except BaseException:
            # what was queued before the failure must not meet the next call's data
            self._order.drain()
            raise

    def _submit_foreign(
        self,
        foreign: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        out: Outputs | None,
        finished: Callable[[], None],
    ) -> Pending:
        torch = self._tensors
        named_values = dict(zip(kwargs, converted(tuple(kwargs.values()), torch.tensor_of), strict=True))
        tensors = None if out is None else dict(zip(out, converted(tuple(out.values()), torch.tensor_of), strict=True))
        given = converted(args, torch.tensor_of)
        signature = self._arguments.look(given, named_values)
        pending, _ = self._queue(signature, signature.values(given, named_values), tensors, finished)
        return pending.then(lambda outputs: out or {n: torch.like(foreign, tensor) for n, tensor in outputs.items()})

    def _settle(self) -> None:
        """Sees to it that the staging memory is free: the call before is done, and its results are with its Pending."""
        pending = self._pending() if self._pending is not None else None
        if pending is None:  # nobody wants the results any more
            self._device.synchronize(self._stream)
        else:
            pending.settle()
        self._pending = None


def _nothing() -> None:
    pass
