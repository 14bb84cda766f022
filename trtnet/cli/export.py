"""The commands that hand models and engines on: `trtnet export polygraphy`, `trtnet export triton`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Json, Model, ModelOptions
from trtnet.support.files import check_writable

if TYPE_CHECKING:
    from trtnet.tools.export.triton.ensembles import Step
    from trtnet.tools.export.triton.serving import Serving


@dataclass(frozen=True)
class ExportOptions(ModelOptions):
    """What the model is made with; its checkpoint is needed."""

    weights: Annotated[str, typer.Option(help="Checkpoint: .safetensors, .pth, .pt, .npz.")]


export = typer.Typer(name="export", help="Exports models and engines to polygraphy and Triton.", no_args_is_help=True)


@export.command("polygraphy")
@grouped
def export_polygraphy(
    model: Model,
    options: ExportOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="The script to write.")],
    json: Json = None,
) -> None:
    """Writes a network script, which polygraphy takes as a model, and prints the commands."""
    from dataclasses import asdict

    from rich.text import Text

    from trtnet.tools.export import polygraphy
    from trtnet.tools.output import show

    check_writable(output)
    script = polygraphy.write(model, options.choices, output)
    show(Text("\n".join([script.path, *script.commands]), no_wrap=True, overflow="ignore"), asdict(script), json)


@dataclass(frozen=True)
class ServingOptions:
    """How Triton serves a model."""

    max_batch_size: Annotated[
        int | None, typer.Option(help="Largest batch size; by default what the profiles allow, 0 for no batching.")
    ] = None
    delay: Annotated[int, typer.Option(help="Microseconds that a sample waits for others.")] = 100
    instances: Annotated[int, typer.Option(help="Concurrent executions on a GPU.")] = 1
    version: Annotated[int | None, typer.Option(help="Version of the model; by default the next one.")] = None
    device: Annotated[str | None, typer.Option(help="GPUs, by number: 0,1; by default all of the server's.")] = None
    versions: Annotated[int, typer.Option(help="How many of the latest versions are served.")] = 1
    warmup: Annotated[bool, typer.Option("--warmup", help="Run each profile once before the model is ready.")] = False
    cache: Annotated[
        bool, typer.Option("--cache", help="Keep responses; the server needs --cache-config local,size=BYTES.")
    ] = False
    sequences: Annotated[
        str, typer.Option(help="Of a model with states, which requests make a batch: oldest, or direct.")
    ] = "oldest"
    idle: Annotated[float, typer.Option(help="Seconds without a request after which a sequence is given up.")] = 60.0

    @property
    def serving(self) -> Serving:
        from trtnet.tools.export.triton.serving import Serving
        from trtnet.tools.targets import arguments

        gpus = () if self.device is None else arguments.numbers(self.device, "--device")
        return Serving(
            self.max_batch_size, self.delay, self.instances, self.version, gpus, self.versions, self.warmup, self.cache,
            self.sequences, self.idle,
        )  # fmt: skip


@dataclass(frozen=True)
class StepOptions:
    """Functions of the user's own around a model."""

    before: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Makes the model's inputs: an ensemble is written.")
    ] = None
    takes: Annotated[list[str], typer.Option(help="What --before takes: pixels=batch,height,width,3:uint8.")] = field(
        default_factory=list
    )
    after: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Takes the model's outputs: an ensemble is written.")
    ] = None
    gives: Annotated[list[str], typer.Option(help="What --after gives: classes=batch,5:int64.")] = field(
        default_factory=list
    )

    @property
    def steps(self) -> tuple[Step | None, Step | None]:
        from trtnet.tools.export.triton.ensembles import Step
        from trtnet.tools.targets import arguments

        before = None if self.before is None else Step(self.before, arguments.inputs(self.takes, "--takes"))
        after = None if self.after is None else Step(self.after, arguments.inputs(self.gives, "--gives"))
        return before, after


@export.command("triton")
@grouped
def export_triton(
    target: Annotated[str, typer.Argument(help="An engine file; or a model, for the CPU reference.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model repository, a folder.")],
    name: Annotated[str, typer.Option(help="Name of the model in it.")],
    options: ModelOptions,
    how: ServingOptions,
    around: StepOptions,
    python: Annotated[
        bool,
        typer.Option("--python", help="Serve it with Triton's python backend, which engines of TensorRT-RTX need."),
    ] = False,
    json: Json = None,
) -> None:
    """Writes a model of a Triton repository, or its next version."""
    from dataclasses import asdict

    from rich.text import Text

    from trtnet.tools.export.triton.ensembles import write_ensemble
    from trtnet.tools.export.triton.models import served
    from trtnet.tools.export.triton.repository import publish
    from trtnet.tools.output import show

    made = served(target, options.choices, python=python)
    before, after = around.steps
    if before is None and after is None:
        found = publish(made, output, name, how.serving)
    else:
        found = write_ensemble(made, output, name, how.serving, before, after)
    lines = [*found.files, f"version {found.version}", f"max_batch_size {found.max_batch_size}", *found.notes]
    show(Text("\n".join(lines)), asdict(found), json)
