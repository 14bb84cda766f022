"""Networks that carry a state, what runs their streams, and what each stream must give by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from helpers.runtime.fakes import Opener

import trtnet
from trtnet import nn, ops
from trtnet.runtime import Engine

STREAMS = trtnet.Input(("streams", 3))


class Original(torch.nn.Module):
    """x [streams, 3], h [streams, 4] -> y [streams, 2], and the next h."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.head = torch.nn.GRUCell(3, 4), torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.cell(x, h)
        return self.head(h), h


class Cell(nn.Module):
    """The same in trtnet, with a second state: the number of steps [1, streams], int32."""

    inputs = {
        "x": STREAMS,
        "h": trtnet.State(("streams", 4), "float32"),
        "steps": trtnet.State((1, "streams"), "int32", axis=1),
    }

    def __init__(self) -> None:
        self.cell, self.head = nn.GRUCell(3, 4), nn.Linear(4, 2)

    def forward(self, x: Any, h: Any, steps: Any) -> Any:
        h, steps = self.cell(x, h), steps + 1
        return {"y": self.head(h), "h": h, "count": steps.squeeze(0), "steps_next": steps}


class Cached(nn.Module):
    """x [streams, 3], written at `place` into a cache in place; y is the sum of what the cache holds."""

    inputs = {
        "x": STREAMS,
        "place": trtnet.Input(("streams",), "int32"),
        "cache": trtnet.State(("streams", 1, 8, 3), "float32", output="new_cache"),
    }

    def forward(self, x: Any, place: Any, cache: Any) -> Any:
        new = ops.kv_cache_update(cache, x.reshape(x.shape[0], 1, 1, 3), place)
        return {"y": new.sum((1, 2)), "new_cache": new}


ORIGINAL = Original().eval()


@cache
def network(dtype: str = "float32") -> Any:
    return trtnet.define(Cell(), weights=ORIGINAL, dtype=dtype)


@cache
def _plan(made: Any) -> Any:
    return made.build({"streams": (1, 8, 64)}).plan


def engine_of(made: Any, aliases: dict[str, str] | None = None) -> tuple[Engine, Opener]:
    """An engine on a fake GPU. aliases: outputs that it writes in an input's place."""
    opener = Opener(made.reference())
    engine = Engine(_plan(made), opener)
    engine.open()
    opener.engine.aliases = aliases or {}
    return engine, opener


def streams_of(kind: str, count: int, dtype: str = "float32") -> trtnet.Streams:
    made = network(dtype)
    return trtnet.Streams(made.reference() if kind == "reference" else engine_of(made)[0], count)


def chunks(stream: int, length: int) -> np.ndarray:
    return np.random.default_rng([stream, 7]).standard_normal((length, 3)).astype(np.float32)


def alone(sequence: Sequence[Any]) -> np.ndarray:
    """What torch gives for a sequence by itself, from its beginning."""
    h, found = torch.zeros(1, 4), []
    with torch.inference_mode():
        for chunk in sequence:
            y, h = ORIGINAL(torch.from_numpy(np.asarray(chunk))[None], h)
            found.append(y[0].numpy())
    return np.stack(found)
