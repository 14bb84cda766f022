"""Files as training scripts write them, with objects of libraries that are not here: what they hold, and what is to be
read of them."""

from __future__ import annotations

import argparse
import collections
import datetime
import enum
import functools
import io
import os
import pathlib
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

MODULES = ("ultralytics_tasks", "omegaconf_like", "somebody_config")


class Conv(torch.nn.Module):
    """As ultralytics' Conv: a submodule, a buffer that is not persistent, and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.bn = torch.nn.BatchNorm2d(4)
        self.act = torch.nn.SiLU()
        self.register_buffer("anchors", torch.arange(4.0), persistent=False)
        self.register_buffer("stride", torch.tensor([8.0, 16.0]))
        self.register_parameter("none", None)


class DetectionModel(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.Sequential(Conv(), Conv())
        self.shared = self.model[0]
        self.yaml = {"nc": 80, "path": pathlib.PurePosixPath("/data")}
        self.args = argparse.Namespace(imgsz=640)
        self.names = {0: "person"}


class Attention(torch.nn.Module):
    """Attributes that torch's own layers have."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(8, 2)
        self.lstm = torch.nn.LSTM(3, 4)
        self.norm = torch.nn.BatchNorm1d(3)


class DictConfig:
    """As omegaconf's: its content is in its state, under names with underscores, with a parent that is a cycle."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content, self._parent = content, self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise AssertionError("executed")


class Kind(enum.Enum):
    A = 1


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, [Kind.A]


class Config(dict[str, Any]):
    """A dict of its own class."""


Pair = collections.namedtuple("Pair", "left right")


def state_dict(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    wide = torch.randn(6, 4, generator=generator)
    return {
        "fc.weight": wide[:, 1:3],
        "fc.bias": torch.randn(6, generator=generator).half(),
        "bf": torch.randn(3, generator=generator).bfloat16(),
        "count": torch.tensor(3),
        "turned": wide.t(),
        "expanded": torch.ones(1).expand(5),
        "empty": torch.zeros(0, 2),
    }


def trainer_objects() -> dict[str, Any]:
    """What stands beside the weights."""
    return {
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("x"), when=datetime.date(2024, 1, 1)),
        "best": np.float64(0.5),
        "loss": np.float32(2),
        "history": np.arange(4),
        "hyper_parameters": DictConfig({"a": {"b": [1, (2, 3)]}}),
        "slotted": Slotted(),
        "pair": Pair(1, Kind.A),
        "counts": collections.defaultdict(list, {"a": [1]}),
        "counter": collections.Counter("aab"),
        "partial": functools.partial(torch.relu, inplace=False),
        "tags": {"x", "y"},
        "frozen": frozenset({1}),
        "complex": 1 + 2j,
        "rng": {"torch": torch.get_rng_state()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2, 2)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]},
        "epoch": 3,
    }


@contextmanager
def away_from_home() -> Iterator[None]:
    """The classes above are of modules that exist while they are pickled, and not when they are read."""
    homes = {
        MODULES[0]: (Conv, DetectionModel, Attention),
        MODULES[1]: (DictConfig, Kind),
        MODULES[2]: (Slotted, Config, Pair),
    }
    before = {kind: kind.__module__ for kinds in homes.values() for kind in kinds}
    for name, kinds in homes.items():
        sys.modules[name] = types.ModuleType(name)
        for kind in kinds:
            kind.__module__ = name
            setattr(sys.modules[name], kind.__name__, kind)
    try:
        yield
    finally:
        for name in homes:
            del sys.modules[name]
        for kind, module in before.items():
            kind.__module__ = module


def _torch(value: object, **options: Any) -> bytes:
    file = io.BytesIO()
    with away_from_home():
        torch.save(value, file, **options)
    return file.getvalue()


def _old(value: object) -> bytes:
    return _torch(value, _use_new_zipfile_serialization=False)


def _whole(module: torch.nn.Module) -> tuple[torch.nn.Module, dict[str, Any]]:
    return module.eval(), dict(module.state_dict())


def corpus() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """name -> (the file, the tensors that are to be read of it)."""
    torch.manual_seed(0)
    state = state_dict()
    yolo, yolo_state = _whole(DetectionModel().half())
    layers, layers_state = _whole(Attention())
    training = {"model": state, **trainer_objects()}
    lightning = {"state_dict": state, "pytorch-lightning_version": "2.0", "loops": {"n": 1}, **trainer_objects()}
    arrays = {key: value.numpy() for key, value in state.items() if value.dtype != torch.bfloat16}
    swapped = {"big": np.arange(3, dtype=">f4"), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    narrow = {"f.w": torch.ones(2, 2).to(torch.float8_e4m3fn)}
    odd = {
        "q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "c": torch.ones(1, dtype=torch.complex64),
    }
    found = {
        "a whole module in a training file": (_torch({"model": yolo, "ema": None, **trainer_objects()}), yolo_state),
        "a whole module": (_torch(yolo), yolo_state),
        "a whole module of torch's layers": (_torch(layers), layers_state),
        "a whole module of an old file": (_old(layers), layers_state),
        "an old training file": (_old(training), state),
        "a training file": (_torch(training), state),
        "a training file of protocol 5": (_torch(training, pickle_protocol=5), state),
        "a Lightning checkpoint": (_torch(lightning), state),
        "a dict of its own class": (_torch(Config(state)), state),
        "a list": (_torch([Slotted(), collections.OrderedDict(state)]), state),
        "float8 tensors": (_torch({"n": np.float64(1), "m": narrow}), narrow),
        "unreadable tensors beside": (_torch({"a": Slotted(), "m": {**state, **odd}}), state),
    }  # fmt: skip
    for protocol in range(2, 6):
        found[f"numpy arrays of protocol {protocol}"] = (pickle.dumps(arrays | swapped, protocol), arrays | swapped)
    return found


class Trap:
    """Does something when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def traps(place: str) -> dict[str, bytes]:
    """Pickles that would do something if they were executed. place: the file that they would make."""
    state = {"a.weight": np.ones((2, 2), np.float32)}
    beside: dict[str, object] = {
        "os.system": Trap(os.system, f"touch {place}"),
        "eval": Trap(eval, f"open({place!r}, 'w')"),
        "exec": Trap(exec, "import antigravity"),
        "open": Trap(open, place, "w"),
        "an import": Trap(__import__, "antigravity"),
        "a huge bytes": Trap(bytes, 1 << 62),
        "a huge list": Trap(range, 1 << 62),
        "getattr": Trap(getattr, torch.Tensor, "numpy"),
    }
    files = {name: pickle.dumps({**state, "model": state, "evil": trap}) for name, trap in beside.items()}
    raw = {
        "an attribute of a function": b"\x80\x02ctorch._utils\n_rebuild_parameter\n}X\x08\0\0\0__code__Nsb.",
        "a module by name": b"\x80\x02cantigravity\nfly\n.",
        "an instance": b"(" + text(f"touch {place}") + b"ios\nsystem\n.",
        "an object": b"(cos\nsystem\n" + text(f"touch {place}") + b"o.",
        "a dotted name": b"\x80\x04" + text("os") + text("path.os.system") + b"\x93" + text(place) + b"\x85R.",
        "a recursive list": b"\x80\x02]q\0h\0ah\0a.",
        "lists of lists": b"\x80\x02]q\0" + b"(h\0h\0lq\0" * 60 + b".",
        "a tuple in tuples as a key": b"\x80\x02}K\x01" + b"\x85" * 200_000 + b"Ns.",
        "a tuple in tuples in a set": b"\x80\x04\x8f(K\x01" + b"\x85" * 200_000 + b"\x90.",
        "lists in lists": b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".",
        "dicts in dicts": b"\x80\x02" + (b"}" + text("model")) * 20_000 + b"N" + b"s" * 20_000 + b".",
        "a high memo": b"\x80\x02}r\xff\xff\xff\x7f.",
        "an underflow": b"\x80\x02R.",
        "no mark": b"\x80\x02u.",
        "an unknown opcode": b"\x80\x02\xff.",
        "an extension": b"\x80\x02\x82\x01.",
        "a buffer from outside": b"\x80\x05\x97.",
        "an unknown protocol": b"\x80\x09}.",
        "a long of text": b"L" + b"9" * 100_000 + b"L\n.",
        "a promise of bytes": b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"x.",
        "no end": b"\x80\x02}",
        "a string that is open": b"S'abc\n.",
    }
    return files | {name: content if content[:1] == b"\x80" else b"\x80\x02" + content for name, content in raw.items()}
