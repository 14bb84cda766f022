"""What commands call by name: an engine on a GPU, or the CPU reference of a model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trtnet.builder.plan import read_sidecar, sidecar_path
from trtnet.checkpoint.formats.shipped import located
from trtnet.runtime import load
from trtnet.support.files import FileState, digest
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
        """What its results depend on beside files, as JSON: a model's name and options; nothing of an engine."""
        if self.is_engine:
            return {}
        options = {name: value for name, value in asdict(self.choices).items() if value}
        return json.loads(json.dumps({"model": self.target, **options}, default=str))

    @property
    def files(self) -> dict[str, FileState]:
        """The files that its results depend on, by what they are: an engine's plan; what is named of a model.

        Modules that a model file imports are not among them. Raises PlanError for an engine without a sidecar,
        CheckpointError for a checkpoint that does not come with trtnet, FileError for a file that cannot be read.
        """
        if self.is_engine:
            return {"engine": FileState(self.target, read_sidecar(sidecar_path(self.target)).plan_digest)}
        choices, weights = self.choices, self.choices.checkpoint
        forms = choices.forms.forms
        named = {
            "model file": self.target.rpartition(":")[0] if ".py:" in self.target else None,
            "rules": weights.rules if str(weights.rules).endswith(".toml") else None,
            "config": choices.config,
            "forms": forms if isinstance(forms, str) else None,
            "dtypes": choices.dtype if choices.dtype.endswith(".json") else None,
            "quantization": choices.quantization if choices.quantization != "checkpoint" else None,
        }
        found = {name: FileState(path, digest(path)) for name, path in named.items() if path is not None}
        if weights.file is not None and (path := Path(located(weights.file))).is_file():
            found["weights"] = FileState(weights.file, f"{path.stat().st_size} {path.stat().st_mtime_ns}")
        return found
