"""Is there a driver, which GPUs, and does the TensorRT in use run on them?"""

from __future__ import annotations

from trtnet.support.version import release
from trtnet.tools.doctor.check_result import CheckResult, Status
from trtnet.tools.doctor.system import Driver, Gpu, Module

OLDEST = (7, 5)
"""The oldest compute capability that TensorRT 10 and later and TensorRT-RTX run on."""

RTX_LIST = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
"""The compute capabilities in NVIDIA's support table for TensorRT-RTX, which says 12.x for the last."""

RTX_TRIED = {"9.0": (((1, 4, 0), True), ((1, 6, 1), True), ((1, 7, 1), False))}
"""Compute capabilities outside the table: the TensorRT-RTX versions tried on one, and whether their engines ran."""

RTX_FOR_HOPPER = "1.6.1.120"

_NO_DRIVER = {
    "tensorrt": "TensorRT builds no engine without one; TensorRT-RTX does:\n  pip install 'trtnet[rtx]'",
    "tensorrt_rtx": "Engines are built ahead of time but do not run here; network.reference() computes on the CPU.",
}


def check_driver(driver: Driver | None, backend: Module | None) -> CheckResult:
    """The NVIDIA driver."""
    if driver is None:
        advice = _NO_DRIVER[backend.name] if backend else "Engines need one to run."
        return CheckResult("driver", Status.MISSING, "no NVIDIA driver", advice)
    version = f"CUDA {driver.cuda[0]}.{driver.cuda[1]}"
    if driver.problem:
        advice = "Update or reinstall the driver and restart; in a container, use one made for this driver."
        return CheckResult("driver", Status.ERROR, f"{version}, but it does not start: {driver.problem}", advice)
    return CheckResult("driver", Status.OK, version)


def check_gpus(driver: Driver, backend: Module | None) -> list[CheckResult]:
    """Each GPU, and whether `backend` runs on it."""
    if driver.problem:
        return []
    if not driver.gpus:
        return [CheckResult("GPU", Status.MISSING, "the driver sees none", "CUDA_VISIBLE_DEVICES may hide one.")]
    return [_check_gpu(f"GPU {index}", gpu, backend) for index, gpu in enumerate(driver.gpus)]


def _check_gpu(subject: str, gpu: Gpu, backend: Module | None) -> CheckResult:
    capability = f"{gpu.capability[0]}.{gpu.capability[1]}"
    found = f"{gpu.name}, compute capability {capability}, {gpu.memory / 2**30:.1f} GiB"
    if gpu.capability < OLDEST:
        return CheckResult(subject, Status.ERROR, found, "TensorRT needs compute capability 7.5 (Turing) or newer.")
    if backend is None or backend.name == "tensorrt" or capability in RTX_LIST or gpu.capability[0] == 12:
        return CheckResult(subject, Status.OK, found)
    status, advice = _outside_the_list(capability, backend.version)
    return CheckResult(subject, status, found, advice)


def _outside_the_list(capability: str, version: str) -> tuple[Status, str]:
    """The newest version tried up to `version` is the best there is to go by."""
    tried = [item for item in RTX_TRIED.get(capability, ()) if item[0] <= release(version)]
    unlisted = f"{capability} is not in NVIDIA's list of GPUs for TensorRT-RTX"
    if not tried:
        return Status.WARNING, f"{unlisted}, and was not tried. {_PLAIN}"
    last, ran = tried[-1]
    name = ".".join(map(str, last))
    if ran:
        return Status.WARNING, f"{unlisted}; in practice {name} ran on it, 1.7.1 does not."
    command = f"  pip install tensorrt_rtx=={RTX_FOR_HOPPER}"
    return Status.ERROR, f"{unlisted}, and {name} refuses to run engines on it. 1.6.1 does run:\n{command}\n{_PLAIN}"


_PLAIN = "TensorRT itself supports it:\n  pip install 'trtnet[tensorrt]'"
