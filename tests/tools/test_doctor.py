"""The doctor, on machines that the tests do not have."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from trtnet.support import backend
from trtnet.support.version import release
from trtnet.tools.doctor import packages as doctor_packages
from trtnet.tools.doctor.doctor import CheckResult, Status, System, examine, is_healthy, render, this_system, to_json
from trtnet.tools.doctor.system import Driver, Gpu
from trtnet.tools.explain.api_changes import TABLE, explain, vanished

GIB = 1 << 30
H200 = Gpu("NVIDIA H200", (9, 0), 140 * GIB)
L4 = Gpu("NVIDIA L4", (8, 9), 23 * GIB)
BASE = {
    "numpy": "2.4.6",
    "ml-dtypes": "0.6.0",
    "safetensors": "0.8.0",
    "cuda-core": "1.2.2",
    "cuda-bindings": "13.5.0",
    "filelock": "4.2.12",
    "rich": "15.0.0",
    "typer": "0.29.2",
    "matplotlib": "3.11.2",
}


def module(number: str, **attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(__version__=number, **attributes)


def wheels(name: str, version: str, cuda: int = 13, libs: str | None = None) -> dict[str, str]:
    return {f"{name}_cu{cuda}_bindings": version, f"{name}_cu{cuda}_libs": libs or version}


def machine(
    modules: Mapping[str, Any] = {},
    packages: Mapping[str, str] = BASE,
    driver: Driver | None = None,
    environment: Mapping[str, str] = {},
) -> System:
    """modules: what imports (an exception is raised); what `packages` has of the base imports too."""
    importable = {
        p.module: module(packages[p.distribution]) for p in doctor_packages.NEEDED if p.distribution in packages
    }
    if "matplotlib" in packages:
        importable["matplotlib"] = module(packages["matplotlib"])
    importable |= modules

    def import_module(name: str) -> Any:
        if name not in importable:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
        if isinstance(importable[name], Exception):
            raise importable[name]
        return importable[name]

    return System((3, 12, 4), "linux", "x86_64", environment, packages.get, import_module, driver)


def rtx(version: str, driver: Driver | None = None, **changes: Any) -> System:
    packages = BASE | wheels("tensorrt_rtx", version)
    return machine({"tensorrt_rtx": module(version)}, packages, driver, **changes)


def about(findings: list[CheckResult], subject: str) -> CheckResult:
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


def status(findings: list[CheckResult], wanted: Status) -> list[str]:
    return [finding.subject for finding in findings if finding.status is wanted]


def printed(findings: list[CheckResult]) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(render(findings))
    return capture.get()


def test_nothing_is_installed() -> None:
    findings = examine(machine(packages={}))
    assert not is_healthy(findings)
    assert about(findings, "backend").status is Status.ERROR
    assert status(findings, Status.MISSING) == ["tensorrt", "tensorrt_rtx", "driver", "torch", "matplotlib"]
    assert set(status(findings, Status.ERROR)) == {"backend", *(p.distribution for p in doctor_packages.NEEDED)}
    text = printed(findings)
    for command in ("pip install 'trtnet[rtx]'", "pip install 'trtnet[torch]'", "pip install 'cuda-core>=1.0,<2'"):
        assert command in text
    assert "`trtnet doctor`" not in text


def test_a_healthy_h200_with_rtx_1_6() -> None:
    system = rtx("1.6.1.120", Driver((13, 0), (H200,)))
    findings = examine(system)
    assert is_healthy(findings)
    assert not status(findings, Status.ERROR)
    assert about(findings, "backend").found == "tensorrt_rtx 1.6.1.120 (the only one installed)"
    assert about(findings, "tensorrt").found == "not installed, and not needed: tensorrt_rtx will do"
    assert about(findings, "tensorrt").status is Status.OK
    gpu = about(findings, "GPU 0")
    assert gpu.found == "NVIDIA H200, compute capability 9.0, 140.0 GiB"
    assert gpu.status is Status.WARNING
    assert "not in NVIDIA's list" in gpu.advice and "1.6.1 ran" in gpu.advice


def test_an_h200_with_rtx_1_7_is_told_to_take_1_6() -> None:
    gpu = about(examine(rtx("1.7.1.116", Driver((13, 0), (H200,)))), "GPU 0")
    assert gpu.status is Status.ERROR
    assert "1.7.1 refuses" in gpu.advice and "pip install tensorrt_rtx==1.6.1.120" in gpu.advice


@pytest.mark.parametrize(
    ("name", "version", "capability", "expected"),
    [
        ("tensorrt_rtx", "1.7.1.116", (7, 0), Status.ERROR),
        ("tensorrt_rtx", "1.7.1.116", (7, 5), Status.OK),
        ("tensorrt_rtx", "1.7.1.116", (8, 9), Status.OK),
        ("tensorrt_rtx", "1.4.0.76", (12, 1), Status.OK),
        ("tensorrt_rtx", "1.4.0.76", (9, 0), Status.WARNING),
        ("tensorrt_rtx", "1.3.0.1", (9, 0), Status.WARNING),
        ("tensorrt_rtx", "1.8.0.1", (9, 0), Status.ERROR),
        ("tensorrt_rtx", "1.7.1.116", (10, 0), Status.WARNING),
        ("tensorrt", "11.4.0.106", (9, 0), Status.OK),
        ("tensorrt", "10.13.3.9", (7, 0), Status.ERROR),
    ],
)
def test_which_gpu_runs_what(name: str, version: str, capability: tuple[int, int], expected: Status) -> None:
    driver = Driver((13, 0), (Gpu("a GPU", capability, GIB),))
    findings = examine(machine({name: module(version)}, BASE | wheels(name, version), driver))
    assert about(findings, "GPU 0").status is expected


def test_no_driver() -> None:
    findings = examine(rtx("1.7.1.116"))
    assert is_healthy(findings)
    driver = about(findings, "driver")
    assert driver.status is Status.MISSING
    assert "built ahead of time" in driver.advice and "network.reference()" in driver.advice
    plain = examine(machine({"tensorrt": module("11.4.0.106")}))
    assert "TensorRT-RTX does" in about(plain, "driver").advice


def test_a_driver_that_does_not_start_and_one_without_gpus() -> None:
    broken = examine(rtx("1.7.1.116", Driver((13, 0), problem="system not yet initialized (CUDA error 802)")))
    assert about(broken, "driver").status is Status.ERROR
    assert "CUDA error 802" in about(broken, "driver").found
    assert about(examine(rtx("1.7.1.116", Driver((13, 0)))), "GPU").status is Status.MISSING


def test_bindings_and_libs_of_different_versions() -> None:
    packages = BASE | wheels("tensorrt_rtx", "1.7.1.116", libs="1.6.1.120")
    findings = examine(machine({"tensorrt_rtx": module("1.7.1.116")}, packages))
    wheel = about(findings, "tensorrt-rtx-cu13")
    assert wheel.status is Status.ERROR
    assert wheel.found == "bindings 1.7.1.116, but libs 1.6.1.120"
    assert "pip install --force-reinstall tensorrt-rtx-cu13==1.7.1.116" in wheel.advice


def test_bindings_without_libs() -> None:
    packages = BASE | {"tensorrt_cu12_bindings": "10.13.3.9"}
    findings = examine(machine({"tensorrt": module("10.13.3.9")}, packages))
    assert about(findings, "tensorrt-cu12").status is Status.WARNING


def test_both_cuda_variants_at_once() -> None:
    packages = BASE | wheels("tensorrt", "11.4.0.106", 12) | wheels("tensorrt", "11.4.0.106", 13)
    findings = examine(machine({"tensorrt": module("11.4.0.106")}, packages))
    (variants,) = [finding for finding in findings if finding.status is Status.WARNING]
    assert variants.found == "tensorrt-cu12 and tensorrt-cu13 installed"
    assert "pip uninstall tensorrt-cu12-bindings tensorrt-cu12-libs" in variants.advice


@pytest.mark.parametrize(
    ("wheel", "cuda", "expected"), [(12, (13, 0), Status.OK), (13, (13, 0), Status.OK), (13, (12, 8), Status.ERROR)]
)
def test_the_wheel_and_the_driver(wheel: int, cuda: tuple[int, int], expected: Status) -> None:
    packages = BASE | wheels("tensorrt", "11.4.0.106", wheel)
    findings = examine(machine({"tensorrt": module("11.4.0.106")}, packages, Driver(cuda, (L4,))))
    found = about(findings, f"tensorrt-cu{wheel}")
    assert found.status is expected
    if expected is Status.ERROR:
        assert "580 or newer" in found.advice and "pip install tensorrt-cu12" in found.advice
        bindings = [item for item in findings if item.subject == "cuda-bindings" and item.status is Status.ERROR]
        assert bindings and "580" in bindings[0].advice


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("libcudart.so.13: cannot open shared object file: No such file", "pip install nvidia-cuda-runtime"),
        ("libcudart.so.12: cannot open shared object file: No such file", "pip install nvidia-cuda-runtime-cu12"),
        ("libcuda.so.1: cannot open shared object file: No such file", "belongs to the NVIDIA driver"),
        ("libnvinfer.so.11: cannot open shared object file: No such file", "--force-reinstall 'trtnet[tensorrt]'"),
        ("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "newer Linux distribution"),
        ("tensorrt.so: undefined symbol: createInferRuntime_INTERNAL", "different versions"),
        ("bad magic number in 'tensorrt'", "does not fit this Python"),
    ],
)
def test_an_import_that_fails_shows_the_loaders_words(words: str, advice: str) -> None:
    findings = examine(machine({"tensorrt": ImportError(words)}))
    assert not is_healthy(findings)
    found = about(findings, "tensorrt")
    assert found.status is Status.ERROR
    assert words in found.found
    assert advice in found.advice
    assert "cannot be imported" in about(findings, "backend").found


def test_a_broken_tensorrt_beside_a_working_rtx() -> None:
    modules = {"tensorrt": ImportError("libnvinfer.so.11: cannot open"), "tensorrt_rtx": module("1.7.1.116")}
    findings = examine(machine(modules))
    assert not is_healthy(findings), "trtnet takes tensorrt if it is installed"
    assert "export TRTNET_BACKEND=tensorrt_rtx" in about(findings, "backend").advice
    assert is_healthy(examine(machine(modules, environment={"TRTNET_BACKEND": "tensorrt_rtx"})))


def test_a_package_that_lacks_a_module_of_its_own_is_broken_not_missing() -> None:
    error = ModuleNotFoundError("No module named 'tensorrt_bindings'", name="tensorrt_bindings")
    assert about(examine(machine({"tensorrt": error})), "tensorrt").status is Status.ERROR


@pytest.mark.parametrize(
    ("wanted", "healthy", "words"),
    [
        ("tensorrt_rtx", True, "TRTNET_BACKEND asks for tensorrt_rtx"),
        ("tensorrt", False, "asks for tensorrt, which is not installed"),
        ("tensorflow", False, "must be one of tensorrt, tensorrt_rtx"),
    ],
)
def test_the_environment_picks(wanted: str, healthy: bool, words: str) -> None:
    findings = examine(rtx("1.7.1.116", environment={"TRTNET_BACKEND": wanted}))
    assert is_healthy(findings) is healthy
    assert words in about(findings, "backend").found


def test_tensorrt_comes_first() -> None:
    both = machine({"tensorrt": module("11.4.0.106"), "tensorrt_rtx": module("1.7.1.116")})
    assert about(examine(both), "backend").found.startswith("tensorrt 11.4.0.106 (tensorrt comes first")


@pytest.mark.parametrize(
    ("cuda", "driver", "expected", "words"),
    [
        ("13.0", Driver((13, 0), (L4,)), Status.OK, ""),
        ("12.8", Driver((13, 0), (L4,)), Status.WARNING, "made for CUDA 13"),
        ("13.0", Driver((12, 8), (L4,)), Status.WARNING, "up to 12.8"),
        (None, Driver((13, 0), (L4,)), Status.WARNING, "CUDA tensors"),
        (None, None, Status.OK, ""),
    ],
)
def test_torch_and_its_cuda(cuda: str | None, driver: Driver | None, expected: Status, words: str) -> None:
    torch = module("2.13.0", version=SimpleNamespace(cuda=cuda))
    packages = BASE | wheels("tensorrt_rtx", "1.7.1.116") | {"torch": "2.13.0"}
    findings = examine(machine({"torch": torch, "tensorrt_rtx": module("1.7.1.116")}, packages, driver))
    assert about(findings, "torch").status is expected
    assert words in about(findings, "torch").advice


def test_a_broken_torch_and_an_old_one() -> None:
    broken = machine({"torch": OSError("libtorch_cpu.so: undefined symbol: iJIT")})
    assert "libtorch_cpu.so" in about(examine(broken), "torch").found
    old = machine({"torch": module("2.1.0")}, BASE | {"torch": "2.1.0"})
    assert "torch>=2.4" in about(examine(old), "torch").advice


@pytest.mark.parametrize("version", ["0.4.1", "2.0.0"])
def test_a_cuda_core_out_of_range(version: str) -> None:
    found = about(examine(machine(packages=BASE | {"cuda-core": version})), "cuda-core")
    assert found.status is Status.ERROR and "pip install 'cuda-core>=1.0,<2'" in found.advice


@pytest.mark.parametrize(
    ("changes", "subject", "expected"),
    [
        ({"python": (3, 10, 1)}, "Python", Status.ERROR),
        ({"python": (3, 15, 0)}, "Python", Status.WARNING),
        ({"platform": "darwin", "machine": "arm64"}, "platform", Status.ERROR),
        ({"platform": "linux", "machine": "aarch64"}, "platform", Status.OK),
        ({"platform": "win32", "machine": "AMD64"}, "platform", Status.OK),
    ],
)
def test_python_and_platform(changes: dict[str, Any], subject: str, expected: Status) -> None:
    findings = examine(dataclasses.replace(machine(), **changes))
    assert about(findings, subject).status is expected


def test_json_and_print_say_the_same() -> None:
    findings = examine(rtx("1.7.1.116", Driver((13, 0), (H200,))))
    result = json.loads(json.dumps(to_json(findings)))
    assert result["healthy"] is True
    assert len(result["findings"]) == len(findings)
    assert {"subject", "status", "found", "advice"} == set(result["findings"][0])
    text = printed(findings)
    assert all(finding.subject in text for finding in findings)
    assert "pip install 'trtnet[tensorrt]'" in text, "square brackets are not markup"


def test_commands_fit_a_terminal() -> None:
    systems = [machine(packages={}), rtx("1.7.1.116", Driver((12, 8), (H200,)))]
    packages = BASE | wheels("tensorrt_rtx", "1.7.1.116", 12) | wheels("tensorrt_rtx", "1.7.1.116", 13, "1.6.1.120")
    systems.append(machine({"tensorrt_rtx": ImportError("undefined symbol: x")}, packages))
    for finding in (finding for system in systems for finding in examine(system)):
        if not finding.advice.startswith("Install one of"):
            for line in finding.advice.splitlines():
                assert len(line) <= 71 or not line.startswith("  "), line


def test_this_machine() -> None:
    findings = examine()
    assert is_healthy(findings)
    assert about(findings, "backend").found.startswith(f"{backend.name()} {backend.version()}")
    assert this_system().version_of("no-such-package") is None


def test_the_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert sorted(p.distribution + p.range for p in doctor_packages.NEEDED) == sorted(project["dependencies"])
    for package in (doctor_packages.TORCH, doctor_packages.MATPLOTLIB):
        assert package.extra and package.distribution + package.range in project["optional-dependencies"][package.extra]


def test_release() -> None:
    assert release("1.6.1.120") == (1, 6, 1, 120)
    assert release("10.13.3.9.post1") == (10, 13, 3, 9)
    assert release("2.13.0+cu130") == (2, 13, 0)
    assert release("of unknown version") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'tensorrt.tensorrt.Builder' object has no attribute 'max_workspace_size'", "Builder.max_workspace_size was"),
        ("type object 'tensorrt_bindings.tensorrt.BuilderFlag' has no attribute 'FP16'", "strongly typed"),
        ("type object 'tensorrt_rtx_bindings.tensorrt_rtx.INetworkDefinit' has no attribute 'add_fully_connected'",
         "add_matrix_multiply"),
        ("'tensorrt_rtx_bindings.tensorrt_rtx.IExecutionConte' object has no attribute 'execute_async_v2'", "_v3"),
        ("module 'tensorrt' has no attribute 'UffParser'", "OnnxParser"),
        ("'tensorrt.tensorrt.ICudaEngine' object has no attribute 'num_bindings'", "num_io_tensors"),
    ],
)  # fmt: skip
def test_a_removed_name_is_explained(text: str, words: str) -> None:
    assert words in str(explain(f"AttributeError: {text}"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "max_workspace_size",
        "'Model' object has no attribute 'max_workspace_size'",
        "'tensorrt.tensorrt.Builder' object has no attribute 'maximum'",
        "'tensorrt.tensorrt.IBuilder' object has no attribute 'fp16_mode'",
    ],
)
def test_another_error_is_not_explained(text: str) -> None:
    assert explain(text) is None


@pytest.mark.skipif(backend.supports("explicit_batch_flag"), reason="this TensorRT still has some of the old names")
def test_the_removed_names_are_gone_and_their_classes_are_not() -> None:
    assert len(vanished(backend.trt)) == len(TABLE)
    for change in TABLE:
        assert change.owner is None or backend.lookup(change.owner) is not None, change


def test_the_explanation_fits_what_this_tensorrt_says() -> None:
    for name in ("INetworkDefinition.add_fully_connected", "IExecutionContext.execute_async_v2"):
        owner, attribute = name.split(".")
        with pytest.raises(AttributeError) as error:
            getattr(backend.lookup(owner), attribute)
        assert name in str(explain(str(error.value)))
