"""``python -m trtnet.reference model.onnx inputs.npz [outputs.npz]``: an ONNX model by way of TensorRT, on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from trtnet.reference.onnx import parse
from trtnet.support.arrays import DAMAGED, not_numbers
from trtnet.support.call_interface import by_name
from trtnet.support.errors import InputError, TrtnetError
from trtnet.support.files import atomic_write


def main(
    model: Annotated[Path, typer.Argument(help="An ONNX file that TensorRT's parser accepts.")],
    inputs: Annotated[Path, typer.Argument(help="An .npz with an array for each input, by name.")],
    outputs: Annotated[Path | None, typer.Argument(help="An .npz to write.")] = None,
) -> None:
    """Parses an ONNX model into a TensorRT network and executes it on the CPU."""
    try:
        _run(model, inputs, outputs)
    except TrtnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _run(model: Path, inputs: Path, outputs: Path | None) -> None:
    parsed = parse(model)
    reference = parsed.reference()
    try:
        with np.load(inputs, allow_pickle=False) as file:
            arrays = dict(file)
    except DAMAGED as error:
        raise InputError(f"{inputs} is not an .npz of arrays: {not_numbers(error)}") from error
    named = by_name(reference(**arrays), reference.outputs)
    for name, array in named.items():
        print(f"{name} {list(array.shape)} {array.dtype}")
    if outputs:
        with atomic_write(outputs) as target:
            np.savez(target, allow_pickle=False, **named)


if __name__ == "__main__":
    typer.run(main)
