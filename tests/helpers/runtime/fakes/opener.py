"""What opens plans on fake devices."""

from __future__ import annotations

from collections.abc import Iterable

from helpers.runtime.fakes.device import FakeDevice
from helpers.runtime.fakes.engine import FakeEngine
from helpers.runtime.fakes.torch_tensors import FakeTorch

from trtnet.builder import Plan
from trtnet.reference import Reference
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.diagnostics import ErrorRecorder


class Opener:
    """Opens plans on fake devices, and counts how often. dependent: outputs whose shape depends on data.

    devices: by number; device: number 0.
    """

    def __init__(self, reference: Reference, dependent: Iterable[str] = ()) -> None:
        self.reference = reference
        self.dependent = frozenset(dependent)
        self.devices = {0: FakeDevice()}
        self.device = self.devices[0]
        self.torch = FakeTorch(self.device)
        self.recorder = ErrorRecorder()
        self.engines: list[FakeEngine] = []

    @property
    def engine(self) -> FakeEngine:
        return self.engines[-1]

    def __call__(self, plan: Plan, index: int = 0) -> OpenEngine:
        device = self.devices.setdefault(index, FakeDevice(index))
        device.activate()
        self.engines.append(FakeEngine(plan, self.reference, device, self.dependent))
        return OpenEngine(self.engines[-1], device, self.recorder, plan.info, torch=lambda: self.torch)
