"""Is there a TensorRT that imports, which one does trtnet use, and do its wheels fit together?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from trtnet.support.backend import BACKENDS, INSTALL
from trtnet.support.text.counted import counted
from trtnet.tools.doctor.check_result import CheckResult, Status
from trtnet.tools.doctor.system import Driver, Module, System
from trtnet.tools.explain.api_changes import vanished

SUBJECT = "backend"
"""The subject of the finding that says which TensorRT trtnet uses."""

CUDA_MAJORS = (12, 13)
"""The CUDA versions that TensorRT's wheels are made for."""

OLDEST_DRIVER = {12: "525", 13: "580"}
"""The first driver release of a CUDA major version."""

_EXTRAS = {"tensorrt": "tensorrt", "tensorrt_rtx": "rtx"}
_LIBRARY = re.compile(r"lib([\w-]+)\.so(?:\.(\d+))?[\d.]*: cannot open shared object file")


@dataclass(frozen=True)
class Wheel:
    """The installed wheels of one backend and CUDA version. libs: the version of the -libs wheel, None without one."""

    module: str
    cuda: int
    bindings: str
    libs: str | None

    @property
    def package(self) -> str:
        """The name to install it by: ``tensorrt-rtx-cu13``."""
        return f"{self.module}_cu{self.cuda}".replace("_", "-")


def installed_wheels(system: System, module: str) -> list[Wheel]:
    """Those of `module`; none where TensorRT came another way than by pip."""
    wheels = []
    for cuda in CUDA_MAJORS:
        bindings = system.version_of(f"{module}_cu{cuda}_bindings")
        if bindings is not None:
            wheels.append(Wheel(module, cuda, bindings, system.version_of(f"{module}_cu{cuda}_libs")))
    return wheels


def choose(system: System, modules: Mapping[str, Module]) -> tuple[Module | None, str]:
    """The TensorRT that ``trtnet.support.backend`` takes, if it is installed, and why it takes that one."""
    wanted = system.environment.get("TRTNET_BACKEND")
    if wanted is not None and wanted not in BACKENDS:
        return None, f"TRTNET_BACKEND is {wanted!r}; it must be one of {', '.join(BACKENDS)}"
    if wanted is not None:
        installed = modules[wanted].installed
        why = f"TRTNET_BACKEND asks for {wanted}" + ("" if installed else ", which is not installed")
        return (modules[wanted] if installed else None), why
    installed_names = [name for name in BACKENDS if modules[name].installed]
    if not installed_names:
        return None, "no TensorRT is installed in this Python"
    first = installed_names[0]
    why = (
        "the only one installed" if len(installed_names) == 1 else f"{first} comes first; TRTNET_BACKEND picks another"
    )
    return modules[first], why


def check_choice(system: System, modules: Mapping[str, Module]) -> CheckResult:
    """Which TensorRT trtnet uses."""
    chosen, why = choose(system, modules)
    if chosen is None:
        return CheckResult(SUBJECT, Status.ERROR, why, f"Install one of\n{INSTALL.rpartition(chr(10))[0]}")
    if chosen.usable:
        return CheckResult(SUBJECT, Status.OK, f"{chosen.name} {chosen.version} ({why})")
    others = [name for name, module in modules.items() if module.usable]
    advice = f"Repair it as said below, or use the other:\n  export TRTNET_BACKEND={others[0]}" if others else ""
    return CheckResult(SUBJECT, Status.ERROR, f"{chosen.name} ({why}) cannot be imported", advice)


def check_module(system: System, module: Module, modules: Mapping[str, Module]) -> list[CheckResult]:
    """One TensorRT: is it there, does it import, do its wheels belong together? modules: all of them; one will do."""
    if not module.installed:
        other = next((name for name, one in modules.items() if one.usable), None)
        said = "not installed" if other is None else f"not installed, and not needed: {other} will do"
        return [CheckResult(module.name, Status.MISSING if other is None else Status.OK, said)]
    wheels = installed_wheels(system, module.name)
    findings = [finding for wheel in wheels for finding in check_wheel(wheel)]
    if len(wheels) > 1:
        findings.append(_two_variants(wheels))
    if module.usable:
        return [CheckResult(module.name, Status.OK, module.version), *findings]
    return [CheckResult(module.name, Status.ERROR, module.problem, explain_import(module)), *findings]


