"""What the command line says of a model, for a file that may lie elsewhere: files by absolute paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trtnet.checkpoint.formats.shipped import located
from trtnet.tools.targets.libraries import is_published
from trtnet.tools.targets.networks import Choices


def absolute_target(target: str) -> str:
    """A model's name, the user's own file by its absolute path."""
    file, colon, factory = target.rpartition(":")
    return f"{Path(file).resolve()}:{factory}" if colon and not is_published(target) else target


def absolute(choices: Choices) -> Choices:
    """The same, its files by absolute paths."""
    weights, forms, quantization = choices.checkpoint, choices.forms, choices.quantization
    file = None if weights.file is None else str(located(weights.file).resolve())
    rules = _resolved(weights.rules) if str(weights.rules).endswith(".toml") else weights.rules
    return replace(
        choices,
        weights=replace(weights, file=file, rules=rules),
        config=_resolved(choices.config),
        forms=replace(forms, forms=str(Path(forms.forms).resolve())) if isinstance(forms.forms, str) else forms,
        quantization=quantization if quantization == "checkpoint" else _resolved(quantization),
    )


def _resolved(file: str | None) -> str | None:
    return None if file is None else str(Path(file).resolve())
