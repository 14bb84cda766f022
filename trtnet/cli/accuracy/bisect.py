"""`trtnet bisect`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.callbacks import page
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Carry, InFloats, InputOptions, Json, Model, OriginalOptions, Pairs, Steps, Strict

if TYPE_CHECKING:
    from trtnet.definition import DefinedNetwork
    from trtnet.verify.arrays.feeding import Arrays

Torch = Annotated[
    str | None,
    typer.Option("--torch", help="The torch original: path/to/file.py:factory; by default the model, if it is one."),
]
OnEngine = Annotated[bool, typer.Option("--engine", help="Run the network as engines on this machine's GPU.")]
Names = Annotated[
    list[str],
    typer.Option(
        "--name", help=r"A module path (regular expression) and the original's: 'layers\.(\d+)=h.\1', 'qkv=q,k,v'."
    ),
]

Html = Annotated[Path | None, typer.Option(callback=page, help="Write the report as a page with the error by depth.")]


@grouped
def bisect(
    model: Model,
    options: OriginalOptions,
    inputs: InputOptions,
    torch: Torch = None,
    output: Pairs = [],
    name: Names = [],
    strict: Strict = True,
    engine: OnEngine = False,
    steps: Steps = None,
    carry: Carry = [],
    html: Html = None,
    in_floats: InFloats = True,
    json: Json = None,
) -> None:
    """Finds the first module that differs from PyTorch, and why.

    Exit code 1 if one does, or if the model's own outputs differ from torch's. The torch module keeps the weights that
    its factory gave it, unless these are random; the report says which weights each side has.
    """
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.tools.bisect import renamed
    from trtnet.tools.output import show, with_files
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.pair import open_pair
    from trtnet.verify.bisection.bisect import bisect as run
    from trtnet.verify.bisection.taps import EngineTaps, ReferenceTaps

    if engine:
        CudaDevice()  # before anything is built
    pair = open_pair(model, torch, options.choices, options.load)
    network = pair.define(strict)
    given = _given(network, options, inputs, from_zero=steps is not None)
    found = run(
        network, pair.original, given,
        original_inputs=inputs.of_torch(given),
        names=renamed(name),
        outputs=arguments.names(output) or None,
        on=EngineTaps if engine else ReferenceTaps,
        steps=steps,
        carry=arguments.names(carry, "--carry", "state_out=state") or None,
        in_floats=in_floats,
    )  # fmt: skip
    found = replace(found, notes=(*found.notes, *pair.whose_weights))
    if html is not None:
        found.save(html)
    show(with_files(found, html), found.to_json(), json)
    raise typer.Exit(0 if found.passed else 1)


def _given(network: DefinedNetwork, options: OriginalOptions, inputs: InputOptions, *, from_zero: bool) -> Arrays:
    """The arrays that both get, random ones where none were given."""
    from trtnet.tools.run import read_inputs
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.pair import completed

    files, sizes = read_inputs(arguments.files(inputs.input)), arguments.sizes(options.dim)
    return completed(network, files, sizes, arguments.ranges(inputs.range), inputs.random, from_zero=from_zero)
