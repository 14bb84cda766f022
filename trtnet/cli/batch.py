"""`trtnet batch`: a model over a folder of files."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtnet.cli.build import RunOptions
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Json
from trtnet.support.text.counted import counted

if TYPE_CHECKING:
    from trtnet.tools.batch.inputs import InputOptions


@dataclass(frozen=True)
class RowOptions:
    """How rows become inputs."""

    column: Annotated[
        list[str], typer.Option(help="The field of an input: image=jpg; by default of its name, or the only one.")
    ] = field(default_factory=list)
    keep: Annotated[list[str], typer.Option(help="A field to write beside the results: id.")] = field(
        default_factory=list
    )
    cast: Annotated[bool, typer.Option("--cast", help="Round numbers to the inputs' dtypes.")] = False
    prepare: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Gets a row's fields, gives others.")
    ] = None
    resize: Annotated[
        int | None, typer.Option(min=1, help="Images: pixels of the shorter side before the middle is cut out.")
    ] = None
    mean: Annotated[str, typer.Option(help="Images: means of the channels, of values in 0 to 1.")] = "0"
    std: Annotated[str, typer.Option(help="Images: standard deviations of the channels.")] = "1"

    @property
    def inputs(self) -> InputOptions:
        from trtnet.tools.batch.images import ImageOptions
        from trtnet.tools.batch.inputs import InputOptions
        from trtnet.tools.targets import arguments

        images = ImageOptions(self.resize, arguments.floats(self.mean, "--mean"), arguments.floats(self.std, "--std"))
        columns = arguments.names(self.column, "--column", "image=jpg")
        return InputOptions(columns, self.cast, self.prepare, images)


@grouped
def batch(
    model: Annotated[str, typer.Argument(help="An engine file; or a model, which then runs on the CPU reference.")],
    folder: Annotated[Path, typer.Option("--in", help="Folder of images, or of Parquet, tar or npz files.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results, in Parquet.")],
    options: RunOptions,
    rows: RowOptions,
    kind: Annotated[str | None, typer.Option(help="parquet, npz, tar or images, where there are several.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows in a call.")] = 32,
    images: Annotated[int, typer.Option("--images-per-shard", min=1, help="Images in a file of results.")] = 1024,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; by default one a GPU. 0 for this process.")
    ] = None,
    device: Annotated[str, typer.Option(help="GPUs, by number: 0,1.")] = "0",
    errors: Annotated[
        str, typer.Option(help="Rows that do not fit: stop fails their shard, record writes them with an error.")
    ] = "stop",
    ray: Annotated[bool, typer.Option("--ray", help="Run it by Ray, on a cluster whose machines see both folders.")] = (
        False
    ),
    json: Json = None,
) -> None:
    """Runs a model over all rows of a folder; run again, it goes on where it was."""
    from dataclasses import asdict

    from rich.text import Text

    from trtnet.support.errors import InputError
    from trtnet.support.text.status_line import StatusLine
    from trtnet.tools.batch.job import run_job
    from trtnet.tools.batch.shards import find
    from trtnet.tools.batch.work import Job
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.function import Function

    if errors not in ("stop", "record"):
        raise InputError(f"--errors is stop or record; found {errors}")
    target = Function(model, options.choices)
    found, _ = find(folder, kind)
    job = Job(
        target, folder.resolve(), out.resolve(), found, rows.inputs, tuple(rows.keep), batch_size, errors == "record"
    )
    run = _run(ray, workers, arguments.numbers(device, "--device"))
    with StatusLine(sys.stderr.isatty(), f"{model} over {folder}") as told:
        done = run_job(job, run, images, told)
    failed = f", {done.errors:,} of them with an error" if done.errors else ""
    shards = f"{counted(done.shards, 'shard')}, {done.before:,} of them finished before"
    text = f"{shards}; {counted(done.rows, 'row')}{failed}; {done.seconds:.1f} s"
    show(Text(text), asdict(done), json)


def _run(ray: bool, workers: int | None, devices: tuple[int, ...]) -> Any:
    from trtnet.tools.batch.job import here, in_processes

    if ray:
        from trtnet.ray import in_actors

        return in_actors(len(devices) if workers is None else max(workers, 1))
    if workers == 0:
        return here
    return in_processes(devices, len(devices) if workers is None else workers)
