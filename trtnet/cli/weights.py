"""The commands on checkpoints: `trtnet weights ls`, `trtnet weights diff`, `trtnet convert`, `trtnet refit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.options import Json, Key, Rules, StripPrefix, weights_choice
from trtnet.support.files import check_writable

Load = Annotated[
    bool | None,
    typer.Option(
        "--load/--no-load",
        help="Give the checkpoint to the torch module too, or leave it its own; by default only where its factory gives"
        " it random ones.",
    ),
]

weights = typer.Typer(help="Looks into checkpoints.", no_args_is_help=True)


@weights.command("ls")
def ls(
    file: Annotated[str, typer.Argument(help="A checkpoint: a file, an index, or a Hugging Face folder.")],
    filter: Annotated[str, typer.Option(help="Regular expression that is found in the keys to list.")] = "",
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    json: Json = None,
) -> None:
    """Lists keys, shapes, dtypes and bytes; reads no data."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import files as tool

    found = tool.rows(weights_choice(file, rules, key, strip_prefix, []).open(), filter)
    show(tool.table(found), tool.to_json(found), json)


@weights.command("diff")
def diff(
    first: str,
    second: str,
    values: Annotated[bool, typer.Option("--values", help="Compare the numbers too.")] = False,
    json: Json = None,
) -> None:
    """Compares two checkpoints: keys and shapes, and with --values the numbers. Exit code 1 if they differ."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import files as tool

    found = tool.differences(first, second, values)
    show(tool.differences_table(found), tool.differences_json(found), json)
    raise typer.Exit(1 if any(row.differs for row in found) else 0)


@weights.command("verify")
def verify(
    file: Annotated[str, typer.Argument(help="A checkpoint: a file, an index, or a folder.")],
    json: Json = None,
) -> None:
    """Reads all of it: checksums and digests, and tensors with NaN or Inf. Exit code 1 if something is wrong."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import verify as tool

    found = tool.verify(file, bar=sys.stderr.isatty())
    show(tool.table(found), tool.to_json(found), json)
    raise typer.Exit(0 if tool.is_sound(found) else 1)


def convert(
    source: Annotated[str, typer.Argument(metavar="IN")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors|.wts")],
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    dtype: Annotated[str | None, typer.Option(help="dtype of floating tensors; they keep theirs without it.")] = None,
    model: Annotated[str | None, typer.Option(help="Model of the zoo that the result must fit exactly.")] = None,
    json: Json = None,
) -> None:
    """Writes a checkpoint as .safetensors, tensor by tensor, whole or not at all, with a digest in its metadata."""
    from trtnet.tools.output import show
    from trtnet.tools.weights import files as tool

    check_writable(out)
    chosen = weights_choice(source, rules, key, strip_prefix, [])
    found = tool.convert_file(chosen.open(), out, dtype, model, bar=sys.stderr.isatty())
    show(tool.table(found), tool.to_json(found), json)


def refit(
    engine: Annotated[Path, typer.Argument(help="A plan that was built with --refit.")],
    weights: Annotated[str, typer.Option(help="The checkpoint with the new weights, all of them.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Plan to write; the old one by default.")
    ] = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
) -> None:
    """Puts other weights into an engine without building it again: all of them by their names, or none."""
    from trtnet.runtime import load

    target = output or engine
    check_writable(target)
    loaded = load(engine)
    loaded.refit(weights_choice(weights, rules, key, strip_prefix, []).open())
    loaded.save(target)
    print(f"{target}: {len(loaded.info.refittable):,} weights replaced")
