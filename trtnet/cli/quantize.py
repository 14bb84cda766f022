"""`trtnet quantize`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtnet.cli.callbacks import page
from trtnet.cli.grouping import grouped
from trtnet.cli.options import MODEL, Declare, FactoryOptions, Json, WeightsOptions
from trtnet.support.files import check_writable

if TYPE_CHECKING:
    from trtnet.tools.quantize.result import QuantizedCheckpoint


@dataclass(frozen=True)
class Calibration:
    """How weights and inputs are quantized."""

    scheme: Annotated[
        str,
        typer.Option(
            help="int8, fp8, fp8_channel, mxfp8, nvfp4; of weights alone int8_weights, fp8_weights, int4_weights,"
            " mxfp8_weights, mxfp4_weights, nvfp4_weights."
        ),
    ] = "int8"
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
    placement: Annotated[
        str | None,
        typer.Option(
            help="Rows of the table, with commas: sums, concatenations and norms quantize these, others leave products"
            " in floats; none; or a target whose rows count, as tensorrt:8.9. By default this backend."
        ),
    ] = None
    batch: Annotated[int, typer.Option(min=1, help="Samples in a call.")] = 32


@grouped
def quantize(
    model: Annotated[
        str, typer.Argument(help=f"{MODEL} Or a published language model or Whisper: its folder or .gguf.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The .safetensors file to write, with a config.json next to it; of a published model a new folder.",
        ),
    ],
    factory: FactoryOptions,
    weights: WeightsOptions,
    how: Calibration,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Samples by input: an .npz, or a folder of .npz files; of a language model .txt files, a text a line;"
            " of a Whisper .wav files. Not needed for schemes of weights only."
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
    from trtnet.support.text.status_line import StatusLine
    from trtnet.tools.output import show, with_files
    from trtnet.tools.quantize.page import save
    from trtnet.tools.quantize.published.quantize import is_published
    from trtnet.tools.quantize.report import table, to_json

    options = {name: value for name, value in vars(how).items() if value is not None}
    run = _published if is_published(model) else _model
    with StatusLine(sys.stderr.isatty(), "calibrating") as told:
        tell = {"tell": lambda text: told(f"calibrating: {text}")}
        found = run(model, data, output, factory, weights, options | tell, declare)
    if html is not None:
        save(html, found, model, options)
    show(with_files(table(found), found.path, html), to_json(found), json)


def _model(
    model: str, data: Path | None, output: Path, factory: FactoryOptions, weights: WeightsOptions,
    options: dict[str, Any], declare: list[str],
) -> QuantizedCheckpoint:  # fmt: skip
    """A model by name, and a checkpoint of it."""
    from trtnet.checkpoint import check_apart
    from trtnet.tools.quantize.quantize import quantize as run
    from trtnet.tools.targets import arguments, models

    check_writable(output)
    made, inputs = models.made(model, factory.values), arguments.inputs(declare) or None
    chosen = weights.chosen
    check_apart(chosen.file, output)
    return run(made, data, output, inputs, chosen.open(), ignored=chosen.ignored, **options)


def _published(
    model: str, data: Path | None, output: Path, factory: FactoryOptions, weights: WeightsOptions,
    options: dict[str, Any], declare: list[str],
) -> QuantizedCheckpoint:  # fmt: skip
    """The files of a published model, which say all that other options do."""
    from trtnet.support.errors import ModelError
    from trtnet.tools.quantize.published.quantize import quantize_published

    if declare or weights.chosen.file is not None or factory.values:
        raise ModelError(f"{model} has its weights and its configuration: leave out --weights, --arg and --declare")
    taken = {name: value for name, value in options.items() if name not in ("batch", "fold")}
    return quantize_published(model, data, output, **taken)
