"""The command line: parses, calls, prints. What a command does is in ``trtnet.tools`` and the library."""

from __future__ import annotations

import io
import logging
import signal
import sys
import traceback
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from trtnet.cli.accuracy.bisect import bisect
from trtnet.cli.accuracy.compare import compare
from trtnet.cli.accuracy.precision import precision
from trtnet.cli.audit import audit
from trtnet.cli.batch import batch
from trtnet.cli.bench import bench, warm
from trtnet.cli.build import build, models, run
from trtnet.cli.callbacks import check_apart
from trtnet.cli.doctor import doctor
from trtnet.cli.draw import draw
from trtnet.cli.export import export
from trtnet.cli.inspect import diff, inspect
from trtnet.cli.quantize import quantize
from trtnet.cli.text.generate import generate
from trtnet.cli.text.transcribe import transcribe
from trtnet.cli.tune import tune
from trtnet.cli.weights import convert, refit, weights
from trtnet.support.errors import TrtnetError
from trtnet.support.text.printing import visible

# Each command imports what it needs when it runs: `trtnet doctor` must work where TensorRT does not.


class InOrder(TyperGroup):
    """Commands are listed in the order of the panels; typer has those with commands of their own last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return [_name(command) for commands in PANELS.values() for command in commands]


class Checked(TyperCommand):
    """A command that does not write over what it reads."""

    def invoke(self, ctx: Any) -> Any:
        """Raises InputError before anything is done."""
        check_apart(ctx.params)
        return super().invoke(ctx)


app = typer.Typer(
    cls=InOrder,
    help="Builds, runs and checks TensorRT engines written in trtnet.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        from trtnet.support.version import version

        print(f"trtnet {version()}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


PANELS: dict[str, tuple[Any, ...]] = {
    "Define and build": (build, run, models),
    "Weights": (weights, convert, quantize, refit),
    "Accuracy": (compare, bisect, precision),
    "Measure": (bench, tune, warm),
    "Look": (inspect, audit, diff, draw),
    "Serve": (generate, transcribe, batch, export),
    "Help": (doctor,),
}
"""The commands by what a person wants to do, in the order of `trtnet --help`."""


def _name(command: Any) -> str:
    return str(command.info.name if isinstance(command, typer.Typer) else command.__name__)


for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            for each in command.registered_commands:
                each.cls = Checked
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(cls=Checked, rich_help_panel=panel)(command)

STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


def main() -> None:
    """The `trtnet` command: errors of trtnet's own and of a model's code are printed plainly, with exit code 2.

    Exit code 1 is a verdict, "it differs", that a command gives by ``typer.Exit(1)``: whatever else ends the process
    with 1 (a crash, a pipe that is gone, a model's code that exits) is made 2.
    """
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding lacks is written with escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.addFilter(_Once())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    for name in STOPS:
        if signal.getsignal(name) is signal.SIG_DFL:
            signal.signal(name, _stop)
    try:
        app()
    except SystemExit as end:
        is_verdict = isinstance(end.__context__, typer.Exit)
        if end.code in (0, None, 2) or is_verdict or (isinstance(end.code, int) and end.code > 2):
            raise
        if isinstance(end.__context__, BrokenPipeError):  # as of `trtnet models | head`
            sys.exit(2)
        _fail(f"the command ended before its verdict, with exit code {end.code}")
    except TrtnetError as error:
        _check_interrupted(error)
        _fail(str(error))
    except Exception as error:
        _check_interrupted(error)
        from trtnet.support.source import at, raised_at

        line, text = raised_at(error), f"{type(error).__name__}: {error}"
        if line is not None:
            _fail(at(line, text))
        with suppress(OSError):  # nobody reads it, which is no verdict
            traceback.print_exc()
        _fail(f"trtnet crashed, which is a fault of its own: {text}")


def _check_interrupted(error: BaseException) -> None:
    """Raises KeyboardInterrupt where Ctrl-C is behind an error, as in the import of a C++ module."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        behind = behind.__cause__ or behind.__context__


class _Once(logging.Filter):
    """Lets a command say each warning once, however many networks it is true of."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_new = (text := record.getMessage()) not in self._said
        self._said.add(text)
        return is_new


def _fail(message: str) -> NoReturn:
    with suppress(OSError):
        print(f"error: {visible(message)}", file=sys.stderr, flush=True)
    sys.exit(2)


def _stop(number: int, _: object) -> None:
    """Ends the process as an error does, so that no half of a file is left."""
    sys.exit(128 + number)
