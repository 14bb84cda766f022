"""Python, the platform, and the packages trtnet stands on."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet.support.version import release
from trtnet.tools.doctor.backend import OLDEST_DRIVER, Wheel
from trtnet.tools.doctor.check_result import CheckResult, Status
from trtnet.tools.doctor.system import Driver, System

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
"""What trtnet runs on, and the newest Python that TensorRT's wheels are made for."""

MACHINES = {"linux": ("x86_64", "aarch64"), "win32": ("amd64", "x86_64")}


@dataclass(frozen=True)
class Package:
    """A dependency as pyproject.toml has it. extra: the extra that brings it, None for one that is always needed."""

    distribution: str
    module: str
    minimum: str
    below: str | None = None
    extra: str | None = None
    purpose: str = ""

    @property
    def range(self) -> str:
        return f">={self.minimum}" + (f",<{self.below}" if self.below else "")

    @property
    def command(self) -> str:
        what = f"trtnet[{self.extra}]" if self.extra else f"{self.distribution}{self.range}"
        return f"  pip install '{what}'"


NEEDED = (
    Package("numpy", "numpy", "1.26"),
    Package("ml-dtypes", "ml_dtypes", "0.5"),
    Package("safetensors", "safetensors", "0.5"),
    Package("cuda-core", "cuda.core", "1.0", below="2"),
    Package("filelock", "filelock", "3.12"),
    Package("cuda-bindings", "cuda.bindings.driver", "13"),
    Package("rich", "rich", "13"),
    Package("typer", "typer", "0.15"),
)
TORCH = Package("torch", "torch", "2.4", extra="torch", purpose="reads .pth files, runs network.reference()")
MATPLOTLIB = Package("matplotlib", "matplotlib", "3.8", extra="viz", purpose="draws charts")


def check_python(system: System) -> CheckResult:
    """The Python version."""
    found = ".".join(map(str, system.python))
    if system.python[:2] < OLDEST_PYTHON:
        return CheckResult("Python", Status.ERROR, found, "trtnet needs Python 3.11 or newer.")
    if system.python[:2] > NEWEST_PYTHON:
        return CheckResult("Python", Status.WARNING, found, "TensorRT has wheels for Python up to 3.14.")
    return CheckResult("Python", Status.OK, found)


def check_platform(system: System) -> CheckResult:
    """The operating system and the processor."""
    found = f"{system.platform} {system.machine}"
    if system.machine.lower() in MACHINES.get(system.platform, ()):
        return CheckResult("platform", Status.OK, found)
    return CheckResult(
        "platform", Status.ERROR, found, "TensorRT is made for x86-64 and aarch64 Linux and x86-64 Windows."
    )


def check_package(system: System, package: Package) -> CheckResult:
    """Is it installed, in range, and does it import?"""
    name = package.distribution
    module = system.load(package.module)
    if not module.installed:
        status = Status.MISSING if package.extra else Status.ERROR
        return CheckResult(
            name, status, f"not installed; {package.purpose}".removesuffix("; "), f"To install it:\n{package.command}"
        )
    version = system.version_of(name) or module.version
    if not module.usable:
        command = f"  pip install --force-reinstall {name}"
        return CheckResult(
            name, Status.ERROR, f"{version}, cannot be imported: {module.problem}", f"To repair it:\n{command}"
        )
    if not _in_range(package, version):
        return CheckResult(name, Status.ERROR, version, f"trtnet needs {name}{package.range}:\n{package.command}")
    return CheckResult(name, Status.OK, version)


def check_bindings_on_driver(system: System, driver: Driver) -> list[CheckResult]:
    """cuda-bindings calls the driver, which must have its CUDA major version."""
    version = system.version_of("cuda-bindings")
    if version is None or not release(version) or release(version)[0] <= driver.cuda[0]:
        return []
    found = f"{version} calls a CUDA {release(version)[0]} driver; this one has CUDA {driver.cuda[0]}.{driver.cuda[1]}"
    oldest = OLDEST_DRIVER.get(release(version)[0])
    advice = f"Update the NVIDIA driver to {oldest} or newer." if oldest else "Update the NVIDIA driver."
    return [CheckResult("cuda-bindings", Status.ERROR, found, advice)]


def check_torch(system: System, driver: Driver | None, wheel: Wheel | None) -> CheckResult:
    """torch, and the CUDA it was built with beside TensorRT's and the driver's."""
    finding = check_package(system, TORCH)
    if finding.status is not Status.OK:
        return finding
    cuda = getattr(getattr(system.load("torch").module, "version", None), "cuda", None)
    if cuda is None:
        return _cpu_torch(finding.found, driver)
    found = f"{finding.found}, CUDA {cuda}"
    major = release(cuda)[0]
    if driver and major > driver.cuda[0]:
        advice = (
            f"The driver runs CUDA up to {driver.cuda[0]}.{driver.cuda[1]}: update it, or take another torch build."
        )
        return CheckResult("torch", Status.WARNING, found, advice)
    if wheel and major != wheel.cuda:
        advice = (
            f"{wheel.package} is made for CUDA {wheel.cuda}. Both work in one process, each with a CUDA runtime of"
            f" its own; a torch built with CUDA {wheel.cuda} saves memory and surprises."
        )
        return CheckResult("torch", Status.WARNING, found, advice)
    return CheckResult("torch", Status.OK, found)


def _cpu_torch(version: str, driver: Driver | None) -> CheckResult:
    found = f"{version}, without CUDA"
    if driver is None or not driver.gpus:
        return CheckResult("torch", Status.OK, found)
    advice = "Checkpoints and network.reference() work; CUDA tensors for engines need a torch built with CUDA."
    return CheckResult("torch", Status.WARNING, found, advice)


def _in_range(package: Package, version: str) -> bool:
    found = release(version)
    too_new = package.below is not None and found >= release(package.below)
    return found >= release(package.minimum) and not too_new
