"""The folder of a quantized model, which appears whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from trtnet.support.errors import CheckpointError, FileError, InputError
from trtnet.tools.quantize.choosing import Choice, modules_of
from trtnet.tools.quantize.quantize import Calibrated, Part, calibrated, written
from trtnet.tools.quantize.result import QuantizedCheckpoint
from trtnet.tools.quantize.writing import CONFIG, Form

WEIGHTS = "model.safetensors"
_BESIDE = (".json", ".jinja", ".txt", ".model")
_LARGEST = 1 << 26


@dataclass(frozen=True)
class How:
    """What is asked of the quantization of all networks of a model, as `trtnet.quantize` takes it."""

    choice: Choice
    skip: Sequence[str]
    tolerance: float | None
    correct: bool
    tell: Callable[[str], None]

    def of(self, parts: Sequence[Part], always: Sequence[str] = ()) -> list[Calibrated]:
        """Each network calibrated. always: patterns that skip modules in any case.

        Raises ModelError for a pattern that skips no module of any network, and as calibrated.
        """
        there = [modules_of(part.network, self.choice) for part in parts]
        unknown = [each for each in self.skip if not any(_fits(each, modules) for modules in there)]
        found = []
        for part, modules in zip(parts, there, strict=True):
            skip = [*unknown, *(each for each in (*self.skip, *always) if _fits(each, modules))]
            found.append(calibrated(part, self.choice, skip, self.tolerance, True, self.correct, self.tell))
        return found


def _fits(pattern: str, modules: Sequence[str]) -> bool:
    return any(fnmatchcase(module, pattern) for module in modules)


def check_new(out: Path) -> None:
    """Raises CheckpointError for a folder that has files, or that cannot be made."""
    if out.suffix == ".safetensors":
        raise CheckpointError(f"{out}: of a published model a folder is written, with all of its files: name it so")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CheckpointError(f"{out} is there already: name a new folder")
    if not out.absolute().parent.is_dir():
        raise CheckpointError(f"{out}: there is no folder {out.absolute().parent}: make it first")


def files_of(data: Any, suffix: str, what: str) -> list[Path]:
    """The files of this suffix that data names: one, several, or those of a folder. Raises InputError for none."""
    paths = [Path(each) for each in (data if isinstance(data, (list, tuple)) else [data])]
    found = [file for path in paths for file in (sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path])]
    wrong = [file for file in found if file.suffix.lower() != suffix or not file.is_file()]
    if wrong or not found:
        raise InputError(f"{wrong[0] if wrong else paths[0]}: data is {what}, a {suffix} file or a folder of them")
    return found


def write_folder(
    out: Path, parts: Sequence[Calibrated], form: Form, beside: Mapping[str, Path | str]
) -> QuantizedCheckpoint:
    """Writes the weights, config.json, and what is beside them: text, or files that are copied, by name."""
    with _new_folder(out) as folder:
        found = written(folder / WEIGHTS, parts, form)
        for name, content in beside.items():
            if isinstance(content, Path):
                shutil.copyfile(content, folder / name)
            else:
                (folder / name).write_text(content)
    return replace(found, path=out)


def files_beside(folder: Path) -> dict[str, Path | str]:
    """The files of a folder that are copied: tokenizers, templates, settings; no weights and no lists of them."""
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.suffix in _BESIDE and path.is_file() and path.stat().st_size <= _LARGEST
        and path.name != CONFIG and not path.name.endswith(".index.json")
    }  # fmt: skip


def as_json(document: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that takes the name `out` when the block ends without an exception. Raises FileError as it cannot."""
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    except OSError as error:
        raise FileError(f"{out} cannot be made: {error.strerror or error}") from error
    try:
        yield made
        made.chmod(0o755)
        made.rename(out)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
