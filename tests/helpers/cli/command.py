"""The command line as a user runs it, in this process, and in one of its own."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from trtnet.__main__ import main
from trtnet.cli.main import STOPS

COMMAND = [sys.executable, "-m", "trtnet"]
Done = subprocess.CompletedProcess[str]


def trtnet(*arguments: object, folder: Path) -> Done:
    """The `trtnet` command in this process: a new one takes a second to import torch."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        contextlib.chdir(folder), mock.patch.object(sys, "argv", ["trtnet", *map(str, arguments)]), _as_before(),
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
    ):  # fmt: skip
        code = _code()
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in (out, err))
    return Done(["trtnet", *map(str, arguments)], code, stdout, stderr)


def process(*arguments: object, folder: Path, **environment: str) -> Done:
    """The same in a process of its own, for what another one has no part of: its environment, its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def _code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Handlers of logging and of signals are the command's while it runs."""
    root, signals = logging.getLogger(), {each: signal.getsignal(each) for each in STOPS}
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for each, handler in signals.items():
            signal.signal(each, handler)