def check_wheel(wheel: Wheel) -> list[CheckResult]:
    """Bindings and libraries must be of one version."""
    reinstall = f"  pip install --force-reinstall {wheel.package}=={wheel.bindings}"
    if wheel.libs is None:
        found = f"bindings {wheel.bindings} without {wheel.package}-libs: the system's library is used, if it has one"
        return [CheckResult(wheel.package, Status.WARNING, found, f"To install the library:\n{reinstall}")]
    if wheel.libs == wheel.bindings:
        return []
    found = f"bindings {wheel.bindings}, but libs {wheel.libs}"
    return [CheckResult(wheel.package, Status.ERROR, found, f"They must be of one version:\n{reinstall}")]


def check_wheel_on_driver(wheel: Wheel, driver: Driver) -> CheckResult:
    """A driver runs what was made for its CUDA version or an older one."""
    found = f"made for CUDA {wheel.cuda}; the driver runs CUDA up to {driver.cuda[0]}.{driver.cuda[1]}"
    if wheel.cuda <= driver.cuda[0]:
        return CheckResult(wheel.package, Status.OK, found)
    advice = f"Update the NVIDIA driver to {OLDEST_DRIVER[wheel.cuda]} or newer"
    if driver.cuda[0] in CUDA_MAJORS:
        older = wheel.package.replace(f"cu{wheel.cuda}", f"cu{driver.cuda[0]}")
        advice += f", or take the wheels for CUDA {driver.cuda[0]}:\n  pip install {older}"
    return CheckResult(wheel.package, Status.ERROR, found, advice)


def check_old_code(chosen: Module) -> CheckResult:
    """A hint for who brings code of an older TensorRT."""
    count = len(vanished(chosen.module))
    found = f"{counted(count, 'name')} of code for TensorRT 8 and 10, not in {chosen.name} {chosen.version}"
    return CheckResult(
        "older code", Status.OK, found, "`trtnet doctor --explain NAME` says what takes their place." if count else ""
    )


def explain_import(module: Module) -> str:
    """What to do about the words with which an import failed."""
    extra = _EXTRAS[module.name]
    reinstall = f"  pip install --force-reinstall 'trtnet[{extra}]'"
    library = _LIBRARY.search(module.problem)
    if library:
        return _explain_library(library[1], library[2] or "", reinstall)
    if "GLIBC" in module.problem:
        return (
            "The wheel needs a newer C or C++ library: a newer Linux distribution or container, or an older TensorRT."
        )
    if "undefined symbol" in module.problem:
        return f"Bindings and libraries are of different versions:\n{reinstall}"
    return f"The installation is incomplete or does not fit this Python:\n{reinstall}"


def _explain_library(name: str, major: str, reinstall: str) -> str:
    if name == "cuda":
        return "libcuda belongs to the NVIDIA driver: install the driver, or start the container with --gpus all."
    if name == "cudart":
        package = "nvidia-cuda-runtime" + ("-cu12" if major == "12" else "")
        return f"The CUDA {major} runtime is missing, or the wheel is for another CUDA:\n  pip install {package}"
    return f"A library of TensorRT itself is missing:\n{reinstall}"


def _two_variants(wheels: list[Wheel]) -> CheckResult:
    packages = [wheel.package for wheel in wheels]
    commands = [f"  pip uninstall {package}-bindings {package}-libs" for package in packages]
    advice = "They write into one folder, so one is damaged. Remove all, then install one again:\n"
    return CheckResult(
        wheels[0].module, Status.WARNING, " and ".join(packages) + " installed", advice + "\n".join(commands)
    )
