"""Each command that defines a model defines it as its options say: `define` is looked at, and does nothing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.decoders import published
from helpers.gguf_files import SMALL, write_gguf
from safetensors.numpy import save_file
from typer.main import get_command
from typer.testing import CliRunner

import trtnet.tools
from trtnet.builder import PlanInfo
from trtnet.cli.main import app
from trtnet.definition.quantization import Quantize
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support import backend
from trtnet.support.call_interface import TensorInfo
from trtnet.tools.tune import tune

MODEL = """
import torch
from trtnet import Input, nn, ops


class Net(nn.Module):
    def __init__(self, scale=1, config=None):
        self.scale, self.config, self.fc = scale, config, nn.Linear(4, 4)
        self.inputs = {"x": Input((2, 4))}

    def forward(self, x):
        return ops.gelu(self.fc(x))


class Original(torch.nn.Module):
    def __init__(self, scale=1, config=None):
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)
"""
WEIGHTS = ("--weights", "w.safetensors")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "build": ("net.py:Net", *WEIGHTS, "-o", "n.engine"),
    "run": ("net.py:Net", *WEIGHTS, "--random", "0"),
    "quantize": ("net.py:Net", *WEIGHTS, "--data", "x.npz", "-o", "q.safetensors"),
    "refit": ("n.engine", *WEIGHTS, "--model", "net.py:Net"),
    "compare": ("net.py:Net", "torch:net.py:Original", *WEIGHTS),
    "bisect": ("net.py:Net", "--torch", "net.py:Original", *WEIGHTS),
    "precision": ("net.py:Net", "--torch", "net.py:Original", *WEIGHTS),
    "bench": ("net.py:Net", *WEIGHTS),
    "tune": ("net.py:Net", *WEIGHTS),
    "inspect": ("net.py:Net", *WEIGHTS),
    "diff": ("net.py:Net", "net.py:Net", *WEIGHTS),
    "draw": ("net.py:Net", *WEIGHTS, "-o", "n.svg"),
    "generate": ("small.gguf", "!"),
    "batch": ("net.py:Net", *WEIGHTS, "--in", "arrays", "--out", "results", "--workers", "0"),
    "export triton": ("net.py:Net", *WEIGHTS, "--python", "-o", "repository", "--name", "net"),
    "export polygraphy": ("net.py:Net", *WEIGHTS, "-o", "script.py"),
}
"""The commands that define a model, with what they need for it."""
OTHERS = {"convert", "transcribe"}
"""Those that have some of the options, and define nothing, or the two networks of a published folder."""

Defined = Mapping[str, Any]
OPTIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Defined], bool]]] = {
    "--dtype": (("--dtype", "float16"), lambda given: given["dtype"] == "float16"),
    "--ignore": (("--ignore", "^extra"), lambda given: "^extra" in given["ignored"]),
    "--form": (
        ("--form", "gelu=float32", "--dtype", "float16"),
        lambda given: given["forms"] == {"gelu": {"*": "float32"}},
    ),
    "--approximations": (("--approximations",), lambda given: given["approximations"]),
    "--quantization": (("--quantization", "q.toml"), lambda given: Path(schemes(given)).name == "q.toml"),
    "--quantization-fallback": (
        ("--quantization", "q.toml", "--quantization-fallback", "warn"),
        lambda given: given["quantization"].fallback == "warn",
    ),
    "--no-strict": (("--no-strict",), lambda given: not given["strict"]),
    "--arg": (("--arg", "scale=3"), lambda given: given["model"].scale == 3),
    "--config": (("--config", "c.json"), lambda given: Path(given["model"].config).name == "c.json"),
    "--declare": (("--declare", "x=5,4"), lambda given: given["inputs"]["x"].shape == (5, 4)),
}


def schemes(given: Defined) -> str:
    said = given["quantization"]
    return str(said.schemes if isinstance(said, Quantize) else said)


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in getattr(command, "commands", {}).items():
        yield from leaves(each, f"{name} {key}".strip())
    if not hasattr(command, "commands"):
        yield name, command


def flags(command: Any) -> set[str]:
    return {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}


DEFINING = {name: flags(command) & OPTIONS.keys() for name, command in leaves(get_command(app))}
CASES = [(name, option) for name in COMMANDS for option in sorted(DEFINING[name])]


class StopError(Exception):
    """In the place of a network."""


class Spy:
    """`define`, which keeps what it is called with. passing: the calls that are let through."""

    def __init__(self) -> None:
        self.define, self.passing = trtnet.define, 0
        self.calls: list[Defined] = []

    def __call__(self, *args: Any, **options: Any) -> Any:
        bound = inspect.signature(self.define).bind(*args, **options)
        bound.apply_defaults()
        self.calls.append(bound.arguments)
        if len(self.calls) > self.passing:
            raise StopError
        return self.define(*args, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("defined")
    (folder / "net.py").write_text(MODEL)
    weights = {"fc.weight": np.zeros((4, 4), np.float32), "fc.bias": np.zeros(4, np.float32)}
    save_file(weights, folder / "w.safetensors")
    for file in ("x.npz", "arrays/x.npz"):
        (folder / file).parent.mkdir(exist_ok=True)
        np.savez(folder / file, x=np.ones((2, 4), np.float32))
    (folder / "q.toml").write_text('"*" = "int8_weights"\n')
    (folder / "c.json").write_text('{"width": 4}')
    write_gguf(folder / "small.gguf", published("Llama", **SMALL), "llama")
    return folder


def loaded(name: str) -> list[ModuleType]:
    """The modules of trtnet that have a function of that name."""
    return [each for key, each in sys.modules.items() if key.partition(".")[0] == "trtnet" and name in vars(each)]


def give_back(name: str, fake: object, real: object) -> None:
    """What was imported while a fake stood in its place has the real function again."""
    for module in loaded(name):
        if vars(module)[name] is fake:
            setattr(module, name, real)


@pytest.fixture
def spy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    """In the place of `define`, wherever it is called."""
    for module in pkgutil.walk_packages(trtnet.tools.__path__, "trtnet.tools."):
        # Triton alone imports its models; Parquet is an extra
        if not module.name.endswith(
            ("python_model", "python_step", "python_sequences", "batch.arrow", "batch.results")
        ):
            importlib.import_module(module.name)
    spy = Spy()
    for module in loaded("define"):
        if vars(module)["define"] is spy.define:
            monkeypatch.setattr(module, "define", spy)
    info = PlanInfo("", "", (TensorInfo("x", (2, 4), "float32"),), (), (), dtype="float32")
    monkeypatch.setattr("trtnet.runtime.load", lambda _: SimpleNamespace(info=info, refit=None))
    monkeypatch.setattr(CudaDevice, "__init__", lambda self, index=0: None)
    monkeypatch.setattr(tune.run, "__defaults__", (list,))  # whatever the GPUs are
    monkeypatch.setenv("TRTNET_BACKEND", backend.name())  # polygraphy's script says it anew, for its own process
    monkeypatch.chdir(folder)
    yield spy
    give_back("define", spy, spy.define)


def test_what_is_imported_beside_the_spy_gets_the_function_back(monkeypatch: pytest.MonkeyPatch) -> None:
    spy, late = Spy(), ModuleType("trtnet.late")
    monkeypatch.setitem(sys.modules, late.__name__, late)
    monkeypatch.setattr(late, "define", spy, raising=False)
    give_back("define", spy, spy.define)
    assert vars(late)["define"] is trtnet.define


def test_every_command_is_known() -> None:
    """A new command with one of the options is tested here, or named as one that defines nothing."""
    assert {name for name, options in DEFINING.items() if options} == {*COMMANDS} | OTHERS


@pytest.mark.parametrize(("command", "option"), CASES, ids=[" ".join(case) for case in CASES])
def test_what_an_option_says_is_how_the_model_is_defined(command: str, option: str, spy: Spy) -> None:
    given, is_so = OPTIONS[option]
    spy.passing = int(command == "export polygraphy")  # which defines it, to be sure that it can be
    result = CliRunner().invoke(app, [*command.split(), *COMMANDS[command], *given])
    if (command, option) == ("tune", "--form"):
        assert "omit --form" in str(result.exception)
        return
    if command == "export polygraphy":
        assert result.exit_code == 0, result.output
        with pytest.raises(StopError):
            runpy.run_path("script.py")["load_network"]()
    else:
        assert isinstance(result.exception, StopError), result.output
    assert is_so(spy.calls[-1])
