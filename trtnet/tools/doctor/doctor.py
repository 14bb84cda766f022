"""`trtnet doctor`: what this machine has, what is missing or mismatched, and how to get it.

Works where TensorRT, the driver and torch do not: nothing here needs them, and a broken one is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trtnet.support.backend import BACKENDS
from trtnet.tools.doctor import backend as doctor_backend, gpu as doctor_gpu, packages as doctor_packages
from trtnet.tools.doctor.check_result import CheckResult, Status
from trtnet.tools.doctor.system import System, this_system

__all__ = ["CheckResult", "Status", "System", "examine", "is_healthy", "render", "this_system", "to_json"]

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.MISSING: "cyan", Status.ERROR: "bold red"}


def examine(system: System | None = None) -> list[CheckResult]:
    """Looks at everything that trtnet stands on; `system` is this machine by default. Raises nothing."""
    system = system or this_system()
    modules = {name: system.load(name) for name in BACKENDS}
    chosen, _ = doctor_backend.choose(system, modules)
    wheels = doctor_backend.installed_wheels(system, chosen.name) if chosen else []
    findings = [doctor_packages.check_python(system), doctor_packages.check_platform(system)]
    findings.append(doctor_backend.check_choice(system, modules))
    for module in modules.values():
        findings += doctor_backend.check_module(system, module, modules)
    findings.append(doctor_gpu.check_driver(system.driver, chosen))
    if system.driver:
        findings += doctor_gpu.check_gpus(system.driver, chosen)
        findings += [doctor_backend.check_wheel_on_driver(wheel, system.driver) for wheel in wheels]
        findings += doctor_packages.check_bindings_on_driver(system, system.driver)
    findings += [doctor_packages.check_package(system, package) for package in doctor_packages.NEEDED]
    findings.append(doctor_packages.check_torch(system, system.driver, wheels[-1] if wheels else None))
    findings.append(doctor_packages.check_package(system, doctor_packages.MATPLOTLIB))
    if chosen and chosen.usable:
        findings.append(doctor_backend.check_old_code(chosen))
    return findings


def is_healthy(findings: Sequence[CheckResult]) -> bool:
    """Whether trtnet has a TensorRT that can be imported."""
    return any(found.subject == doctor_backend.SUBJECT and found.status is Status.OK for found in findings)


def to_json(findings: Sequence[CheckResult]) -> dict[str, Any]:
    """``{"healthy": bool, "findings": [{"subject", "status", "found", "advice"}, ...]}``."""
    entries = [
        {"subject": item.subject, "status": item.status.value, "found": item.found, "advice": item.advice}
        for item in findings
    ]
    return {"healthy": is_healthy(findings), "findings": entries}


def render(findings: Sequence[CheckResult]) -> RenderableType:
    """The findings for a terminal: a line each, the advice below it."""
    width = max((len(item.subject) for item in findings), default=0)
    verdict = (
        "trtnet can use the TensorRT of this machine." if is_healthy(findings) else "trtnet has no TensorRT to use."
    )
    return Group(*(part for item in findings for part in _lines(item, width)), Text(verdict, style="bold"))


def _lines(finding: CheckResult, width: int) -> list[RenderableType]:
    # Text, not markup: 'trtnet[rtx]' must stay as it is.
    line = Table.grid(padding=(0, 2))
    line.add_column(width=max(len(status.value) for status in Status))
    line.add_column(width=width)
    line.add_column(ratio=1)
    line.add_row(Text(finding.status.value, style=_STYLES[finding.status]), finding.subject, Text(finding.found))
    return [line, Padding(Text(finding.advice, style="dim"), (0, 0, 0, 9))] if finding.advice else [line]
