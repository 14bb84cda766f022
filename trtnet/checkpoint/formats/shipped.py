"""Weights that come with trtnet: ``"trtnet:lenet.safetensors"``, wherever it is installed."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from trtnet.support.errors import CheckpointError

SCHEME = "trtnet:"


def located(path: str | os.PathLike[str]) -> Path:
    """A path as it is, or that of a file that comes with trtnet. Raises CheckpointError for one that does not."""
    text = os.fspath(path)
    if not text.startswith(SCHEME):
        return Path(path)
    folder = Path(str(files("trtnet.weights")))
    found = folder / text.removeprefix(SCHEME)
    known = sorted(file.name for file in folder.glob("*.safetensors"))
    if found.name not in known or found.parent != folder:
        raise CheckpointError(
            f"{text} does not come with trtnet, which has {', '.join(SCHEME + name for name in known)}"
        )
    return found
