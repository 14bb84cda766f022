"""Files of arrays: numpy's, polygraphy's and trtexec's."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trtnet.checkpoint.formats.archive import open_archive
from trtnet.support import json_text
from trtnet.support.arrays import DAMAGED, not_numbers
from trtnet.support.errors import CheckpointError, InputError
from trtnet.support.files import atomic_write, check_arrays, check_page
from trtnet.verify.arrays import polygraphy_files as polygraphy, trtexec_files as trtexec
from trtnet.verify.arrays.feeding import Array, Arrays


def read_runs(path: Path) -> dict[str, list[Arrays]]:
    """By runner, the arrays of each iteration; "" for files that name none.

    path: an ``.npz`` (one iteration), polygraphy's JSON of inputs or outputs, a folder of them (one an iteration), or
    the outputs that trtexec exported. Raises InputError for anything else.
    """
    if path.is_dir():
        return _joined([read_runs(file) for file in sorted(path.glob("*.json"), key=_by_number)], path)
    if path.suffix == ".npz":
        return {"": [read_npz(path)]}
    document = _read_json(path)
    try:
        return {"": [trtexec.decode(document)]} if trtexec.is_export(document) else polygraphy.decode(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def split_runner(text: str) -> tuple[str, str]:
    """``o.json:onnxrt`` -> the file and whose of the results in it; "" for none. A runner may hold colons."""
    file, found, runner = text.partition(".json:")
    return (f"{file}.json", runner) if found else (text, "")


def read_iterations(path: Path, runner: str = "") -> list[Arrays]:
    """The arrays of each iteration, of one runner where the file has several. Raises InputError."""
    runs = read_runs(path)
    if not any(arrays for iterations in runs.values() for arrays in iterations):
        raise InputError(f"{path} holds no arrays")
    if not runner and len(runs) == 1:
        return next(iter(runs.values()))
    if runner not in runs:
        raise InputError(f"{path} has the results of {', '.join(runs)}; name one: {path}:{next(iter(runs))}")
    return runs[runner]


def write_inputs(path: Path, iterations: Sequence[Mapping[str, Array]]) -> None:
    """Writes polygraphy's JSON, or an ``.npz`` of one iteration, whole or not at all.

    bfloat16 and float8 become float32 in both. Raises InputError for several iterations in an ``.npz``, TrtnetError
    for another suffix, and where the file cannot be written.
    """
    check_arrays(path)
    if path.suffix == ".npz":
        _write_npz(path, iterations)
    else:
        _write_json(path, polygraphy.encode_inputs(iterations))


def write_outputs(path: Path, runs: Mapping[str, Sequence[Mapping[str, Array]]]) -> None:
    """Writes polygraphy's JSON of the outputs of each runner, or an ``.npz`` of one runner and iteration.

    As :func:`write_inputs`.
    """
    check_arrays(path)
    if path.suffix != ".npz":
        _write_json(path, polygraphy.encode_outputs(runs))
        return
    if len(runs) != 1:
        raise InputError(f"{path}: an .npz holds the outputs of one; these are of {', '.join(runs)}: write .json")
    _write_npz(path, next(iter(runs.values())))


def write_page(path: Path, text: str) -> None:
    """Writes HTML, whole or not at all. Raises as :func:`check_page`, and TrtnetError where it cannot be written."""
    check_page(path)
    write_file(path, text.encode())


def write_file(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all. Raises TrtnetError where it cannot be written."""
    with atomic_write(path) as file:
        file.write(data)


def _write_json(path: Path, document: Any) -> None:
    write_file(path, json.dumps(document, indent=1).encode() + b"\n")


def _write_npz(path: Path, iterations: Sequence[Mapping[str, Array]]) -> None:
    if len(iterations) != 1:
        raise InputError(f"{path}: an .npz holds one iteration; these are {len(iterations)}: write .json")
    arrays = {name: polygraphy.plain(array) for name, array in iterations[0].items()}
    with atomic_write(path) as file:
        _savez(file, arrays)


def _savez(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """numpy.savez for any names, among them ``file``, which is its own argument's."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_npz(path: Path) -> Arrays:
    """The arrays of an ``.npz``, by name. Raises InputError for anything else."""
    try:
        open_archive(path).close()  # numpy takes what is left of a damaged one
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (*DAMAGED, CheckpointError) as error:
        raise InputError(f"{path} is not an .npz of arrays: {not_numbers(error)}") from error


def _read_json(path: Path) -> Any:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    try:
        return json_text.loads(text, distinct=True)
    except ValueError:
        pass
    try:
        return json_text.loads(trtexec.legible(text), distinct=True)
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON, as polygraphy's inputs and outputs and trtexec's exported outputs are: {error}"
        ) from error


def _joined(files: Sequence[Mapping[str, list[Arrays]]], path: Path) -> dict[str, list[Arrays]]:
    if not files:
        raise InputError(f"{path} is a folder without .json files")
    for number, runs in enumerate(files):
        if set(runs) != set(files[0]):
            raise InputError(
                f"{path}: file {number} of it has the results of {', '.join(runs)}, the first those of"
                f" {', '.join(files[0])}: each has those of one call"
            )
    return {runner: [arrays for runs in files for arrays in runs[runner]] for runner in files[0]}


def _by_number(path: Path) -> tuple[int, str]:
    return (int(path.stem) if path.stem.isdecimal() else -1, path.stem)
