"""Runs the code blocks of a page in one process: python in one namespace, commands of trtnet by its own main."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import typer
from helpers.docs.output import agrees
from helpers.docs.pages import ROOT, Block, Page

from trtnet.cli.main import app, main
from trtnet.support.errors import CheckpointError, FileError

NOT_RUN = {"apt-get", "nsys", "polygraphy", "pre-commit", "tensorrt_rtx", "tritonserver", "trtexec"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

Judge = Callable[[str, str, str], None]
"""What is done with a command, the output that is shown for it, and the output that it printed."""


def must_agree(command: str, shown: str, printed: str) -> None:
    assert agrees(shown, printed), f"{command}\nshown:\n{shown}\nprinted:\n{printed}"


def run(page: Page, has_gpu: bool, judge: Judge = must_agree) -> None:
    """Raises AssertionError for a block that fails, or whose output is not the one shown."""
    try:
        _run(page, has_gpu, judge)
    finally:
        folder = str(Path.cwd())
        for name, module in list(sys.modules.items()):  # the next page has files of the same names
            if (getattr(module, "__file__", None) or "").startswith(folder):
                del sys.modules[name]


def _run(page: Page, has_gpu: bool, judge: Judge) -> None:
    values: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in page.blocks:
        with _named(block):
            if block.title is not None:
                Path(block.title).write_text(block.text)
                sys.modules.pop(Path(block.title).stem, None)  # another test may have imported a file of that name
            if block.language == "python":
                code = compile(block.text, block.where, "exec")
                if block.title is None and _runs(block, has_gpu):
                    printed, _ = _captured(lambda code=code: exec(code, values))
            elif "output" in block.marks:
                judge("", block.text, printed)
            elif block.language in ("sh", "console"):
                for command, shown in commands(block):
                    _run_command(block, command, shown, has_gpu, judge)


@contextmanager
def _named(block: Block) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{block.where}: {type(error).__name__}: {error}") from error


def _runs(block: Block, has_gpu: bool) -> bool:
    return "syntax" not in block.marks and ("gpu" not in block.marks or has_gpu)


def _run_command(block: Block, command: str, shown: str, has_gpu: bool, judge: Judge) -> None:
    name, *arguments = shlex.split(command, comments=True)
    if name == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets), f"{command}: no such target"
    elif name == "python":
        _run_python(arguments, command, shown, judge)
    elif name == "trtnet":
        check_options(arguments)
        if _runs(block, has_gpu):
            printed, code = run_trtnet(arguments)
            wanted = [mark for mark in block.marks if mark.startswith("exit=")] or ["exit=0"]
            assert [f"exit={code}"] == wanted, f"{command}: exit code {code}\n{printed}"
            if shown:
                judge(command, shown, printed)
    elif name == "pip":
        extras = {extra for found in re.findall(r"\[([\w,]+)\]", command) for extra in found.split(",")}
        assert extras <= set(PROJECT["optional-dependencies"]), f"{command}: no such extra"
    else:
        assert name in NOT_RUN, f"{command}: a command that this test does not know"


def _run_python(arguments: list[str], command: str, shown: str, judge: Judge) -> None:
    """Runs a program of the page; programs of the repository must exist, those that show output are run."""
    if arguments[0] == "-m":
        assert find_spec(arguments[1]) is not None, f"{command}: no such module"
        return
    file = next(path for path in (Path(arguments[0]), ROOT / arguments[0]) if path.exists())
    if shown:
        with mock.patch.object(sys, "argv", arguments):
            judge(command, shown, _captured(lambda: runpy.run_path(str(file), run_name="__main__"))[0])


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a block, and the output that is shown for each ("" for none)."""
    text = block.text.replace("\\\n", " ")
    if block.language == "sh":
        return [(line, "") for line in text.splitlines() if line and not line.startswith("#")]
    found: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def check_options(arguments: list[str]) -> None:
    """Raises an error of the command line for a command or an option that trtnet does not have.

    Files that a command names need not be there.
    """
    command: Any = typer.main.get_command(app)
    context = command.make_context("trtnet", list(arguments))
    with suppress(FileError, CheckpointError):
        while hasattr(command, "commands"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)


def run_trtnet(arguments: list[str]) -> tuple[str, int]:
    """What a command prints, errors included, and its exit code."""
    with mock.patch.object(sys, "argv", ["trtnet", *arguments]):
        return _captured(main)


def _captured(call: Callable[[], Any]) -> tuple[str, int]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    code = 0
    here = mock.patch.object(sys, "path", [str(Path.cwd()), *sys.path])  # a page's files import each other
    with redirect_stdout(stream), redirect_stderr(stream), mock.patch.dict(os.environ, {"COLUMNS": "120"}), here:
        try:
            call()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    stream.seek(0)
    return stream.read(), code
