"""What commands call by name: an engine on a GPU, or the CPU reference of a model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trtnet.builder.plan import read_sidecar, sidecar_path
from trtnet.checkpoint.formats.shipped import located
from trtnet.runtime import load
from trtnet.tools.targets.models import is_model
from trtnet.tools.targets.networks import Choices, check_options, define_network


@dataclass(frozen=True)
class Function:
    """target: an engine's file, or a model. choices: of a model."""

    target: str
    choices: Choices = field(default_factory=Choices)

    def __post_init__(self) -> None:
        check_options(self.choices, self.target, sizes=False)

    @property
    def is_engine(self) -> bool:
        """Whether it runs on a GPU."""
        return not is_model(self.target)

    def open(self, device: int = 0) -> Any:
        """The engine on a GPU, or the reference. Raises what loading, or defining, raises."""
        if self.is_engine:
            return load(self.target, device=device)
        network = define_network(self.target, self.choices)
        reference = network.reference()
        reference.outputs = network.describe().outputs  # with the names of dimensions, as an engine has them
        return reference

    @property
    def identity(self) -> dict[str, Any]:
        """What its results depend on, as JSON: an engine's checksum; a model's options and its checkpoint's size.

        Raises PlanError for an engine without a sidecar, CheckpointError for a checkpoint that is not there.
        """
        if self.is_engine:
            return {"engine": read_sidecar(sidecar_path(self.target)).plan_digest}
        weights = self.choices.checkpoint.file
        options = {name: value for name, value in asdict(self.choices).items() if value}
        state = None if weights is None or not (path := Path(located(weights))).is_file() else path.stat()
        checkpoint = None if state is None else [state.st_size, state.st_mtime_ns]
        return json.loads(json.dumps({"model": self.target, **options, "checkpoint": checkpoint}, default=str))
