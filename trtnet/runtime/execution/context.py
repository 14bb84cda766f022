"""TensorRT's execution context, with errors in TensorRT's own words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

from trtnet.builder.config import TF32_OVERRIDE, VERBOSITIES
from trtnet.runtime.execution.collectives import Collectives
from trtnet.runtime.execution.context_options import GraphMaker, create, lifetime, runtime_config, specializes
from trtnet.runtime.execution.output_allocator import OutputAllocator
from trtnet.runtime.execution.shape_inputs import HostMemory
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.arrays import StaticShape
from trtnet.support.backend import trt
from trtnet.support.call_interface import TensorInfo
from trtnet.support.diagnostics import ErrorRecorder
from trtnet.support.errors import InputError, TrtnetError


class Context:
    """An execution context. It is used by one thread at a time, and its work is ordered by one stream.

    graphs: who makes CUDA graphs of its executions.
    provide: where outputs go whose shape depends on data: the address of at least so many bytes for an output, by name;
    without it they are refused. aliases: outputs that are written in an input's place: output -> input. values: where
    TensorRT reads the inputs that say sizes. scratch: whether the context holds scratch memory of its own; without it,
    :meth:`use_memory` comes before each execution.
    Raises PlanError for an engine with inputs or outputs that this runtime does not move.
    """

    def __init__(
        self,
        opened: OpenEngine,
        graphs: GraphMaker = "none",
        provide: Callable[[str, int], int] | None = None,
        scratch: bool = True,
    ) -> None:
        self._opened: OpenEngine | None = opened  # it must live as long
        self._info, self._cache = opened.info, opened.cache
        opened.check_movable()
        self.graphs, self._scratch = graphs, scratch
        self._trt: Any = None
        self._config: Any = None
        self._kernels: Any = None
        # a recorder of its own: the errors of calls in other threads stay out of this one's
        self._recorder = ErrorRecorder()
        self._profiler: Any = None
        self._nvtx: Any = None
        self._collectives: Collectives | None = None
        self.aliases = opened.aliases()
        self._addresses: dict[str, int] = {}
        self._outputs: dict[str, StaticShape] = {}
        self._allocator = OutputAllocator(provide) if provide is not None else None
        self._allocated: set[str] = set()
        self.values = HostMemory(self._info.inputs)
        self.generation, self._lifetime = 0, lifetime()
        self._make(opened)
        opened.contexts.add(self)

    def _make(self, opened: OpenEngine) -> None:
        """Makes TensorRT's context, which has been told nothing yet."""
        self._shapes: dict[str, StaticShape] | None = None
        self._executed: dict[str, StaticShape] | None = None
        self._changes = 0
        self._addresses.clear()
        self._allocated.clear()
        allowed = specializes(opened.info, opened.specialize)
        with self._turn():
            self._config = runtime_config(opened.engine, allowed, self.graphs, self._cache is not None)
            if self._config is not None and self._cache is not None:
                self._kernels = self._cache.attach(self._config)
            self._trt = create(opened.engine, self._config, self._scratch)
        if self._trt is None:
            said = opened.recorder.lines()
            raise TrtnetError("TensorRT made no execution context" + said + _advice(said))
        self._trt.error_recorder = self._recorder
        # -1 where the TensorRT gives no profile to the second context of an engine
        self.profile = int(self._trt.active_optimization_profile)
        if self._profiler is not None:
            self._trt.profiler = self._profiler
        if self._nvtx is not None:
            self._trt.nvtx_verbosity = self._nvtx
        is_rank = opened.info.ranks > 1
        self._collectives = Collectives(self._trt, opened, self._recorder.lines) if is_rank else None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Gives TensorRT's context back; nothing may use it any more."""
        if self._opened is not None:
            self._drop()
            self._opened = None

    def _drop(self) -> None:
        # the context before its configuration and its kernels, all before the engine: the bindings do not see to it
        with self._turn():
            self._trt = self._config = self._kernels = None
        self._collectives = None

    @property
    def worn(self) -> bool:
        """Whether to :meth:`renew` it."""
        return self.values.full or self._spent

    @property
    def _spent(self) -> bool:
        """Whether TensorRT's context must make way for a new one, or there is none, after a failure."""
        return self._changes >= self._lifetime or self._trt is None

    def renew(self) -> None:
        """Frees what has gathered: the values of inputs that say sizes, and what TensorRT-RTX keeps of shapes.

        Nothing of it may be under way. Graphs captured before must not be launched again; generation: how often this
        was. Raises TrtnetError if TensorRT makes no other context; to try again, call it again.
        """
        assert self._opened is not None, "a closed context is of no more use"
        self.generation += 1
        self.values.clear()
        self._shapes = None
        if self._spent:
            self._drop()
            self._make(self._opened)

    def _turn(self, *compiles: Hashable) -> AbstractContextManager[None]:
        return nullcontext() if self._cache is None else self._cache.turn(*compiles)

    def save_kernels(self) -> None:
        """Writes what TensorRT-RTX compiled so far to the engine's cache, for the next process, if it is time to."""
        if self._cache is not None:
            self._cache.save_soon()

    def set_shapes(self, shapes: Mapping[str, StaticShape], profile: int, stream: int) -> dict[str, StaticShape]:
        """Changes to a profile, tells the inputs' shapes, returns the outputs', but for those that depend on data.

        shapes: of all inputs, with the values of those that say sizes.
        Raises InputError if TensorRT refuses them.
        """
        if profile == self.profile and self._shapes == shapes:
            return self._outputs
        self._shapes = None
        self._recorder.clear()
        if profile != self.profile:
            with self._turn():
                changed = self._trt.set_optimization_profile_async(profile, stream)
            if not changed:
                self._fail(f"TensorRT did not change to profile {profile}", TrtnetError)
            self.profile = profile
        places = self.values.addresses(shapes)
        self._place(places)
        for name, shape in shapes.items():
            if name not in places and not self._trt.set_input_shape(name, shape):
                self._fail(f"TensorRT refused the shape {list(shape)} of input {name}", InputError)
        self._infer()
        self._outputs = {}
        for info in self._info.outputs:
            known = self._output_shape(info)
            if known is None:
                self._allocate(info)
            else:
                self._outputs[info.name] = known
        self._shapes = dict(shapes)
        return self._outputs

    def execute(self, addresses: Mapping[str, int], stream: int) -> None:
        """Queues one execution. Raises TrtnetError if it fails.

        addresses: of every input, and every output whose shape does not depend on data, by name. With an output whose
        shape does, it waits until TensorRT has seen the data; :meth:`found` tells the shape then.
        """
        self._recorder.clear()
        if self._allocator is not None:
            self._allocator.clear()
        self._place(addresses)
        if not self._enqueue(stream):
            if self._allocator is not None and self._allocator.error is not None:
                raise self._allocator.error
            self._fail("TensorRT did not run the engine", TrtnetError)
        if self._collectives is not None:
            self._collectives.check(stream)

    def _enqueue(self, stream: int) -> bool:
        if self._executed is self._shapes:
            return bool(self._trt.execute_async_v3(stream))
        shapes = self._shapes or {}
        with self._turn(self.graphs, self.profile, *shapes.items()):
            done = bool(self._trt.execute_async_v3(stream))
        self._executed = self._shapes
        self._changes += 1
        return done

    def scratch_nbytes(self) -> int:
        """The scratch memory that an execution with the shapes told takes, where the context holds none."""
        return int(self._trt.update_device_memory_size_for_shapes())

    def use_memory(self, address: int, nbytes: int) -> None:
        """The scratch memory of the next execution, where the context holds none."""
        self._trt.set_device_memory(address, nbytes)

    def found(self) -> dict[str, StaticShape]:
        """The shapes of the latest execution's outputs that depended on data."""
        return dict(self._allocator.shapes) if self._allocator is not None else {}

    def report_layers(self, profiler: trt.IProfiler) -> None:
        """Lets TensorRT measure the layers of each execution from now on, and wait for them."""
        self._profiler = self._trt.profiler = profiler

    def set_nvtx_verbosity(self, verbosity: str) -> None:
        """How much TensorRT says of its layers on Nsight's timeline. Raises InputError for an unknown word."""
        if verbosity not in VERBOSITIES:
            raise InputError(f"nvtx is one of {', '.join(VERBOSITIES)}; found {verbosity!r}")
        self._nvtx = self._trt.nvtx_verbosity = getattr(trt.ProfilingVerbosity, verbosity.upper())

    def _place(self, addresses: Mapping[str, int]) -> None:
        """Tells TensorRT the addresses that are others than before."""
        for name, address in addresses.items():
            if self._addresses.get(name) == address or name in self._allocated:
                continue
            self._addresses.pop(name, None)
            if not self._trt.set_tensor_address(name, address):
                self._fail(f"TensorRT refused the address of {name}", TrtnetError)
            self._addresses[name] = address

    def _infer(self) -> None:
        try:
            missing = self._trt.infer_shapes()
        except RuntimeError:
            self._fail("TensorRT cannot infer the outputs' shapes", InputError)
        if missing:
            self._fail(f"TensorRT cannot infer the outputs' shapes without {', '.join(missing)}", InputError)

    def _output_shape(self, info: TensorInfo) -> StaticShape | None:
        """None if it depends on data."""
        try:
            shape = tuple(self._trt.get_tensor_shape(info.name))
        except ValueError:  # Dims of an unknown rank have no length
            return None
        return shape if min(shape, default=0) >= 0 else None

    def _allocate(self, info: TensorInfo) -> None:
        """Lets TensorRT ask for the memory of an output."""
        if self._allocator is None:
            self._fail(
                f"the shape of output {info} depends on data: call a session, which allocates for it", InputError
            )
        if info.name not in self._allocated and not self._trt.set_output_allocator(info.name, self._allocator):
            self._fail(f"TensorRT took no allocator for output {info}", TrtnetError)
        self._allocated.add(info.name)

    def _fail(self, headline: str, error: type[TrtnetError]) -> NoReturn:
        raise error(headline + self._recorder.lines())


def _advice(said: str) -> str:
    if TF32_OVERRIDE in said:
        return f"\n  set {TF32_OVERRIDE} as it was where the engine was built, or build the engine again here"
    return ""
