"""The model that is tuned, as each process makes it for itself."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from trtnet.checkpoint import IGNORED, Source
from trtnet.definition import DefinedNetwork, DTypes, define
from trtnet.definition.models import Model
from trtnet.graph import Input
from trtnet.graph.forms import FormChoices
from trtnet.nn import Module
from trtnet.ops.formulations.tuning import SUFFIX
from trtnet.support.errors import ModelError
from trtnet.tools.bench.feeds import RandomWeights
from trtnet.tools.targets import arguments, models
from trtnet.tools.targets.networks import Choices, defined

SEED = 0
"""Of a PyTorch module's random weights, which must be the same in all processes."""


class Subject(Protocol):
    """What defines the network anew, with other forms or another dtype. It can be sent to other processes."""

    def define(self, forms: FormChoices, dtype: DTypes | None = None) -> DefinedNetwork: ...


@dataclass(frozen=True)
class Given:
    """A model that a program has: what ``define`` is called with."""

    model: Model
    inputs: Mapping[str, Input]
    weights: Source | None
    dtype: DTypes
    ignored: Sequence[str] = IGNORED

    def define(self, forms: FormChoices, dtype: DTypes | None = None) -> DefinedNetwork:
        """The network. Raises as ``trtnet.define``."""
        return define(
            self.model, self.inputs, self.weights, dtype=dtype or self.dtype, ignored=self.ignored, forms=forms
        )


class Named:
    """A model that a command names. Without weights it has random ones, the same in all processes."""

    def __init__(self, target: str, choices: Choices) -> None:
        self.target, self.choices = target, choices
        self._model: Module | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Named, (self.target, self.choices)

    def define(self, forms: FormChoices, dtype: DTypes | None = None) -> DefinedNetwork:
        """The network. Raises as making and defining the model do."""
        if self._model is None:
            self._model = self._made()
        weights = self.choices.open_weights(self._model, RandomWeights)
        choices = self.choices if dtype is None else replace(self.choices, dtype=str(dtype))
        return defined(self.target, self._model, choices, weights, forms)

    def _made(self) -> Module:
        if models.may_be_of_torch(self.target) and importlib.util.find_spec("torch"):
            import torch

            torch.manual_seed(SEED)
        return models.made(self.target, self.choices.values)

    @property
    def dims(self) -> dict[str, Any]:
        """The sizes and ranges of its dimensions."""
        return dict(arguments.dims(self.choices.dims))


def write(subject: Subject, file: Path) -> None:
    """For :func:`read` in another process. Raises ModelError for a model that cannot be sent there."""
    try:
        file.write_bytes(pickle.dumps(subject))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ModelError(
            f"the model cannot be sent to the processes that build it: {error}\n"
            f"  tune it by name, `trtnet tune path/to/file.py:factory`, or define its classes and functions at the top"
            f" level of a module"
        ) from error


def read(file: Path) -> Subject:
    """What :func:`write` wrote, in this search: a file of another's is not to be read, as it may run code."""
    subject: Subject = pickle.loads(file.read_bytes())
    return subject


def file_of(target: str) -> Path:
    """Where the result goes if nobody says: ``resnet50.tuning.json`` here, for ``torchvision:resnet50`` too."""
    return Path(f"{target.rpartition(':')[2] or target}{SUFFIX}")
