"""What `trtnet tune` found for a model on a GPU: a file that ``define(forms=...)`` takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from trtnet.graph import Input
from trtnet.support import backend, json_text
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.files import atomic_write
from trtnet.support.json_text import Each
from trtnet.support.plain import plain
from trtnet.support.version import release

SUFFIX = ".tuning.json"
FORMAT = 1
RANGE = 3
"""Minimum, optimum and maximum."""
MINOR = "1", "6"
"""The parts of a version that results are merged by."""

NUMBER = float, "inf", "nan"
VARIANT = {"forms": Each(str), "milliseconds": [float], "error": NUMBER, "failed": str}
OPERATION = {"dtype": str, "facts": Each(int)}
LIKE = {
    **dict.fromkeys(("model", "gpu", "compute_capability", "driver", "backend", "backend_version"), str),
    **dict.fromkeys(("trtnet_version", "date", "ordered_by", "unfinished"), str),
    "inputs": Each({"shape": [(int, str)], "dtype": str}),
    "dims": Each((int, [int])),
    "dtype": (str, Each(str)),
    "groups": [{"kind": str, "operations": [OPERATION], "chosen": str}],
    "contests": [{"where": str, "variants": [VARIANT]}],
    **dict.fromkeys(("milliseconds", "errors"), (type(None), {"neutral": NUMBER, "tuned": NUMBER})),
    "forms": (type(None), Each(Each(str))),
}
"""What a file has."""


@dataclass(frozen=True)
class Tuning:
    """The forms of a model's operations that were the fastest on a GPU, and how that was found out.

    gpu, compute_capability, driver (the newest CUDA it runs), backend, backend_version, trtnet_version, date: with what
    and when. inputs: shapes and dtypes by name, as they were declared, sizes that were given put in. dims: of the
    dynamic dimensions. dtype: the model's, or its modules' by path. groups: the operations that had one choice
    together: kind, paths of the modules, dtypes and numbers of the operations, milliseconds in the neutral network,
    forms, chosen form. ordered_by: what the milliseconds are: of TensorRT's "profile", or, where it reports no layers,
    an estimate by the "work", in no unit. contests: what was measured: variants by groups, milliseconds, errors.
    milliseconds, errors: of the neutral and the tuned network in turns. unfinished: what time was too short for. forms:
    what was chosen, by kind and module path; None until the search is done.
    Raises ModelError when ``define`` takes it for another backend, or a model with other modules, inputs or dtypes.
    """

    model: str
    gpu: str
    compute_capability: str
    driver: str
    backend: str
    backend_version: str
    trtnet_version: str
    date: str
    inputs: Mapping[str, Mapping[str, Any]]
    dims: Mapping[str, Any]
    dtype: str | Mapping[str, str]
    groups: tuple[Mapping[str, Any], ...] = ()
    contests: tuple[Mapping[str, Any], ...] = ()
    milliseconds: Mapping[str, float] | None = None
    errors: Mapping[str, float] | None = None
    ordered_by: str = ""
    unfinished: str = ""
    forms: Mapping[str, Mapping[str, str]] | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it, whole or not at all. Raises FileError if it cannot be written."""
        document = {"tuning": FORMAT, **asdict(self)}
        with atomic_write(path) as file:
            file.write(json.dumps(plain(document), indent=1, allow_nan=False).encode() + b"\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tuning:
        """Reads it. Raises ModelError for another file, and for one that is damaged."""
        name = os.fspath(path)
        try:
            document = json_text.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ModelError(f"{name} is not a file that trtnet tune wrote: {why}") from error
        names = {each.name for each in fields(cls)}
        if (
            not isinstance(document, dict)
            or document.get("tuning") != FORMAT
            or not names >= set(document) - {"tuning"}
        ):
            raise ModelError(f"{name} is not what this version of trtnet tune writes: tune again")
        like = {each.name: LIKE[each.name] for each in fields(cls) if each.default is MISSING or each.name in document}
        wrong = json_text.misfit(document, like).removeprefix(".") or _wrong(document)
        if wrong:
            raise ModelError(f"{name} is damaged: {wrong}; tune again")
        return cls(**{name: value for name, value in document.items() if name != "tuning"})

    @property
    def chosen(self) -> Mapping[str, Mapping[str, str]]:
        """What was chosen, by kind and module path. Raises ModelError for a search that did not end."""
        self.check_ended()
        assert self.forms is not None
        return self.forms

    def check_ended(self) -> None:
        """Raises ModelError for a search that did not end."""
        if self.forms is None:
            raise ModelError(
                f"forms: the search for {self.model} did not finish: continue it with trtnet tune --resume"
            )

    def check(self, inputs: Mapping[str, Input], dtypes: Mapping[str, DType]) -> None:
        """Raises ModelError if it is of another backend, or of a model with other inputs or dtypes.

        A size that is dynamic now and was not then fits: which sizes there will be is not known yet.
        """
        self._compare("the backend", self.backend, backend.name())
        was = self.dtype if isinstance(self.dtype, str) else dict(self.dtype)
        now = {path: one.name for path, one in dtypes.items()}
        self._compare("the dtype", was, now[""] if len(now) == 1 else now)
        self._compare("the list of inputs", ", ".join(self.inputs), ", ".join(inputs))
        for name, spec in inputs.items():
            then = [self._size(size) for size in self.inputs[name]["shape"]]
            dynamic = [size if isinstance(size, int) else None for size in spec.shape]
            fits = len(then) == len(dynamic) and all(n in (None, m) for n, m in zip(dynamic, then, strict=True))
            if not fits:
                self._compare(f"the shape of {name}", then, list(spec.shape))

    def _size(self, size: int | str) -> int:
        """The size at which forms were timed."""
        given = size if isinstance(size, int) else self.dims[size]
        return given if isinstance(given, int) else int(given[1])

    def _compare(self, what: str, then: Any, now: Any) -> None:
        if then != now:
            raise ModelError(f"forms: {what} was {then} when {self.model} was tuned and is {now} now: tune it again")


def _wrong(document: Mapping[str, Any]) -> str:
    """What is wrong with a file's values, whose types are right."""
    if len(release(document["backend_version"])) < len(MINOR):
        return f"backend_version is {document['backend_version']!r}, not such as {'.'.join(MINOR)!r}"
    sizes = [size for each in document["inputs"].values() for size in each["shape"] if isinstance(size, str)]
    ranges = {name: one for name, one in document["dims"].items() if isinstance(one, int) or len(one) == RANGE}
    return next((f"dims has no size of {size!r}" for size in sizes if size not in ranges), "")
