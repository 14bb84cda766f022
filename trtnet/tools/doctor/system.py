"""The machine as the doctor sees it: a few plain questions, which tests answer for machines they do not have."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """memory: bytes. capability: the compute capability, (9, 0)."""

    name: str
    capability: tuple[int, int]
    memory: int


@dataclass(frozen=True)
class Driver:
    """cuda: the newest CUDA the driver runs, (13, 0). problem: the driver's words if it does not start, else empty."""

    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Module:
    """An attempt to import `name`. problem: why an installed one cannot be imported, else empty."""

    name: str
    module: Any = None
    problem: str = ""

    @property
    def installed(self) -> bool:
        return self.usable or bool(self.problem)

    @property
    def usable(self) -> bool:
        return self.module is not None

    @property
    def version(self) -> str:
        return str(getattr(self.module, "__version__", "of unknown version"))


@dataclass(frozen=True)
class System:
    """python: (3, 11, 7). platform: sys.platform. machine: ``"x86_64"``. version_of: a distribution's version or None.

    import_module: imports or raises. driver: None where there is no NVIDIA driver.
    """

    python: tuple[int, int, int]
    platform: str
    machine: str
    environment: Mapping[str, str]
    version_of: Callable[[str], str | None]
    import_module: Callable[[str], Any]
    driver: Driver | None

    def load(self, name: str) -> Module:
        """Imports a module and reports how that went; raises nothing."""
        try:
            return Module(name, self.import_module(name))
        except ModuleNotFoundError as error:
            absent = error.name is not None and f"{name}.".startswith(f"{error.name}.")
            return Module(name) if absent else Module(name, problem=str(error))
        # A broken installation raises whatever its initialisation happens to hit.
        except Exception as error:
            return Module(name, problem=f"{type(error).__name__}: {error}")


def this_system() -> System:
    """The machine and the Python that this runs on."""
    return System(
        python=sys.version_info[:3],
        platform=sys.platform,
        machine=platform.machine(),
        environment=os.environ,
        version_of=_version_of,
        import_module=importlib.import_module,
        driver=_read_driver(),
    )


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _read_driver() -> Driver | None:
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    number = ctypes.c_int(0)
    cuda.cuDriverGetVersion(ctypes.byref(number))
    version = number.value // 1000, number.value % 1000 // 10
    error = cuda.cuInit(0)
    if error == _NO_DEVICE:
        return Driver(version)
    if error:
        return Driver(version, problem=_words(cuda, error))
    count = ctypes.c_int(0)
    cuda.cuDeviceGetCount(ctypes.byref(count))
    return Driver(version, tuple(_gpu(cuda, index) for index in range(count.value)))


# CUresult and CUdevice_attribute of cuda.h. The doctor must work where cuda.bindings, which names them, does not.
_NO_DEVICE = 100
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


def _words(cuda: Any, error: int) -> str:
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(error, ctypes.byref(text))
    return f"{(text.value or b'unknown error').decode()} (CUDA error {error})"


def _gpu(cuda: Any, index: int) -> Gpu:
    device, name, memory = ctypes.c_int(0), ctypes.create_string_buffer(256), ctypes.c_size_t(0)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    capability = _attribute(cuda, device, _CAPABILITY_MAJOR), _attribute(cuda, device, _CAPABILITY_MINOR)
    return Gpu(name.value.decode(errors="replace"), capability, memory.value)


def _attribute(cuda: Any, device: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int(0)
    cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return value.value
