"""Reading .npz: a zip of .npy members, each read when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, UnreadableError, plain, supported_dtype
from trtnet.checkpoint.formats.archive import open_archive
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

_SUFFIX = ".npy"


class NpzFile(Checkpoint):
    """An .npz file; opening it reads the directory only. Python objects in it are refused, never unpickled.

    numpy writes ml_dtypes elements as untyped bytes: two bytes can only be bfloat16 and are read as that; one
    byte may be any of several float8 types and is refused.
    Raises CheckpointError if the archive is damaged or holds something else than arrays.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = open_archive(path)
        # zipfile raises half a dozen types on a damaged directory.
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable .npz file: {error}. Write it again.") from error
        members = self._zip.namelist()
        others = [member for member in members if not member.endswith(_SUFFIX)]
        if others:
            self._zip.close()
            raise CheckpointError(f"{path} holds {others[0]}, which is not a .npy array: it is not an .npz file")
        super().__init__(str(path), (member.removesuffix(_SUFFIX) for member in members))

    def _spec(self, key: str) -> TensorSpec:
        with self._open(key) as file:
            return self._header(file, key)

    def _read(self, key: str) -> Array:
        spec = self._spec(key)
        with self._open(key) as file:
            try:
                array = np.lib.format.read_array(file, allow_pickle=False)
            # Damaged members fail in numpy, zipfile or zlib, each with its own types.
            except Exception as error:
                raise self._damaged(key, error) from error
        return plain(array.view(spec.dtype.numpy) if array.dtype.kind == "V" else array, spec.dtype)

    def _release(self) -> None:
        self._zip.close()

    def _open(self, key: str) -> IO[bytes]:
        try:
            return self._zip.open(key + _SUFFIX)
        except Exception as error:
            raise self._damaged(key, error) from error

    def _header(self, file: IO[bytes], key: str) -> TensorSpec:
        try:
            shape, dtype = _read_header(file)
            stored = self._zip.getinfo(key + _SUFFIX).file_size - file.tell()
        except Exception as error:
            raise self._damaged(key, error) from error
        if dtype.hasobject:
            advice = "holds Python objects; unpickling them could run any code, so they are refused. Save plain arrays."
            raise UnreadableError(self.name, key, "Python objects", shape, advice)
        bfloat16 = dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None
        spec = TensorSpec(shape, dtypes.bfloat16 if bfloat16 else supported_dtype(dtype, self.name, key, shape))
        if spec.nbytes != stored:
            raise self._damaged(key, f"{spec} takes {counted(spec.nbytes, 'byte')}, {stored:,} are stored")
        return spec

    def _damaged(self, key: str, why: object) -> CheckpointError:
        return CheckpointError(f"{self.name}: {key} is damaged: {why}. Write or download the file again.")


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """The shape and dtype in the header of a .npy file, leaving `file` at the data."""
    version = np.lib.format.read_magic(file)
    # 2.0 and 3.0 differ from each other in the encoding of field names alone, which weights do not have.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
