"""The commands that look into networks and engines: `trtnet inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from trtnet.cli_weights import Json

Target = Annotated[
    str,
    typer.Argument(
        help="A model (trtnet models, or path/to/file.py:factory), a .onnx file, an engine, its sidecar"
        " (x.engine.json), or a file with what TensorRT's engine inspector says."
    ),
]
Weights = Annotated[str | None, typer.Option(help="Checkpoint of a model; not needed to look at its structure.")]
DType = Annotated[str, typer.Option(help="dtype of a model's network: float32, float16 or bfloat16.")]
Dim = Annotated[
    list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8; 1 for those that are not given.")
]
Arg = Annotated[list[str], typer.Option("--arg", help="Argument of the model's factory: num_classes=10.")]
Inputs = Annotated[list[str], typer.Option("--input", help="An input of a model: image=batch,3,224,224:float16.")]


def inspect(
    target: Target,
    weights: Weights = None,
    dtype: DType = "float32",
    dim: Dim = [],
    arg: Arg = [],
    input: Inputs = [],
    depth: Annotated[int, typer.Option(help="How deep the module tree is shown.")] = 3,
    json: Json = None,
) -> None:
    """Says what a network or an engine is: modules, shapes, parameters, FLOPs, bytes, TensorRT layers, precisions."""
    from trtnet.tools import inspect_any
    from trtnet.tools.network_target import Choices
    from trtnet.tools.output import show

    found = inspect_any.look(target, Choices(weights, dtype, dim, arg, input), depth)
    show(found.picture, found.document, json)


def diff(
    first: Target,
    second: Target,
    weights: Weights = None,
    dtype: DType = "float32",
    dim: Dim = [],
    arg: Arg = [],
    input: Inputs = [],
    other_weights: Annotated[str | None, typer.Option(help="Checkpoint of SECOND; that of FIRST by default.")] = None,
    other_dtype: Annotated[str | None, typer.Option(help="dtype of SECOND; that of FIRST by default.")] = None,
    other_arg: Annotated[list[str], typer.Option(help="Argument of SECOND's factory; FIRST's by default.")] = [],
    values: Annotated[bool, typer.Option("--values", help="Compare the numbers in weights too, exactly.")] = False,
    json: Json = None,
) -> None:
    """Compares two networks, or two engines, layer by layer, by module. Exit code 1 if they differ."""
    from trtnet.tools import diff as tool
    from trtnet.tools.described import describe
    from trtnet.tools.network_target import Choices
    from trtnet.tools.output import show

    a = describe(first, Choices(weights, dtype, dim, arg, input), values)
    other = Choices(other_weights or weights, other_dtype or dtype, dim, other_arg or arg, input)
    found = tool.compare(a, describe(second, other, values))
    show(tool.render(found), tool.to_json(found), json)
    raise typer.Exit(1 if found.differs else 0)
