"""`trtnet quantize`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Declare, FactoryOptions, Json, Model, WeightsOptions
from trtnet.support.files import check_writable


@grouped
def quantize(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write; config.json beside.")],
    factory: FactoryOptions,
    weights: WeightsOptions,
    data: Annotated[
        Path | None, typer.Option(help="Samples by input: an .npz, or a folder of .npz files; none for weights alone.")
    ] = None,
    scheme: Annotated[
        str, typer.Option(help="int8, fp8, fp8_channel, int8_weights, fp8_weights, int4_weights.")
    ] = "int8",
    method: Annotated[str, typer.Option(help="How ranges are found: max, percentile, mse, entropy.")] = "mse",
    skip: Annotated[list[str], typer.Option(help="Pattern of modules that stay floats.")] = [],
    batch: Annotated[int, typer.Option(min=1, help="Samples in a call.")] = 32,
    declare: Declare = [],
    json: Json = None,
) -> None:
    """Quantizes a checkpoint, with scales calibrated on the CPU.

    The result is in the compressed-tensors format; --quantization checkpoint takes it.
    """
    from rich.progress import Progress

    from trtnet.tools.output import show
    from trtnet.tools.quantize.quantize import quantize as run
    from trtnet.tools.quantize.report import table, to_json
    from trtnet.tools.targets import arguments, models

    check_writable(output)
    made = models.made(model, factory.values)
    with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("calibrating", total=None)
        found = run(
            made,
            data,
            output,
            arguments.inputs(declare) or None,
            weights.chosen.open(),
            scheme=scheme,
            method=method,
            skip=skip,
            batch=batch,
            ignored=weights.chosen.ignored,
            tell=lambda done: progress.update(task, completed=done),
        )
    show(table(found), to_json(found), json)
