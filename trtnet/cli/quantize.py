"""`trtnet quantize`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.callbacks import page
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Declare, FactoryOptions, Json, Model, WeightsOptions
from trtnet.support.files import check_writable


@dataclass(frozen=True)
class Calibration:
    """How weights and inputs are quantized."""

    scheme: Annotated[str, typer.Option(help="int8, fp8, fp8_channel, int8_weights, fp8_weights, int4_weights.")] = (
        "int8"
    )
    method: Annotated[
        str | None,
        typer.Option(help="How ranges are found: max (the default with --smooth), percentile, mse (else), entropy."),
    ] = None
    skip: Annotated[list[str], typer.Option(help="Pattern of modules that stay in floats.")] = field(
        default_factory=list
    )
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Leave the most sensitive modules in floats until the relative L2 of the outputs is this small."
        ),
    ] = None
    smooth: Annotated[
        str | None,
        typer.Option(help="SmoothQuant's alpha, 0 to 1 or auto: how much of the inputs' outliers the weights take."),
    ] = None
    attention: Annotated[
        str | None, typer.Option(help="Both products of scaled_dot_product_attention too: int8 or fp8.")
    ] = None
    fold: Annotated[bool, typer.Option(help="Batch norms go into the convolutions before them.")] = True
    correct: Annotated[bool, typer.Option(help="Take the mean error of each channel from the bias behind it.")] = True
    batch: Annotated[int, typer.Option(min=1, help="Samples in a call.")] = 32


@grouped
def quantize(
    model: Model,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .safetensors file to write, with a config.json next to it.")
    ],
    factory: FactoryOptions,
    weights: WeightsOptions,
    how: Calibration,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Samples by input: an .npz, or a folder of .npz files; not needed for schemes of weights only."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(callback=page, help="Write the report as a page: ranges, errors by module.")
    ] = None,
    declare: Declare = [],
    json: Json = None,
) -> None:
    """Quantizes a checkpoint, with scales calibrated on the CPU.

    The result is in the compressed-tensors format; --quantization checkpoint takes it.
    """
    from trtnet.checkpoint import check_apart
    from trtnet.support.text.status_line import StatusLine
    from trtnet.tools.output import show, with_files
    from trtnet.tools.quantize.page import save
    from trtnet.tools.quantize.quantize import quantize as run
    from trtnet.tools.quantize.report import table, to_json
    from trtnet.tools.targets import arguments, models

    check_writable(output)
    made, inputs = models.made(model, factory.values), arguments.inputs(declare) or None
    chosen, options = weights.chosen, {name: value for name, value in vars(how).items() if value is not None}
    check_apart(chosen.file, output)
    with StatusLine(sys.stderr.isatty(), "calibrating") as told:

        def tell(text: str) -> None:
            told(f"calibrating: {text}")

        found = run(made, data, output, inputs, chosen.open(), ignored=chosen.ignored, tell=tell, **options)
    if html is not None:
        save(html, found, model, options)
    show(with_files(table(found), found.path, html), to_json(found), json)
