"""What a search for precision found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.support.text.counted import counted
from trtnet.support.text.printing import as_text


@dataclass(frozen=True)
class Trial:
    """One candidate: the mapping that define(dtype=...) takes, its wide modules, and how near it came.

    error: the largest relative L2 of an output. why: why it did not pass, "" if it did.
    """

    mapping: dict[str, str]
    modules: tuple[str, ...]
    error: float
    passed: bool
    why: str


@dataclass(frozen=True)
class PrecisionResult:
    """The smallest passing candidate of a search, and all others. total: how many modules there are.

    notes: what is to be known of it.
    """

    best: Trial
    total: int
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()

    @property
    def mapping(self) -> dict[str, str]:
        """What ``define(dtype=...)`` takes."""
        return self.best.mapping

    @property
    def share(self) -> float:
        """The wide modules over all modules."""
        return len(self.best.modules) / self.total

    def to_json(self) -> dict[str, Any]:
        """Everything, for ``json.dumps``: an error that is not finite is the text inf."""
        return {
            "mapping": self.mapping,
            "modules": list(self.best.modules),
            "total": self.total,
            "error": _plain(self.best.error),
            "notes": list(self.notes),
            "trials": [asdict(trial) | {"error": _plain(trial.error)} for trial in self.trials],
        }

    def __str__(self) -> str:
        return as_text(self)

    def __rich__(self) -> RenderableType:
        found = f"{len(self.best.modules)} of {self.total} modules ({self.share:.1%}), error {self.best.error:.1e}"
        table = Table("module", "dtype", title=f"{found}, {counted(len(self.trials), 'candidate')} tried")
        for path, dtype in self.mapping.items():
            table.add_row(Text(path or "(the model)"), dtype)
        return Group(table, Text(f"define(dtype={self.mapping!r})"), *map(Text, self.notes))


def _plain(error: float) -> float | str:
    return error if isfinite(error) else str(error)
