"""The command line: parses, calls, prints. What a command does is in ``trtnet.tools`` and the library."""

from __future__ import annotations

import io
import logging
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from trtnet.cli import (
    bench as cli_bench,
    bisect as cli_bisect,
    compare as cli_compare,
    draw as cli_draw,
    inspect as cli_inspect,
    weights as cli_weights,
)
from trtnet.cli.inspect import Explain
from trtnet.cli.options import (
    Arg,
    Declare,
    Dim,
    DType,
    Ignore,
    Input,
    Json,
    Key,
    Model,
    Rules,
    Size,
    StripPrefix,
    WeightsFile,
    weights_choice,
)
from trtnet.support.errors import ModelError, TrtnetError
from trtnet.support.files import check_writable
from trtnet.support.printing import visible

# Each command imports what it needs when it runs: `trtnet doctor` must work where TensorRT does not.

app = typer.Typer(
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


app.add_typer(cli_weights.weights, name="weights")
app.command()(cli_weights.convert)
app.command()(cli_weights.refit)
app.command()(cli_compare.compare)
app.command()(cli_bisect.bisect)
app.command()(cli_bisect.precision)
app.command()(cli_inspect.inspect)
app.command()(cli_inspect.diff)
app.command()(cli_draw.draw)
app.add_typer(cli_inspect.export, name="export")
app.command()(cli_bench.bench)
app.command()(cli_bench.warm)

STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


def main() -> None:
    """The `trtnet` command: errors of trtnet's own and of a model's code are printed plainly, with exit code 2.

    Exit code 1 is a verdict, "it differs", that a command gives by ``typer.Exit(1)``: whatever else ends the process
    with 1 (a crash, a pipe that is gone, a model's code that exits) is made 2.
    """
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding has not is written with escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in STOPS:
        if signal.getsignal(name) is signal.SIG_DFL:
            signal.signal(name, _stop)
    try:
        app()
    except SystemExit as end:
        is_verdict = isinstance(end.__context__, typer.Exit)
        if end.code in (0, None, 2) or is_verdict or (isinstance(end.code, int) and end.code > 2):
            raise
        _fail(f"the command ended before its verdict, with exit code {end.code}")
    except TrtnetError as error:
        _fail(str(error))
    except Exception as error:
        from trtnet.support.source import at, raised_at

        line, text = raised_at(error), f"{type(error).__name__}: {error}"
        if line is not None:
            _fail(at(line, text))
        traceback.print_exc()
        _fail(f"trtnet crashed, which is a fault of its own: {text}")


def _fail(message: str) -> NoReturn:
    print(f"error: {visible(message)}", file=sys.stderr)
    sys.exit(2)


def _stop(number: int, _: object) -> None:
    """Ends the process as an error does, so that no half of a file is left."""
    sys.exit(128 + number)


@app.command()
def doctor(explain: Explain = None, json: Json = None) -> None:
    """Says what this machine has, what is missing or mismatched, and how to get it; or what an error means."""
    from trtnet.tools.doctor import doctor as tool
    from trtnet.tools.output import show

    if explain is not None:
        cli_inspect.explain(explain, json)
    findings = tool.examine()
    show(tool.render(findings), tool.to_json(findings), json)
    raise typer.Exit(0 if tool.is_healthy(findings) else 2)


@app.command()
def models(json: Json = None) -> None:
    """Lists the zoo."""
    from dataclasses import asdict

    from rich.table import Table

    from trtnet.tools.output import show
    from trtnet.tools.targets.models import summaries

    picture = Table("model", "parameters", "inputs", "")
    found = summaries()
    for model in found:
        inputs = [f"{name} {shape}" for name, shape in model.inputs.items()]
        shown = inputs if len(inputs) <= 3 else [*inputs[:3], f"and {len(inputs) - 3} more"]
        picture.add_row(model.name, f"{model.parameters:,}", "\n".join(shown), model.description)
    show(picture, [asdict(model) for model in found], json)


@app.command()
def build(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="Plan file to write; its sidecar is FILE.json.")],
    weights: WeightsFile = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    dim: Dim = [],
    arg: Arg = [],
    declare: Declare = [],
    input: Annotated[list[str], typer.Option("--input", hidden=True)] = [],
    workspace: Annotated[str | None, typer.Option(help="Limit of scratch memory: 4GiB.")] = None,
    optimization_level: Annotated[int | None, typer.Option(help="0 to 5.")] = None,
    tf32: Annotated[bool, typer.Option("--tf32", help="Let float32 products use TensorFloat-32.")] = False,
    refit: Annotated[bool, typer.Option("--refit", help="Keep weights replaceable by `trtnet refit`.")] = False,
    strip: Annotated[bool, typer.Option("--strip", help="A plan without weights, which load puts in.")] = False,
    timing_cache: Annotated[Path | None, typer.Option(help="File of kernel timings (TensorRT only).")] = None,
    compute_capability: Annotated[list[str], typer.Option(help="GPU to compile for: 8.9 (TensorRT-RTX only).")] = [],
    profiling_verbosity: Annotated[
        str, typer.Option(help="What the plan says of its layers: detailed, layer_names_only, none.")
    ] = "detailed",
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
    json: Json = None,
) -> None:
    """Builds an engine from a model and its checkpoint."""
    from trtnet.builder import BuildConfig
    from trtnet.tools.build import build_engine, picture, to_json
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.networks import Choices, define_network

    check_writable(output)
    config = BuildConfig(
        workspace=None if workspace is None else arguments.nbytes(workspace),
        optimization_level=optimization_level,
        tf32=tf32,
        refit=refit,
        strip=strip,
        timing_cache=timing_cache,
        compute_capabilities=tuple(compute_capability),
        profiling_verbosity=profiling_verbosity,
        progress=progress and sys.stderr.isatty(),
    )
    choices = Choices(weights_choice(weights, rules, key, strip_prefix, ignore), dtype, dim, arg, [*declare, *input])
    result = build_engine(define_network(model, choices), arguments.dims(dim), config, output)
    show(picture(result), to_json(result), json)


@app.command()
def run(
    target: Annotated[str, typer.Argument(help="An engine file; or a model, which then runs on the CPU reference.")],
    input: Input = [],
    random: Annotated[int | None, typer.Option(help="Random inputs from this seed.")] = None,
    dim: Size = [],
    weights: WeightsFile = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    arg: Arg = [],
    declare: Declare = [],
    save: Annotated[str | None, typer.Option(help="Write the outputs to this .npz.")] = None,
    json: Json = None,
) -> None:
    """Runs an engine on the GPU, or a model on the CPU reference, and shows what comes out."""
    from trtnet.runtime import load
    from trtnet.tools import run as tool
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.models import is_model
    from trtnet.tools.targets.networks import Choices, define_network

    sizes = arguments.sizes(dim)
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    function: Any
    if is_model(target):
        function = define_network(target, Choices(chosen, dtype, [], arg, declare)).reference()
    elif weights is None:
        function = load(target)
    else:
        raise ModelError(f"{target} is no model, so it takes no --weights; a model is named path/to/file.py:factory")
    given = tool.random_inputs(function.inputs, sizes, random) if random is not None else {}
    outputs, seconds = tool.call(function, given | tool.read_inputs(arguments.files(input)))
    if save:
        tool.save(outputs, save)
    summaries = tool.summarize(outputs)
    show(tool.table(summaries, seconds), tool.to_json(summaries, seconds), json)
