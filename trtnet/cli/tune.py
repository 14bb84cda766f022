"""`trtnet tune`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.callbacks import existing, parsed
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Input, ModelOptions
from trtnet.support.errors import ModelError
from trtnet.support.files import check_writable


@dataclass(frozen=True)
class TunedModel(ModelOptions):
    """The model, with the values that it is tuned with."""

    weights: Annotated[
        str | None, typer.Option(callback=existing, help="Checkpoint of a model; random weights by default.")
    ] = None
    input: Input = field(default_factory=list)


@dataclass(frozen=True)
class Searching:
    """How the search goes."""

    budget: Annotated[float | None, typer.Option(min=0, help="Time limit in seconds; no limit by default.")] = None
    gpus: Annotated[
        str, typer.Option(callback=parsed("numbers", "--gpus"), help="The GPUs to time on, in parallel: 0,1.")
    ] = "0"
    jobs: Annotated[int, typer.Option(min=0, help="Engines built in parallel; 0 is one per core.")] = 0
    resume: Annotated[bool, typer.Option("--resume", help="Continue from what the file has.")] = False
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True


@grouped
def tune(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="A model of the zoo; path/to/file.py:factory; torchvision:NAME. With --merge: files of results.",
        ),
    ],
    options: TunedModel,
    searching: Searching,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write; MODEL.tuning.json by default. With --merge: the table."
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Add results to a table of forms like the one that trtnet ships; needs no GPU."),
    ] = False,
) -> None:
    """Finds the forms of a model's operations that are the fastest on this GPU.

    The file is what `define(forms=...)` and --form take.
    """
    from trtnet.support.errors import InputError

    if merge:
        _merge(targets, output)
        return
    if len(targets) > 1:
        raise InputError(f"one model is tuned at a time, found {', '.join(targets)}; --merge takes several files")
    _search(targets[0], options, searching, output)


def _search(model: str, options: TunedModel, searching: Searching, output: Path | None) -> None:
    if options.form:
        raise ModelError("trtnet tune chooses the forms: omit --form; --approximations allows more of them")
    if output is not None:
        check_writable(output)
    from trtnet.runtime.cuda.device import CudaDevice

    CudaDevice()  # before what takes seconds to import
    from trtnet.tools.output import show
    from trtnet.tools.run import read_inputs
    from trtnet.tools.targets import arguments
    from trtnet.tools.tune.processes.subject import Named, file_of
    from trtnet.tools.tune.report import picture
    from trtnet.tools.tune.tune import How, run

    file = output or file_of(model)
    check_writable(file)
    subject = Named(model, options.choices)
    how = How(
        budget=searching.budget,
        devices=arguments.numbers(searching.gpus, "--gpus"),
        builders=searching.jobs,
        file=file,
        resume=searching.resume,
        progress=searching.progress and sys.stderr.isatty(),
        approximations=options.approximations,
    )
    found = run(subject, model, subject.dims, read_inputs(arguments.files(options.input)), how)
    show(picture(found, file), {}, None)


def _merge(files: list[str], output: Path | None) -> None:
    from trtnet.ops.formulations import Tuning
    from trtnet.ops.formulations.measured import read_table, write_table
    from trtnet.support.errors import InputError
    from trtnet.tools.output import show
    from trtnet.tools.tune.merging import merge
    from trtnet.tools.tune.report import of_table

    if output is None:
        raise InputError(
            "--merge adds to a table: name it, -o measured.json (trtnet/ops/formulations has the shipped one)"
        )
    check_writable(output)
    merged = merge([Tuning.load(file) for file in files], read_table(output) if output.exists() else [])
    write_table(merged.rows, output)
    show(of_table(merged), {}, None)
