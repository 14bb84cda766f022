"""Communicators of NCCL, by which the ranks of a tensor-parallel engine exchange tensors."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support.errors import DependencyError, DeviceError, InputError
from trtnet.support.files import atomic_write
from trtnet.support.text.counted import counted

ID_BYTES = 128
_CAPSULE = b"ncclComm_t"  # PyCapsules keep the address of their name
_POLL = 0.01


class UniqueId(ctypes.Structure):
    """``ncclUniqueId``, which rank 0 makes and all ranks need."""

    _fields_ = (("internal", ctypes.c_char * ID_BYTES),)


class Communicator:
    """This process as one of several ranks, for ``EngineOptions(communicator=...)``: an ``ncclComm_t`` of NCCL's.

    All ranks make theirs at the same time; each waits for the others. meeting: a file that all ranks see and that is
    not there yet: rank 0 writes NCCL's id to it, and removes it once all are there. device: the number of the rank's
    GPU, by default the rank. timeout: seconds to wait for rank 0's file.
    Raises InputError for a rank that is none, DependencyError without NCCL, DeviceError in NCCL's words if it fails.
    """

    def __init__(
        self,
        rank: int,
        ranks: int,
        meeting: str | os.PathLike[str],
        device: int | None = None,
        timeout: float = 60.0,
        library: Callable[[], Any] | None = None,
        activate: Callable[[int], object] = CudaDevice,
    ) -> None:
        if not 0 <= rank < ranks:
            raise InputError(f"a communicator's rank is 0 to ranks - 1; found rank {rank} of {ranks}")
        self.rank, self.ranks, self.device = rank, ranks, rank if device is None else device
        self._nccl = (library or nccl)()
        self._address = ctypes.c_void_p()
        activate(self.device)
        path = Path(meeting)
        own = self._make_id(path) if rank == 0 else _read_id(path, timeout)
        try:
            self._check(self._nccl.ncclCommInitRank(ctypes.byref(self._address), ranks, own, rank))
        finally:
            if rank == 0:
                path.unlink(missing_ok=True)

    def __enter__(self) -> Communicator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def capsule(self) -> object:
        """The ``ncclComm_t`` as TensorRT takes it."""
        return capsule(self._address.value)

    def close(self) -> None:
        """Gives it back to NCCL; engines that use it are closed before."""
        if self._address.value:
            self._check(self._nccl.ncclCommDestroy(self._address))
            self._address = ctypes.c_void_p()

    def _make_id(self, path: Path) -> UniqueId:
        if path.exists():
            raise InputError(f"{path} is there already: it may be another start's; give a new path each time")
        own = UniqueId()
        self._check(self._nccl.ncclGetUniqueId(ctypes.byref(own)))
        with atomic_write(path) as file:
            file.write(bytes(own))
        return own

    def _check(self, status: int) -> None:
        if status:
            words = self._nccl.ncclGetErrorString(status)
            raise DeviceError(f"NCCL made no communicator for rank {self.rank} of {self.ranks}: {words.decode()}")


def capsule(address: int | None) -> object:
    """An address of an ``ncclComm_t`` as TensorRT takes it."""
    if not address:
        raise InputError("the communicator was closed, or its address is 0")
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    made: object = make(address, _CAPSULE, None)
    return made


def _read_id(path: Path, timeout: float) -> UniqueId:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if path.exists():
            content = path.read_bytes()
            if len(content) != ID_BYTES:
                raise InputError(f"{path} is no id of NCCL's: {counted(len(content), 'byte')}, expected {ID_BYTES}")
            return UniqueId.from_buffer_copy(content)
        time.sleep(_POLL)
    raise DeviceError(f"rank 0 wrote no {path} within {timeout:g} seconds")


@lru_cache(maxsize=1)
def nccl() -> Any:
    """NCCL's library: of the package nvidia-nccl-*, which torch brings, or the system's. Raises DependencyError."""
    spec = importlib.util.find_spec("nvidia")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [str(path) for place in places for path in Path(place).glob("*/lib/libnccl.so.2")]
    try:
        # for TensorRT too, which looks for it by its name
        library = ctypes.CDLL((*files, "libnccl.so.2")[0], mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise DependencyError(f"NCCL is not installed (pip install nvidia-nccl-cu13): {error}") from error
    library.ncclGetErrorString.restype = ctypes.c_char_p
    library.ncclCommInitRank.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, UniqueId, ctypes.c_int)
    library.ncclCommDestroy.argtypes = (ctypes.c_void_p,)
    return library
