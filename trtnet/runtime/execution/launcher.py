"""Launches executions: in the right profile, shapes told once, as a CUDA graph where an execution comes again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

from trtnet.runtime.cuda.interface import Graph, Stream
from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.graph_cache import Graphs
from trtnet.runtime.execution.profiles import ranges
from trtnet.runtime.execution.scratch_memory import ActivationMemory
from trtnet.runtime.execution.signature import Signature
from trtnet.runtime.execution.states import States
from trtnet.runtime.execution.stream_order import Order
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import ProfileError


@dataclass(frozen=True)
class Repetition:
    """What an execution that is not a graph is repeated with. addresses: of every input and output, by name."""

    signature: Signature
    profile: int
    addresses: Mapping[str, int]


Repeatable: TypeAlias = Graph | Repetition
Launched: TypeAlias = tuple[bool, Repeatable | None]


class Launcher:
    """A context with its order, and its graphs where trtnet captures them.

    fixed: the profile to stay in, or None. stays: whether everything runs on the order's own stream, where graphs are
    launched on the caller's otherwise. memory: the scratch memory that a context without its own takes turns in with
    others. renewed: called when executions that were launched before must not be repeated any more. states: what is
    carried from an execution to the next.
    """

    def __init__(
        self,
        opened: OpenEngine,
        context: Context,
        order: Order,
        fixed: int | None,
        stays: bool,
        memory: ActivationMemory | None = None,
        renewed: Callable[[], None] = lambda: None,
        states: States | None = None,
    ) -> None:
        self._info, self._context, self._order = opened.info, context, order
        self.graphs = Graphs(opened.device, order) if context.graphs == "captured" else None
        self._fixed, self._stays = fixed, stays
        self._latest = context.profile
        self._memory = memory
        self._generation, self._renewed = context.generation, renewed
        self._states = states

    @property
    def no_cuda_graph(self) -> str:
        """Why executions are no CUDA graphs; "" if they are."""
        if self.graphs is not None:
            return self.graphs.refused
        return "cuda_graph=False" if self._context.graphs == "none" else ""

    def profile(self, signature: Signature) -> int:
        """The profile to stay in or, where the shapes do not fit it, the first that they do. Raises ProfileError."""
        current = self._latest if self._fixed is None else self._fixed
        if current in signature.profiles:
            return current
        if self._fixed is not None:
            fit, all_ranges = " and ".join(map(str, signature.profiles)), ranges(self._info.profiles)
            raise ProfileError(
                f"the session stays in profile {self._fixed}, the shapes fit profile {fit}\n{all_ranges}"
            )
        return signature.profiles[0]

    def shapes(self, signature: Signature, profile: int) -> Mapping[str, StaticShape]:
        """The shapes of the outputs, but for those that depend on data."""
        if profile not in signature.outputs:
            found = signature.outputs[profile] = self._tell(signature, profile)
            dependent = [info.name for info in self._info.outputs if info.name not in found]
            if dependent and self.graphs is not None:
                self.graphs.refuse(f"the shape of output {dependent[0]} depends on data")
        return signature.outputs[profile]

    def launch(self, signature: Signature, profile: int, addresses: Mapping[str, int], theirs: Stream) -> Launched:
        """Queues one execution between what is on a stream and what will be.

        Returns whether it was a graph, and what :meth:`repeat` may launch for an execution like it, if anything.
        """
        if self._states is not None:
            addresses = {**addresses, **self._states.addresses()}
        if self._memory is None:
            launched = self._launch(signature, profile, addresses, theirs, 0)
        else:
            with self._memory.turn():
                launched = self._launch(signature, profile, addresses, theirs, self._memory.address)
        if self._states is not None:
            self._states.turn()
        return launched

    def _launch(
        self, signature: Signature, profile: int, addresses: Mapping[str, int], theirs: Stream, scratch: int
    ) -> Launched:
        self._latest = profile
        self._forget()
        key = (signature.number, profile, scratch, tuple(addresses.values()))
        graph = self.graphs.find(key) if self.graphs else None
        self._order.move(theirs)
        repeatable: Repeatable | None = None
        if graph is not None:
            where = self._order.own if self._stays else theirs
            self._order.move(where)
            with self._scratch_on(where):
                graph.launch(where)
            repeatable = graph if self._memory is None and not self._stays else None
        else:
            # not on torch's stream: TensorRT synchronizes the whole device on the default stream
            self._tell(signature, profile)
            with self._scratch_on(self._order.own):
                self._execute(key, addresses)
            if self._is_all(signature, profile):
                repeatable = Repetition(signature, profile, addresses)
        self._order.move(theirs)
        return graph is not None, repeatable

    def repeat(self, repeatable: Repeatable, theirs: Stream) -> None:
        """Queues an execution again, between what is on a stream and what will be."""
        if isinstance(repeatable, Repetition):
            self.launch(repeatable.signature, repeatable.profile, repeatable.addresses, theirs)
        else:
            self._order.move(theirs)
            repeatable.launch(theirs)
            if self._states is not None:
                self._states.turn()

    def close(self) -> None:
        """Drops the graphs; none may be running."""
        if self.graphs is not None:
            self.graphs.close()

    def _is_all(self, signature: Signature, profile: int) -> bool:
        """Whether an execution without graphs is all that there is to a call: no output's shape depends on data."""
        return self.graphs is None and len(signature.outputs[profile]) == len(self._info.outputs)

    def _scratch_on(self, stream: Stream) -> AbstractContextManager[None]:
        return nullcontext() if self._memory is None else self._memory.used_on(stream)

    def _execute(self, key: Hashable, addresses: Mapping[str, int]) -> None:
        own = self._order.own
        if self._memory is not None:
            self._memory.grow(self._context.scratch_nbytes(), own)
            self._context.use_memory(self._memory.address, self._memory.nbytes)
        self._context.save_kernels()  # of executions before: a process that is killed later has them for the next one
        self._context.execute(addresses, own.handle)
        if self.graphs is not None:
            self.graphs.learn(key, lambda: self._context.execute(addresses, own.handle))

    def _tell(self, signature: Signature, profile: int) -> Mapping[str, StaticShape]:
        self._order.move(self._order.own)
        if self._context.worn:
            self._order.drain()
            self._context.renew()
            self._forget()
        return self._context.set_shapes(signature.shapes, profile, self._order.own.handle)

    def _forget(self) -> None:
        """Drops the graphs of the context before it was renewed, by whichever launcher."""
        if self._generation != self._context.generation:
            self._generation = self._context.generation
            self._renewed()
            if self.graphs is not None:
                self.graphs.close()
