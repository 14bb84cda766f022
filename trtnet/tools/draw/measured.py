"""Times and errors that were measured elsewhere, for the layers and modules of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trtnet.support import json_text
from trtnet.support.errors import InputError
from trtnet.tools.draw.drawing import Drawing, Measurement, around

PROFILE = 'a profile is trtexec\'s --exportProfile, or {"name of a layer or module": milliseconds}'
COMPARISON = 'a comparison is `trtnet bisect --json`, or {"path of a module": error}'


def with_profile(drawing: Drawing, path: Path) -> Drawing:
    """The drawing with a time for each layer that a profile names.

    A name that joins those of several layers by `` + ``, as TensorRT names what it fused, is their time in equal parts.
    What is not of this drawing is said in a note. Raises InputError if nothing is, or the file is not a profile.
    """
    times = dict(_times(_document(path, PROFILE), path))
    placed = _placed(drawing, path, times)
    left = sum(times.values()) - sum(placed.layers.values()) - sum(placed.modules.values())
    return _measured(drawing, placed, _left_out(path, left) if left > 1e-6 else "")


def with_comparison(drawing: Drawing, path: Path) -> Drawing:
    """The drawing with an error for each module that a comparison names. Raises InputError as with_profile."""
    errors = dict(_errors(_document(path, COMPARISON), path))
    names = _names(drawing)
    modules = {name: error for name, error in errors.items() if name in names}
    if not modules:
        raise _nothing(path, errors, names)
    missing = len(errors) - len(modules)
    note = f"Modules of {path.name} that this network has no layers of: {missing:,}." if missing else ""
    return _measured(drawing, Measurement("error", "", adds_up=False, modules=modules), note)


def _measured(drawing: Drawing, measurement: Measurement, note: str) -> Drawing:
    return replace(drawing, measurement=measurement, notes=(*drawing.notes, *([note] if note else [])))


def _placed(drawing: Drawing, path: Path, times: Mapping[str, float]) -> Measurement:
    index = {drawn.name: number for number, drawn in enumerate(drawing.layers)}
    modules = _names(drawing)
    by_layer: dict[int, float] = {}
    by_module: dict[str, float] = {}
    for name, time in times.items():
        parts = [index[part] for part in name.split(" + ") if part in index]
        if name in index:
            parts = [index[name]]
        for part in parts:
            by_layer[part] = by_layer.get(part, 0.0) + time / len(parts)
        if not parts and name in modules:
            by_module[name] = time
    if not by_layer and not by_module:
        raise _nothing(path, times, {*index, *modules})
    return Measurement("time", "ms", adds_up=True, layers=by_layer, modules=by_module)


def _names(drawing: Drawing) -> set[str]:
    """The paths of all modules that have layers."""
    paths = {drawn.module for drawn in drawing.layers}
    return paths | {outer for path in paths for outer in around(path)} | {""}


def _nothing(path: Path, found: Iterable[str], known: Iterable[str]) -> InputError:
    first = next(iter(found), "")
    near = get_close_matches(first, [name for name in known if name], n=1)
    hint = f", the nearest here is {near[0]!r}" if near else ""
    return InputError(
        f"{path} names no layer or module of this drawing: its first name is {first!r}{hint}."
        f" The profile of an engine goes with the engine's own layers: draw its inspector's JSON (layers.json)"
    )


def _left_out(path: Path, time: float) -> str:
    return f"{time:.3g} ms of {path.name} are of layers that are not in this drawing."


def _document(path: Path, wanted: str) -> Any:
    try:
        return json_text.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; {wanted}") from error


def _times(document: Any, path: Path) -> Iterable[tuple[str, float]]:
    try:
        if isinstance(document, dict):
            yield from ((name, float(time)) for name, time in document.items())
            return
        for row in document:
            if "name" in row:
                yield row["name"], float(row["averageMs"])
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a profile: {error!r}; {PROFILE}") from error


def _errors(document: Any, path: Path) -> Iterable[tuple[str, float]]:
    """A module that was called several times has its largest error."""
    try:
        rows = document["rows"] if "rows" in document else [{"path": x, "outputs": y} for x, y in document.items()]
        known = [(str(row["path"]), float(row["outputs"])) for row in rows if row["outputs"] is not None]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is not a comparison: {error!r}; {COMPARISON}") from error
    yield from sorted(known, key=lambda pair: pair[1])
