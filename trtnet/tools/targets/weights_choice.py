"""Which weights the command line names: a file, the part of it, and what makes its keys a model's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from trtnet.checkpoint import IGNORED, Checkpoint, open_checkpoint
from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.rules import parse
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.tools.weights.files import find_rules


@dataclass(frozen=True)
class WeightsChoice:
    """What ``--weights`` and the options beside it say, in every command that has them.

    file: a checkpoint; None for none. key: the part of a training checkpoint. strip_prefix: what every key begins with
    and is taken off. rules: of a family, of a .toml file, or "auto", applied after that. ignore: regular expressions of
    keys that the model may leave out. dequantize: take the float weights of a quantized checkpoint, before the rest.
    """

    file: str | None = None
    rules: str | None = None
    key: str | None = None
    strip_prefix: str | None = None
    ignore: tuple[str, ...] = ()
    dequantize: bool = False

    def __post_init__(self) -> None:
        for pattern in self.ignore:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ModelError(f"--ignore {pattern!r} is not a regular expression: {error}") from error

    def open(self) -> Checkpoint | None:
        """The checkpoint with the model's keys, not yet read; None if no file is named.

        Raises CheckpointError for a file that cannot be read, or rules that do not fit it, ModelError for options
        beside no file.
        """
        if self.file is not None:
            return self.applied(self._file())
        needless = {
            "--rules": self.rules, "--key": self.key, "--strip-prefix": self.strip_prefix, "--ignore": self.ignore,
        }  # fmt: skip
        given = [option for option, value in needless.items() if value not in (None, ())]
        if given:
            raise ModelError(f"{given[0]} says how a checkpoint is read: give it by --weights FILE")
        return None

    def open_or(self, module: Any) -> Checkpoint:
        """The file's checkpoint, else the weights of a torch module, by the same rules. Raises as open."""
        return self.applied(open_checkpoint(module) if self.file is None else self._file())

    @property
    def of_the_original(self) -> WeightsChoice:
        """The same for the torch module whose checkpoint it is: its names need no rules."""
        return replace(self, rules=None)

    def _file(self) -> Checkpoint:
        checkpoint = open_checkpoint(self.file, self.key)
        if not self.dequantize:
            return checkpoint
        found = quantization_of(checkpoint)
        if found is None:
            raise CheckpointError(
                f"{checkpoint.name} has no quantized weights, which --dequantize and --quantization checkpoint take"
            )
        return found.dequantized()

    def applied(self, checkpoint: Checkpoint) -> Checkpoint:
        """A checkpoint by the prefix and the rules that are chosen. Raises CheckpointError if they do not fit it."""
        if self.strip_prefix is not None:
            _check_prefix(self.strip_prefix, checkpoint)
            text = f"[[rules]]\nstrip_prefix = {json.dumps(self.strip_prefix)}"
            checkpoint = parse(text, f"--strip-prefix {self.strip_prefix}").apply(checkpoint)
        return find_rules(self.rules, checkpoint).apply(checkpoint) if self.rules is not None else checkpoint

    def other(self, file: str | None) -> WeightsChoice:
        """The same of another file, if one is named."""
        return self if file is None else replace(self, file=file)

    @property
    def ignored(self) -> tuple[str, ...]:
        """What ``define(ignored=...)`` takes."""
        return (*IGNORED, *self.ignore)


def _check_prefix(prefix: str, checkpoint: Checkpoint) -> None:
    """Raises CheckpointError unless every key begins with it."""
    others = [key for key in checkpoint if not key.startswith(prefix)]
    if not others:
        return
    said = f"{checkpoint.name}: --strip-prefix {prefix}"
    if len(others) == len(checkpoint):
        raise CheckpointError(f"{said}: no key begins with it; nearest: {', '.join(nearest(prefix, others))}")
    raise CheckpointError(
        f"{said}: {others[0]} does not begin with it, as {len(others):,} of {len(checkpoint):,} keys. Give --rules"
        f" FILE.toml with a rule that drops them, or that renames those that do"
    )
