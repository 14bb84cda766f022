"""The commands that look into networks and engines, and hand them on: `trtnet inspect`, `diff`, `export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.options import Arg, Declare, DType, Ignore, Json, Key, Rules, StripPrefix, weights_choice
from trtnet.support.files import check_writable

Target = Annotated[
    str,
    typer.Argument(
        help="A model (trtnet models, or path/to/file.py:factory), a .onnx file, an engine, its sidecar"
        " (x.engine.json), or a file with what TensorRT's engine inspector says."
    ),
]
WeightsIfAny = Annotated[str | None, typer.Option(help="Checkpoint of a model; not needed to look at its structure.")]
Dim = Annotated[
    list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8; 1 for those that are not given.")
]
Inputs = Annotated[list[str], typer.Option("--input", hidden=True)]
Explain = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Explain an error of TensorRT instead: its text, or - for standard input."
        " Exit code 2 if nothing is known of it.",
    ),
]


def explain(text: str, json: str | None) -> None:
    """`trtnet doctor --explain`: exit code 2 for a text that nothing is known of: there is no verdict."""
    from trtnet.tools import explain as tool
    from trtnet.tools.output import show

    text = sys.stdin.read() if text == "-" else text
    found = tool.explain(text)
    near = [] if found else tool.nearest(text)
    show(tool.render(found, near), tool.to_json(found, near), json)
    raise typer.Exit(0 if found else 2)


def inspect(
    target: Target,
    weights: WeightsIfAny = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    dim: Dim = [],
    arg: Arg = [],
    declare: Declare = [],
    input: Inputs = [],
    depth: Annotated[int, typer.Option(help="How deep the module tree is shown.")] = 3,
    json: Json = None,
) -> None:
    """Says what a network or an engine is: modules, shapes, parameters, FLOPs, bytes, TensorRT layers, precisions."""
    from trtnet.tools.inspect import any as inspect_any
    from trtnet.tools.output import show
    from trtnet.tools.targets.networks import Choices

    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    found = inspect_any.look(target, Choices(chosen, dtype, dim, arg, [*declare, *input]), depth)
    show(found.picture, found.document, json)


def diff(
    first: Target,
    second: Target,
    weights: WeightsIfAny = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    dim: Dim = [],
    arg: Arg = [],
    declare: Declare = [],
    input: Inputs = [],
    other_weights: Annotated[str | None, typer.Option(help="Checkpoint of SECOND; that of FIRST by default.")] = None,
    other_dtype: Annotated[str | None, typer.Option(help="dtype of SECOND; that of FIRST by default.")] = None,
    other_arg: Annotated[list[str], typer.Option(help="Argument of SECOND's factory; FIRST's by default.")] = [],
    values: Annotated[bool, typer.Option("--values", help="Compare the numbers in weights too, exactly.")] = False,
    json: Json = None,
) -> None:
    """Compares two networks, or two engines, layer by layer, by module. Exit code 1 if they differ."""
    from trtnet.tools.inspect import diff as tool
    from trtnet.tools.inspect.layer_lists import describe
    from trtnet.tools.output import show
    from trtnet.tools.targets.networks import Choices

    chosen, inputs = weights_choice(weights, rules, key, strip_prefix, ignore), [*declare, *input]
    a = describe(first, Choices(chosen, dtype, dim, arg, inputs), values)
    other = Choices(chosen.other(other_weights), other_dtype or dtype, dim, other_arg or arg, inputs)
    found = tool.compare(a, describe(second, other, values))
    show(tool.render(found), tool.to_json(found), json)
    raise typer.Exit(1 if found.differs else 0)


export = typer.Typer(help="Hands models and engines to other tools.", no_args_is_help=True)


@export.command("polygraphy")
def export_polygraphy(
    model: Annotated[str, typer.Argument(help="A model of the zoo (trtnet models), or path/to/file.py:factory.")],
    weights: Annotated[str, typer.Option(help="Checkpoint: .safetensors, .pth, .pt, .npz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The script to write.")],
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    dim: Annotated[
        list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=1:8:32 (min:opt:max) or batch=8.")
    ] = [],
    arg: Arg = [],
    declare: Declare = [],
    input: Inputs = [],
    json: Json = None,
) -> None:
    """Writes a network script, which polygraphy takes as a model, and says how."""
    from dataclasses import asdict

    from rich.text import Text

    from trtnet.tools.export import polygraphy
    from trtnet.tools.output import show
    from trtnet.tools.targets.networks import Choices

    check_writable(output)
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    script = polygraphy.write(model, Choices(chosen, dtype, dim, arg, [*declare, *input]), output)
    show(Text("\n".join([script.path, *script.commands]), no_wrap=True, overflow="ignore"), asdict(script), json)


@export.command("triton")
def export_triton(
    engine: Annotated[Path, typer.Argument(help="A plan with its sidecar.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model repository, a folder.")],
    name: Annotated[str, typer.Option(help="Name of the model in it.")],
    max_batch_size: Annotated[
        int | None, typer.Option(help="The most samples in a batch; what the profiles allow by default, 0 for none.")
    ] = None,
    delay: Annotated[int, typer.Option(help="Microseconds that a sample waits for others.")] = 100,
    instances: Annotated[int, typer.Option(help="Executions at a time on a GPU.")] = 1,
    version: Annotated[int, typer.Option(help="Version of the model.")] = 1,
    python: Annotated[
        bool, typer.Option("--python", help="Serve it by Triton's python backend, as engines of TensorRT-RTX must be.")
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
