"""The commands that find where a network parts from torch, and what helps: `trtnet bisect`, `trtnet precision`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtnet.cli.options import Arg, Declare, DType, Ignore, Input, Json, Key, Model, Rules, StripPrefix, weights_choice
from trtnet.cli.weights import Load
from trtnet.support.files import check_writable

if TYPE_CHECKING:
    from trtnet.verify.arrays.feeding import Arrays

WeightsNeeded = Annotated[str, typer.Option(help="Checkpoint of the model.")]
Torch = Annotated[str, typer.Option("--torch", help="The torch original: path/to/file.py:factory.")]
Random = Annotated[int, typer.Option(help="Seed of the random values of inputs that are not given.")]
Dim = Annotated[list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=2.")]
Range = Annotated[
    list[str], typer.Option("--range", help="Random values of an input: input_ids=0:30000, the end excluded.")
]
TorchInput = Annotated[
    list[str], typer.Option("--torch-input", help="An input that the torch module takes; by default all of them.")
]
Output = Annotated[
    list[str], typer.Option("--output", help="Outputs that belong together: expected=found; only these are compared.")
]
OnEngine = Annotated[bool, typer.Option("--engine", help="Run the network as engines on this machine's GPU.")]


def bisect(
    model: Model,
    torch: Torch,
    weights: Annotated[
        str | None, typer.Option(help="Checkpoint of the model; by default the weights of the torch module.")
    ] = None,
    load: Load = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    arg: Arg = [],
    declare: Declare = [],
    input: Input = [],
    random: Random = 0,
    dim: Dim = [],
    range: Range = [],
    torch_input: TorchInput = [],
    output: Output = [],
    name: Annotated[
        list[str],
        typer.Option(
            "--name", help=r"A module path (regular expression) and the original's: 'layers\.(\d+)=h.\1', 'qkv=q,k,v'."
        ),
    ] = [],
    strict: Annotated[bool, typer.Option("--strict/--no-strict", help="The checkpoint must fit the model.")] = True,
    engine: OnEngine = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page with the error by depth.")] = None,
    json: Json = None,
) -> None:
    """Names the first module that computes something else than its torch original, and why.

    Exit code 1 if one does, or if the model's own outputs are not torch's. The torch module keeps the weights that its
    factory gave it, unless these are random; the report says whose each has.
    """
    from trtnet.definition import define
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.tools import bisect as tool
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments, models
    from trtnet.tools.targets.original import opened
    from trtnet.verify.arrays.saved import check_page
    from trtnet.verify.bisection.bisect import bisect as run
    from trtnet.verify.bisection.taps import EngineTaps, ReferenceTaps

    if html is not None:
        check_page(html)
        check_writable(html)
    if engine:
        CudaDevice()  # before anything is built
    made, values = models.made(model, arg)
    specs = arguments.inputs(declare) or made.inputs
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    theirs, whose = opened(torch, chosen, load, values)
    network = define(
        made,
        specs,
        chosen.open_or(theirs),
        dtype=arguments.dtype(dtype),
        ignored=chosen.ignored,
        strict=strict,
        name=model,
        arguments=values,
    )
    given = _inputs(network, input, random, dim, range)
    found = run(
        network,
        theirs,
        given,
        original_inputs={key: given[key] for key in torch_input} if torch_input else None,
        names=tool.renamed(name),
        outputs=arguments.names(output) or None,
        on=EngineTaps if engine else ReferenceTaps,
    )
    said = f"weights: {model} has those of {weights or torch}", f"weights: {whose}"
    found = replace(found, notes=(*found.notes, *said))
    if html is not None:
        found.save(html)
    show(found, found.to_json(), json)
    raise typer.Exit(0 if found.passed else 1)


def _inputs(network: Any, files: list[str], seed: int, dim: list[str], ranges: list[str]) -> Arrays:
    """The given arrays, and random ones for the rest."""
    from trtnet.tools.run import read_inputs
    from trtnet.tools.targets import arguments

    return _completed(network, read_inputs(arguments.files(files)), seed, dim, ranges)


def _completed(network: Any, given: Arrays, seed: int, dim: list[str], ranges: list[str]) -> Arrays:
    from trtnet.builder import describe
    from trtnet.tools.compare import ranges as parsed
    from trtnet.tools.targets import arguments
    from trtnet.verify.arrays.inputs import merged, random_inputs

    sizes = arguments.sizes(dim)
    missing = [info for info in merged([describe(network).inputs], sizes) if info.name not in given]
    (values,) = random_inputs(missing, sizes, parsed(ranges), seed, 1)
    return {**given, **values}


def precision(
    model: Model,
    weights: WeightsNeeded,
    torch: Torch,
    load: Load = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    narrow: Annotated[
        str, typer.Option(help="dtype of the modules that can bear it: float16 or bfloat16.")
    ] = "float16",
    wide: Annotated[str, typer.Option(help="dtype of the others.")] = "float32",
    relative_l2: Annotated[
        float | None, typer.Option(help="Largest relative L2 of an output; by default that of the narrow dtype.")
    ] = None,
    arg: Arg = [],
    declare: Declare = [],
    input: Input = [],
    inputs: Annotated[
        Path | None, typer.Option(help="All inputs: an .npz, or polygraphy's .json; of several calls, all must pass.")
    ] = None,
    random: Random = 0,
    dim: Dim = [],
    range: Range = [],
    torch_input: TorchInput = [],
    output: Output = [],
    engine: OnEngine = False,
    json: Json = None,
) -> None:
    """Finds the fewest modules that must be float32 for the model to be near to torch, as `define(dtype=...)` takes."""
    from trtnet.definition import DefinedNetwork, define
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.support.errors import InputError
    from trtnet.tools.output import show
    from trtnet.tools.run import read_inputs
    from trtnet.tools.targets import arguments, models
    from trtnet.tools.targets.original import opened
    from trtnet.verify.arrays.inputs import given_inputs
    from trtnet.verify.metrics.tolerances import Tolerance
    from trtnet.verify.precision.search import search_precision

    if engine:
        CudaDevice()  # before anything is built
    made, values = models.made(model, arg)
    specs = arguments.inputs(declare) or made.inputs
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    theirs, _ = opened(torch, chosen, load, values)
    checkpoint = chosen.open_or(theirs)
    if inputs is not None and input:
        raise InputError("--inputs has all inputs; --input gives one by one: use either")
    network = define(made, specs, checkpoint, dtype=wide, ignored=chosen.ignored)
    files = [read_inputs(arguments.files(input))] if inputs is None else given_inputs(inputs, ())
    given = [_completed(network, arrays, random, dim, range) for arrays in files]
    sizes = arguments.sizes(dim)
    found = search_precision(
        made,
        checkpoint,
        given,
        theirs,
        None if relative_l2 is None else Tolerance(relative_l2=relative_l2),
        specs=specs,
        narrow=narrow,
        wide=wide,
        reference_inputs=[{key: arrays[key] for key in torch_input} for arrays in given] if torch_input else None,
        outputs=arguments.names(output) or None,
        on=(lambda network: network.build(sizes)) if engine else DefinedNetwork.reference,
        progress=sys.stderr.isatty(),
        ignored=chosen.ignored,
    )
    at_random = [name for name in given[0] if name not in files[0]]
    if at_random:
        words = f"the values of {', '.join(at_random)} were random, and what needs {wide} depends on them"
        found = replace(found, notes=(f"{words}: give real ones by --input {at_random[0]}=FILE.npy or --inputs FILE",))
    show(found, found.to_json(), json)
