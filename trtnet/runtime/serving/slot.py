"""One inference in flight, with everything it owns."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.runtime.calls.arguments import Arguments
from trtnet.runtime.cuda.interface import Event
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.execution.signature import Signature
from trtnet.runtime.serving.copying import copy_into
from trtnet.runtime.serving.shared_context import Stages
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import InputError

Arrays = dict[str, np.ndarray[Any, Any]]


class Slot:
    """Page-locked memory and GPU memory of one inference, which goes through the stages beside those of other slots.

    ``fill``, ``upload``, ``compute``, ``download``, ``results``, in this order; each but the first and the last only
    queues, in the order of what was queued for the slot before. A part may be repeated (a computation that is timed
    without transfers). Buffers are kept, and grow where shapes need it. A slot is used by one thread at a time; those
    of the same stages may be by several.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages, self._device, self._info = stages, stages.device, stages.info
        self._device.activate()
        self._staging = Staging(self._device, stages.upload, stages.context.aliases)
        self._launcher = stages.launcher()
        self._arguments = Arguments(self._info, self._device.index)
        self._signature: Signature | None = None
        self._profile = 0
        self._shapes: Mapping[str, StaticShape] = {}
        self._addresses: dict[str, int] = {}
        self._uploaded: Event | None = None
        self._computed: Event | None = None
        self._downloaded: Event | None = None
        # neither the context nor the buffers may go while the GPU uses them
        weakref.finalize(self, stages.drain)

    @property
    def no_cuda_graph(self) -> str:
        """Why executions are not captured as CUDA graphs; "" if they are."""
        return self._launcher.no_cuda_graph

    def fill(self, arrays: Mapping[str, Any]) -> None:
        """Copies the inputs, by name, into page-locked memory; the arrays may be changed afterwards.

        First waits for what the slot did before. Raises InputError and ProfileError as a call of a session.
        """
        for name, place in self.reserve(arrays).items():
            copy_into(place, arrays[name])

    def reserve(self, like: Mapping[str, Any]) -> Arrays:
        """The page-locked memory of the inputs, to be written before the upload: what ``fill`` does but for the copies.

        like: by input name, what has the shape and dtype of an input; the values themselves of inputs that say sizes.
        """
        self._device.activate()
        self._settle()
        self._signature = None
        signature = self._arguments.look((), like)
        if signature.on_device:
            raise InputError(
                "a pipeline takes numpy arrays; tensors on the GPU do not need one: call the engine with them"
            )
        self._profile = self._launcher.profile(signature)
        with self._stages.lock:
            outputs = self._launcher.shapes(signature, self._profile)
        for info in self._arguments.arrays:
            self._staging.grow(info, signature.shapes[info.name])
        for info in self._info.outputs:
            if info.name in outputs:
                self._staging.grow(info, outputs[info.name])
        self._addresses, self._shapes = self._staging.addresses(), outputs
        self._signature = signature
        return {info.name: self._staging.array(info, signature.shapes[info.name]) for info in self._arguments.arrays}

    def upload(self) -> None:
        """Queues the way of the inputs to the GPU, behind the slot's computation before, which may read them."""
        stages, signature = self._stages, self._filled()
        self._follow(self._computed, stages.upload)
        if self._staging.aliases:
            self._follow(self._downloaded, stages.upload)
        for info in self._arguments.arrays:
            self._staging.send(info, signature.shapes[info.name], stages.upload)
        self._uploaded = self._device.record(stages.upload)

    def compute(self) -> None:
        """Queues the execution, behind the upload and the slot's download before: as a CUDA graph if it comes again.

        Raises TrtnetError in TensorRT's words if it fails.
        """
        stages, signature = self._stages, self._filled()
        if len(self._shapes) < len(self._info.outputs):
            self._settle()  # TensorRT may replace the memory of the others
        with stages.lock:
            self._follow(self._uploaded, stages.compute)
            self._follow(self._downloaded, stages.compute)
            with stages.turn.of(self._staging):
                self._launcher.launch(signature, self._profile, self._addresses, stages.compute)
            self._computed = self._device.record(stages.compute)
            found = stages.context.found()
        if found:
            self._shapes = {**signature.outputs[self._profile], **found}

    def download(self) -> None:
        """Queues the way of the outputs to page-locked memory, behind the execution."""
        self._filled()
        stages = self._stages
        self._follow(self._computed, stages.download)
        for info in self._info.outputs:
            self._staging.fetch(info, self._shapes[info.name], stages.download)
        self._downloaded = self._device.record(stages.download)

    def results(self) -> Arrays:
        """Waits for everything queued. The outputs by name: views that hold until the slot is filled or run again."""
        self._device.activate()
        self._settle()
        return {info.name: self._staging.array(info, self._shapes[info.name]) for info in self._info.outputs}

    def _filled(self) -> Signature:
        self._device.activate()
        if self._signature is None:
            raise InputError("the slot holds no inputs: fill it first")
        return self._signature

    def _follow(self, event: Event | None, stream: Any) -> None:
        if event is not None:
            self._device.follow(event, stream)

    def _settle(self) -> None:
        for event in (self._uploaded, self._computed, self._downloaded):
            if event is not None:
                self._device.wait(event)
        self._uploaded = self._computed = self._downloaded = None
