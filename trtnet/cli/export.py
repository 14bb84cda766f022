"""The commands that hand models and engines on: `trtnet export polygraphy`, `trtnet export triton`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Json, Model, ModelOptions
from trtnet.support.files import check_writable


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


@export.command("triton")
def export_triton(
    engine: Annotated[Path, typer.Argument(help="A plan with its sidecar.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model repository, a folder.")],
    name: Annotated[str, typer.Option(help="Name of the model in it.")],
    max_batch_size: Annotated[
        int | None, typer.Option(help="Largest batch size; by default what the profiles allow, 0 for no batching.")
    ] = None,
    delay: Annotated[int, typer.Option(help="Microseconds that a sample waits for others.")] = 100,
    instances: Annotated[int, typer.Option(help="Concurrent executions on a GPU.")] = 1,
    version: Annotated[int, typer.Option(help="Version of the model.")] = 1,
    python: Annotated[
        bool,
        typer.Option("--python", help="Serve it with Triton's python backend, which engines of TensorRT-RTX need."),
    ] = False,
    json: Json = None,
) -> None:
    """Writes a model of a Triton repository: config.pbtxt and model.plan."""
    from dataclasses import asdict

    from rich.text import Text

    from trtnet.tools.export import triton
    from trtnet.tools.output import show

    serving = triton.Serving(max_batch_size, delay, instances, version)
    found = triton.write(engine, output, name, serving, python=python)
    lines = [*found.files, f"max_batch_size {found.max_batch_size}", *found.notes]
    show(Text("\n".join(lines)), asdict(found), json)
