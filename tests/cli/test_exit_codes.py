"""Exit code 1 is a verdict; whatever else goes wrong is 2, in every command."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import typer

from trtnet.cli import main as cli
from trtnet.support.errors import BackendError

COMMANDS = [
    "build lenet -o l.engine", "run lenet", "doctor", "models", "compare lenet o.npz",
    "bisect lenet --weights . --torch t.py:t", "precision lenet --weights . --torch t.py:t", "inspect lenet",
    "diff a.engine b.engine", "draw lenet -o l.html", "bench lenet", "warm l.engine", "refit l.engine --weights .",
    "audit l.engine", "convert w.npz v.npz", "weights diff w.npz v.npz", "weights ls w.npz", "generate x.gguf hello",
]  # fmt: skip


def code(command: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("sys.argv", ["trtnet", *command.split()])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as raised:
        cli.main()
    return raised.value.code


def broken(error: BaseException) -> Any:
    def raises(*_: Any, **__: Any) -> Any:
        raise error

    return raises


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "error",
    [RuntimeError("Could not get tensor shape."), SystemExit(1), BrokenPipeError(errno.EPIPE, "gone"), EOFError()],
    ids=lambda error: type(error).__name__,
)
def test_a_crash_is_2_in_every_command(
    command: str, error: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer.core.TyperCommand.invoke", broken(error), raising=False)
    assert code(command, monkeypatch) == 2
    text = capfd.readouterr().err
    assert "error: " in text or isinstance(error, BrokenPipeError)
    assert isinstance(error, RuntimeError) == ("RuntimeError: Could not get tensor shape." in text)


def test_control_c_behind_an_error_is_control_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: Any) -> None:
        try:
            raise ImportError("initialization failed") from KeyboardInterrupt()
        except ImportError as error:
            raise BackendError("tensorrt_rtx is installed but cannot be imported") from error

    monkeypatch.setattr("typer.core.TyperCommand.invoke", raises, raising=False)
    monkeypatch.setattr("sys.argv", ["trtnet", "models"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        cli.main()


def test_a_verdict_is_1_and_wrong_usage_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code("models --nothing", monkeypatch) == 2
    assert code("nothing", monkeypatch) == 2
    monkeypatch.setattr("typer.core.TyperCommand.invoke", broken(typer.Exit(1)), raising=False)
    assert code("models", monkeypatch) == 1


def test_a_model_that_ends_the_process_gives_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text("import sys\ndef m(): sys.exit(1)\n")
    assert code("run m.py:m --random 0", monkeypatch) == 2
