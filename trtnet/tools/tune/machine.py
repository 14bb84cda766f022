"""The GPUs that are tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support.errors import DeviceError
from trtnet.tools.doctor.system import this_system


@dataclass(frozen=True)
class Machine:
    """gpu: its product name. compute_capability: ``"9.0"``. driver: the newest CUDA that it runs, ``"13.0"``."""

    gpu: str
    compute_capability: str
    driver: str


def this_machine(devices: Sequence[int]) -> Machine:
    """Raises DeviceError for a missing GPU, and for several of different kinds."""
    for index in devices:
        CudaDevice(index)
    driver = this_system().driver
    assert driver is not None
    gpus = [driver.gpus[index] for index in devices]
    names = dict.fromkeys(gpu.name for gpu in gpus)
    if len(names) > 1:
        raise DeviceError(f"the GPUs are {' and '.join(names)}: tune on each kind separately")
    first = gpus[0]
    return Machine(first.name, ".".join(map(str, first.capability)), ".".join(map(str, driver.cuda)))
