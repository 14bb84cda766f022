"""The fastest forms, as measured: the table that trtnet ships, and what it says of an operation.

``measured.json`` has the rows; `trtnet tune --merge` adds to them. Where no row holds, the form is the neutral one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from trtnet.support import json_text
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.files import atomic_write
from trtnet.support.version import release

FORMAT = 1


@dataclass(frozen=True)
class Fastest:
    """A form that was the fastest wherever it was measured.

    backend, versions, compute_capability: of what it holds for: from one version up to, and without, another. dtypes:
    those that it was measured in, none for all. least, most: the range of facts (numbers by name, which the operation
    gives) where it was. gpu, measured_with, date: where it comes from: the GPU, the version, the day.
    """

    kind: str
    form: str
    backend: str
    versions: tuple[str, str]
    compute_capability: str
    dtypes: tuple[str, ...] = ()
    least: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    gpu: str = ""
    measured_with: str = ""
    date: str = ""

    def is_for(self, kind: str, backend: str, version: str) -> bool:
        """Whether it says something of a kind with a TensorRT."""
        low, high = self.versions
        return (self.kind, self.backend) == (kind, backend) and release(low) <= release(version) < release(high)

    def holds(self, dtype: str, facts: Mapping[str, int]) -> bool:
        """Whether an operation is in the range that was measured."""
        if self.dtypes and dtype not in self.dtypes:
            return False
        enough = all(name in facts and facts[name] >= value for name, value in self.least.items())
        return enough and all(name in facts and facts[name] <= value for name, value in self.most.items())


def read_table(path: str | os.PathLike[str]) -> list[Fastest]:
    """The rows of a file. Raises ModelError for one that is not a table."""
    try:
        document = json_text.loads(Path(path).read_bytes())
        if document["table"] != FORMAT:
            raise ValueError(f"its format is {document['table']}, this trtnet reads {FORMAT}")
        return [_row(row) for row in document["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{os.fspath(path)} cannot be read as a table of forms: {error!r}") from error


def write_table(rows: Sequence[Fastest], path: str | os.PathLike[str]) -> None:
    """Writes rows, one a line. Raises FileError."""
    lines = ",\n".join(f"  {json.dumps(_document(row))}" for row in rows)
    with atomic_write(path) as file:
        file.write(f'{{\n "table": {FORMAT},\n "rows": [\n{lines}\n ]\n}}\n'.encode())


def _row(document: Mapping[str, Any]) -> Fastest:
    low, high = document["versions"]
    return Fastest(**{**document, "versions": (low, high), "dtypes": tuple(document.get("dtypes", ()))})


def _document(row: Fastest) -> dict[str, Any]:
    """A row without what is as it is by default."""
    usual: dict[str, Any] = {"dtypes": (), "least": {}, "most": {}, "gpu": "", "measured_with": "", "date": ""}
    return {name: value for name, value in asdict(row).items() if name not in usual or value != usual[name]}


MEASURED: list[Fastest] = read_table(str(files("trtnet.ops.formulations") / "measured.json"))
"""The rows. Of several that hold for a GPU, the first one counts."""


def fastest(
    kind: str,
    backend: str,
    version: str,
    targets: Callable[[], Sequence[str]],
    dtype: DType | None,
    facts: Mapping[str, int],
    rows: Sequence[Fastest] | None = None,
) -> str | None:
    """The form that was the fastest; None where nothing was measured.

    targets: gives the compute capabilities of the GPUs that the engine is for; none if they are not known. One form
    must have been the fastest on all of them; if they are not known, on all that were measured. It is not asked where
    nothing was.
    """
    name = "" if dtype is None else dtype.name
    of_kind = [row for row in (MEASURED if rows is None else rows) if row.is_for(kind, backend, version)]
    found: dict[str, str] = {}
    for row in of_kind:
        if row.holds(name, facts):
            found.setdefault(row.compute_capability, row.form)
    if not found:
        return None
    capabilities = targets()
    forms = {found.get(capability) for capability in capabilities} if capabilities else {*found.values()}
    return next(iter(forms)) if len(forms) == 1 else None
