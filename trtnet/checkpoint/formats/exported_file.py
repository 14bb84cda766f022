"""Reading the weights of an archive of torch.export (.pt2), without torch and without its program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtnet.checkpoint.formats.pickled.storages import LARGEST_PICKLE, ZipStorages
from trtnet.checkpoint.formats.pickled.tensors import Storage, Stored, Unreadable
from trtnet.checkpoint.formats.pickled_file import PickledCheckpoint
from trtnet.support import dtypes, json_text
from trtnet.support.errors import CheckpointError

_FOLDER = "data/weights/"
_CONFIG = "_weights_config.json"
# torch._export.serde.schema.ScalarType
_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: "bfloat16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
}
_OTHERS = {9: "complex32", 10: "complex64", 11: "complex128", 28: "uint16"}


def open_exported(path: Path) -> PickledCheckpoint:
    """Opens the parameters and buffers of an archive that torch.export.save wrote, by their names.

    Raises CheckpointError if it is damaged, or has its weights in an older form.
    """
    try:
        storages = ZipStorages(path)
        configs = [name for name in storages.names() if name.startswith(_FOLDER) and name.endswith(_CONFIG)]
        entries = json_text.loads(storages.content(configs[0], LARGEST_PICKLE))["config"] if len(configs) == 1 else {}
        tensors = {key: _tensor(entry) for key, entry in entries.items()}
    # a damaged archive raises almost anything
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable archive of torch.export: {error}") from error
    if len(configs) != 1:
        storages.close()
        raise CheckpointError(
            f"{path} is an archive of torch.export whose weights are not in one table. Save them with torch:"
            f" torch.save(torch.export.load({path.name!r}).state_dict, 'weights.pth')"
        )
    return PickledCheckpoint(str(path), tensors, storages)


def _tensor(entry: dict[str, Any]) -> Stored | Unreadable:
    meta = entry["tensor_meta"]
    shape, stride = (tuple(_size(one) for one in meta[name]) for name in ("sizes", "strides"))
    name = _DTYPES.get(meta["dtype"])
    if name is None or entry.get("use_pickle"):
        return Unreadable(name or _OTHERS.get(meta["dtype"], f"torch's type number {meta['dtype']}"), shape)
    dtype, offset = dtypes.get(name), _size(meta["storage_offset"])
    span = sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) + 1 if 0 not in shape else 0
    storage = Storage("bytes", f"{_FOLDER}{entry['path_name']}", (offset + span) * dtype.numpy.itemsize)
    return Stored(storage, dtype, offset, shape, stride)


def _size(value: dict[str, Any]) -> int:
    size = value["as_int"]
    if not isinstance(size, int) or not 0 <= size < 1 << 40:
        raise ValueError(f"a size is {size!r}")
    return size
