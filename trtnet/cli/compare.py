"""The command that compares: `trtnet compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.options import Arg, DType, Ignore, Json, Key, Rules, StripPrefix, weights_choice
from trtnet.cli.weights import Load
from trtnet.support.files import check_writable

THINGS = """What to compare, and last what is expected: a model of the zoo or path/to/file.py:factory (on the CPU
reference), torch:path/to/file.py:factory, model.onnx (NVIDIA's parser, on the CPU reference), x.engine, saved outputs
(.npz, .json of polygraphy or trtexec), engine:MODEL or engine:model.onnx (built and run on the GPU). name=THING names
it in the report."""


def compare(
    things: Annotated[list[str], typer.Argument(metavar="THING... EXPECTED", help=THINGS)],
    weights: Annotated[
        str | None, typer.Option(help="Checkpoint of the models; by default the weights of the torch: module.")
    ] = None,
    load: Load = None,
    dtype: DType = "float32",
    arg: Arg = [],
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    strict: Annotated[bool, typer.Option("--strict/--no-strict", help="The checkpoint must fit the models.")] = True,
    input: Annotated[
        list[str], typer.Option("--input", help="An input's array: image=photo.npy, or raw bytes: image=photo.bin.")
    ] = [],
    inputs: Annotated[
        Path | None, typer.Option(help="All inputs: an .npz, or polygraphy's .json with one or more iterations.")
    ] = None,
    random: Annotated[int, typer.Option(help="Seed of random inputs, which are used if no others are given.")] = 0,
    dim: Annotated[list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8.")] = [],
    range: Annotated[
        list[str], typer.Option("--range", help="Random values of an input: input_ids=0:30000, the end excluded.")
    ] = [],
    iterations: Annotated[int, typer.Option(min=1, help="How many random inputs.")] = 1,
    carry: Annotated[
        list[str], typer.Option("--carry", help="State of a sequence: state_out=state feeds that output to that input.")
    ] = [],
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many steps: the inputs are repeated, random ones drawn for each.")
    ] = None,
    output: Annotated[
        list[str], typer.Option("--output", help="Outputs that belong together: expected=found, if it cannot be told.")
    ] = [],
    relative_l2: Annotated[float | None, typer.Option(help="An output passes with at most this relative L2.")] = None,
    cosine: Annotated[float | None, typer.Option(help="... with at least this cosine.")] = None,
    atol: Annotated[float | None, typer.Option(help="... if each element is within this absolute error,")] = None,
    rtol: Annotated[float | None, typer.Option(help="or within this relative error.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="... if the top-1 is the same wherever it leads by this margin.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page with plots.")] = None,
    save_inputs: Annotated[Path | None, typer.Option(help="Write the inputs: polygraphy's .json, or .npz.")] = None,
    save_outputs: Annotated[Path | None, typer.Option(help="Write all outputs: polygraphy's .json.")] = None,
    json: Json = None,
) -> None:
    """Compares what things compute, output by output. Exit code 1 if they differ.

    A torch module keeps the weights that its factory gave it, unless these are random; the report says whose each has.
    The tolerances are those of the coarsest dtype that the sides were defined in, or only those that are given.
    """
    from trtnet.support.errors import InputError
    from trtnet.tools import compare as tool
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.verify import compare as run
    from trtnet.verify.arrays.saved import check_page, write_inputs, write_outputs

    if html is not None:
        check_page(html)
    for file in (html, save_inputs, save_outputs):
        if file is not None:
            check_writable(file)
    if inputs is not None and input:
        raise InputError("--inputs has all inputs; --input gives one by one: use either")
    if len(things) < 2:
        raise InputError("nothing to compare it with: name two things at least, last what is expected")
    sizes = arguments.sizes(dim)
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    choices = tool.Choices(chosen, dtype, arguments.literals(arg), sizes, load, strict)
    sides, whose = tool.open_things(things, choices)
    expected = list(sides)[-1]
    takes = next((side.takes for side in sides.values() if side.takes), ())
    given = tool.read_given(arguments.files(input), takes, sizes)
    report = run(
        {name: side for name, side in sides.items() if name != expected},
        {expected: sides[expected]},
        inputs or given or None,
        tolerance=tool.tolerance(relative_l2, cosine, atol, rtol, margin),
        outputs=arguments.names(output) or None,
        iterations=iterations,
        seed=random,
        dims=sizes,
        ranges=tool.ranges(range),
        carry=arguments.names(carry, "--carry", "state_out=state") or None,
        steps=steps,
        keep=save_inputs is not None or save_outputs is not None,
    )
    report = replace(report, notes=(*report.notes, *whose))
    if html is not None:
        report.save(html)
    if save_inputs is not None:
        write_inputs(save_inputs, report.kept_inputs)
    if save_outputs is not None:
        write_outputs(save_outputs, report.kept_outputs)
    show(report, report.to_json(), json)
    raise typer.Exit(0 if report.passed else 1)
