"""What `trtnet tune` found for a model on a GPU: a file that ``define(forms=...)`` takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from trtnet.graph import Input
from trtnet.support import backend, json_text
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.files import atomic_write
from trtnet.support.plain import plain

SUFFIX = ".tuning.json"
FORMAT = 1


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
        """Reads it. Raises ModelError for another file."""
        try:
            document = json_text.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ModelError(f"{os.fspath(path)} is not a file that trtnet tune wrote: {why}") from error
        names = {each.name for each in fields(cls)}
        if (
            not isinstance(document, dict)
            or document.get("tuning") != FORMAT
            or not names >= set(document) - {"tuning"}
        ):
            raise ModelError(f"{os.fspath(path)} is not what this version of trtnet tune writes: tune again")
        try:
            return cls(**{name: value for name, value in document.items() if name != "tuning"})
        except TypeError as error:
            raise ModelError(f"{os.fspath(path)} is not complete: {error}") from error

    @property
    def chosen(self) -> Mapping[str, Mapping[str, str]]:
        """What was chosen, by kind and module path. Raises ModelError for a search that did not end."""
        if self.forms is None:
            raise ModelError(
                f"forms: the search for {self.model} did not finish: continue it with trtnet tune --resume"
            )
        return self.forms

    def check(self, inputs: Mapping[str, Input], dtypes: Mapping[str, DType]) -> None:
        """Raises ModelError if it is of another backend, or of a model with other inputs or dtypes.

        A size that is dynamic now and was not then fits: which sizes there will be is not known yet.
        """
        self._compare("the backend", self.backend, backend.name())
        was = self.dtype if isinstance(self.dtype, str) else dict(self.dtype)
        now = {path: one.name for path, one in dtypes.items()}
        self._compare("the dtype", was, now[""] if len(now) == 1 else now)
        self._compare("the inputs", ", ".join(self.inputs), ", ".join(inputs))
        for name, spec in inputs.items():
            then = [self._size(size) for size in self.inputs[name]["shape"]]
            dynamic = [size if isinstance(size, int) else None for size in spec.shape]
            fits = len(then) == len(dynamic) and all(n in (None, m) for n, m in zip(dynamic, then, strict=True))
            if not fits:
                self._compare(f"the shape of {name}", then, list(spec.shape))

    def _size(self, size: int | str) -> int:
        """A size at which forms were timed."""
        given = size if isinstance(size, int) else self.dims[size]
        return given if isinstance(given, int) else int(given[1])

    def _compare(self, what: str, then: Any, now: Any) -> None:
        if then != now:
            raise ModelError(f"forms: {what} was {then} when {self.model} was tuned and is {now} now: tune it again")
