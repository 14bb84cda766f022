"""What a checkpoint's own configuration says of its quantization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Checkpoint
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError
from trtnet.support.json_text import read_object

_FILES: Mapping[str, tuple[str, str]] = {
    "config.json": ("quantization_config", ""),
    "hf_quant_config.json": ("quantization", "modelopt"),
    "quantize_config.json": ("", "gptq"),
    "quant_config.json": ("", "awq"),
}
"""A file beside the weights -> (the key of the part that counts, "" for all; the method of one that names none)."""


@dataclass(frozen=True)
class Configuration:
    """The quantization configuration of a checkpoint.

    method: who quantized it (``quant_method``), "" where nobody says. document: what is said. dtype: of the float
    model. where: the file, for messages.
    """

    method: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    dtype: DType | None = None
    where: str = ""

    def number(self, *names: str) -> int | None:
        """The first of these keys that is there, an int. Raises CheckpointError for something else."""
        for name in names:
            value = self.document.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if value is not None:
                raise CheckpointError(f"{self.where}: {name} is an integer, found {value!r}")
        return None


def configuration_of(checkpoint: Checkpoint) -> Configuration:
    """The configuration in the files beside a checkpoint; an empty one where there is none.

    Raises CheckpointError for a file that is no JSON object.
    """
    place = Path(checkpoint.name)  # of a checkpoint in memory the name is not a path
    folder = place if place.is_dir() else place.parent
    dtype = None
    if not place.exists():
        return Configuration()
    for name, (part, method) in _FILES.items():
        document = read_object(folder / name) if (folder / name).is_file() else None
        if document is None:
            continue
        dtype = dtype or _dtype(document)
        for found in _parts(document, part, str(folder / name)):
            named = found.get("quant_method", found.get("quantization_method", method))
            return Configuration(str(named), found, dtype, str(folder / name))
    return Configuration(dtype=dtype)


def given(document: Mapping[str, Any]) -> Configuration:
    """A configuration that is given as a mapping: of a whole ``config.json``, or of its quantization."""
    for found in _parts(document, "quantization_config", "the given configuration"):
        return Configuration(str(found.get("quant_method", "")), found, _dtype(document), "the given configuration")
    return Configuration(str(document.get("quant_method", "")), document, None, "the given configuration")


def _parts(document: Mapping[str, Any], part: str, where: str) -> Iterator[Mapping[str, Any]]:
    """The part of a document that is of quantization: models of several parts have it in that of the text.

    Raises CheckpointError for one that is no table.
    """
    if not part:
        yield document
        return
    texts = document.get("text_config")
    for holder in (document, texts if isinstance(texts, dict) else {}):
        found = holder.get(part)
        if isinstance(found, dict):
            yield found
        elif found is not None:
            raise CheckpointError(f"{where}: {part} is a table, found {found!r}")


def _dtype(document: Mapping[str, Any]) -> DType | None:
    name = document.get("dtype", document.get("torch_dtype"))
    known = {dtype.name: dtype for dtype in dtypes.TABLE if dtype.is_floating}
    return known.get(name) if isinstance(name, str) else None
