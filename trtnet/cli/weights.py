"""The commands on checkpoints: `trtnet weights ls`, `trtnet weights diff`, `trtnet convert`, `trtnet refit`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import FactoryOptions, Ignore, Json, Key, Rules, StripPrefix, weights_choice
from trtnet.support.errors import ModelError
from trtnet.support.files import check_writable
from trtnet.support.text.counted import counted

if TYPE_CHECKING:
    from trtnet.nn import Module

weights = typer.Typer(name="weights", help="Lists, compares and verifies checkpoints.", no_args_is_help=True)


@weights.command("ls")
def ls(
    file: Annotated[str, typer.Argument(help="A checkpoint: a file, an index, or a Hugging Face folder.")],
    filter: Annotated[str, typer.Option(help="List only keys in which this regular expression is found.")] = "",
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    json: Json = None,
) -> None:
    """Lists keys, shapes, dtypes and bytes; reads no data."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import files as tool

    checkpoint = weights_choice(file, rules, key, strip_prefix, []).open()
    quantized = tool.quantization(checkpoint)
    found = tool.rows(checkpoint, filter)
    show(tool.table(found, quantized), tool.to_json(found, quantized), json)


@weights.command("diff")
def diff(
    first: str,
    second: str,
    values: Annotated[bool, typer.Option("--values", help="Compare the numbers too.")] = False,
    key: Annotated[str | None, typer.Option(help="The part of FIRST to take, if it is a training checkpoint.")] = None,
    other_key: Annotated[str | None, typer.Option(help="The part of SECOND to take.")] = None,
    json: Json = None,
) -> None:
    """Compares two checkpoints: keys and shapes, and with --values the numbers. Exit code 1 if they differ."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import files as tool

    a, b = weights_choice(first, None, key, None, []), weights_choice(second, None, other_key, None, [])
    found = tool.differences(a.open(), b.open(), values)
    show(tool.differences_table(found, values), tool.differences_json(found), json)
    raise typer.Exit(1 if any(row.differs for row in found) else 0)


@weights.command("verify")
def verify(
    file: Annotated[str, typer.Argument(help="A checkpoint: a file, an index, or a folder.")],
    key: Key = None,
    json: Json = None,
) -> None:
    """Checks checksums and digests, and finds tensors with NaN or Inf. Exit code 1 if something is wrong."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import verify as tool

    found = tool.verify(file, key, bar=sys.stderr.isatty())
    show(tool.table(found), tool.to_json(found), json)
    raise typer.Exit(0 if tool.is_sound(found) else 1)


@grouped
def convert(
    source: Annotated[str, typer.Argument(metavar="IN")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors|.wts")],
    factory: FactoryOptions,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: Annotated[str | None, typer.Option(help="dtype of floating tensors; by default they keep theirs.")] = None,
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="Write the float weights of a quantized checkpoint.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Model that the result must match exactly: of the zoo, or path/to/file.py:factory."),
    ] = None,
    json: Json = None,
) -> None:
    """Writes a checkpoint as .safetensors.

    Tensor by tensor, whole or not at all, with a digest in its metadata.
    """
    from trtnet.checkpoint import check_apart
    from trtnet.tools.output import show, with_files
    from trtnet.tools.weights import files as tool

    check_writable(out)
    check_apart(source, out)
    chosen = replace(weights_choice(source, rules, key, strip_prefix, ignore), dequantize=dequantize)
    if model is None and ignore:
        raise ModelError("--ignore lists keys that the model of --model may leave out: give both")
    if model is None:
        _no_factory(factory)
    module = None if model is None else _made(model, factory)
    found = tool.convert_file(chosen.open(), out, dtype, module, chosen.ignored, bar=sys.stderr.isatty())
    show(with_files(tool.table(found), out), {"path": str(out), **tool.to_json(found)}, json)


def _no_factory(factory: FactoryOptions) -> None:
    if factory.arg or factory.config:
        raise ModelError("--arg and --config are for a model: give it with --model")


def _made(model: str, factory: FactoryOptions) -> Module:
    from trtnet.tools.targets.models import made

    return made(model, factory.values)


@grouped
def refit(
    engine: Annotated[Path, typer.Argument(help="A plan that was built with --refit.")],
    weights: Annotated[str, typer.Option(help="The checkpoint with the new weights, all of them.")],
    factory: FactoryOptions,
    model: Annotated[
        str | None, typer.Option(help="The model of the engine, needed for weights that were folded into others.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Plan to write; by default it replaces the old one.")
    ] = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
) -> None:
    """Replaces the weights of an engine, without building it again.

    All of them or none: by name, or with --model by defining the network again.
    """
    from trtnet.runtime import load
    from trtnet.tools.targets.networks import redefined

    target = output or engine
    check_writable(target)
    loaded = load(engine)
    chosen = weights_choice(weights, rules, key, strip_prefix, ignore)
    if model is None:
        _no_factory(factory)
        loaded.refit(chosen.open(), ignored=chosen.ignored)
    else:
        loaded.refit(redefined(model, factory.values, loaded.info, chosen))
    loaded.save(target)
    replaced = len(loaded.info.refittable) + (0 if model is None else len(loaded.info.folded))
    print(f"{target}: {counted(replaced, 'weight')} replaced")
