"""The same elements in other shapes and places: views, joins, padding, flips, repeats, triangles."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, IMAGE, NS, Case, library, of_both, same

from trtnet import ops


def padded(shape: tuple[int | str, ...], *pad: int, dtypes: tuple[str, ...] = FLOATS, **options: Any) -> Case:
    label = f"pad {pad} {' '.join(map(str, options.values()))}"
    return Case(label, lambda x: ops.pad(x, pad, **options), lambda x: F.pad(x, pad, **options), (shape,), dtypes)


def grid(x: Any, y: Any, indexing: str) -> Any:
    a, b = library(x).meshgrid(x, y, indexing=indexing)
    return a * 2 + b


SHAPE_CASES = [
    same("reshape", lambda x: x.reshape(x.shape[0], -1), ("n", 3, 4)),
    same("reshape two dims", lambda x: x.reshape(x.shape[1], x.shape[0], -1), ("n", "s", 4)),
    same("reshape split heads", lambda x: x.reshape(x.shape[0], x.shape[1], 2, 3), ("n", "s", 6)),
    same("reshape product", lambda x: x.reshape(x.shape[0] * x.shape[1], 6), ("n", "s", 6)),
    same("flatten", lambda x: x.flatten(1), ("n", 3, 4)),
    same("flatten all", lambda x: x.flatten(), NS),
    same("flatten middle", lambda x: x.flatten(1, 2), ("n", 2, 3, "s")),
    same("permute", lambda x: x.permute(2, 0, 1), NS),
    same("transpose", lambda x: x.transpose(-1, 0), NS),
    same("mT", lambda x: x.mT, NS),
    same("squeeze", lambda x: x.squeeze(1), ("n", 1, "s")),
    same("unsqueeze", lambda x: x.unsqueeze(1).unsqueeze(-1), ("n", "s")),
    same("expand", lambda x: x.expand(-1, 4, -1), ("n", 1, "s")),
    same("expand new axis", lambda x: x.expand(2, -1, -1), ("n", "s")),
    Case("cat", lambda x, y: ops.cat([x, y], 1), lambda x, y: torch.cat([x, y], 1), (("n", 2, "s"), ("n", 3, "s"))),
    Case("cat dynamic", lambda x: ops.cat([x, x], 0), lambda x: torch.cat([x, x], 0), (NS,)),
    Case("stack", lambda x, y: ops.stack([x, y], 1), lambda x, y: torch.stack([x, y], 1), (NS, NS)),
    same("chunk", lambda x: x.chunk(3, 1)[1] + x.chunk(3, 1)[2], ("n", 6, "s")),
    same("split", lambda x: x.split([1, 3], 1)[1], ("n", 4, "s")),
    same("reshape by name", lambda x: x.reshape(shape=(-1, 3)).view(size=(-1, 1, 3)), NS),
    same("expand by name", lambda x: x.permute(dims=(1, 0, 2)).unsqueeze(0).expand(size=(2, -1, -1, -1)), NS),
    same("repeat by name", lambda x: x.repeat(repeats=(1, 2, 1)) + x.tile(dims=(1, 2, 1)), NS),
    same("cat of nothing", lambda x: library(x).cat([x.new_zeros(0), x], 1), NS),
    same("ravel", lambda x: x.ravel() + library(x).ravel(x), NS),
    same("adjoint", lambda x: x.mH + x.adjoint() + x.real.mT, NS),
    same("tensor_split by name", lambda x: x.tensor_split(sections=2, dim=1)[1], NS),
    same("unbind", lambda x: x.unbind(1)[2] - x.unbind(1)[0], NS),
    same("unflatten", lambda x: x.unflatten(1, (2, -1)), ("n", 6, "s")),
    same("unflatten last", lambda x: x.unflatten(-1, (3, 2)), ("n", "s", 6)),
    same("select", lambda x: x.select(1, -1), NS),
    same("narrow", lambda x: x.narrow(1, 1, 2), NS),
    same("narrow dynamic", lambda x: x.narrow(2, -3, 2), ("n", 3, "w")),
    same("diagonal", lambda x: x.diagonal(0, 1, 2), ("n", 3, 5)),
    same("diagonal above", lambda x: x.diagonal(2, -1, -2), ("n", 3, 5)),
    same("diagonal below", lambda x: x.diagonal(-1, 0, 2), (4, "n", 3)),
    same("movedim", lambda x: x.movedim(0, -1), ("n", 3, "s", 2)),
    same("movedim several", lambda x: x.movedim((0, 1), (2, 0)), ("n", 3, "s", 2)),
    same("swapaxes", lambda x: x.swapaxes(0, 2) + x.swapdims(-1, 0), NS),
    same("t", lambda x: x.t(), ("n", "s")),
    same("broadcast_to", lambda x: x.broadcast_to((2, 3, 4)), (3, 1)),
    same("expand_as", lambda x, y: x.expand_as(y), ("n", 1, "s"), NS),
    same("view_as", lambda x, y: x.view_as(y), ("n", 6), ("n", 2, 3)),
    same("tile", lambda x: x.tile(2, 3), NS),
    same("tile new axis", lambda x: x.tile((2, 1, 2, 1)), NS),
    of_both("hstack", lambda m, x, y: m.hstack([x, y]), ("n", 2, "s"), ("n", 3, "s")),
    of_both("hstack vectors", lambda m, x, y: m.hstack([x, y]), ("n",), ("s",)),
    of_both("vstack", lambda m, x, y: m.vstack([x, y]), (4,), ("n", 4)),
    of_both("concat", lambda m, x: m.concat([x, m.concatenate([x, x], 1)], 1)),
    same("flip of two", lambda x: x.flip(1, 2), NS),
    of_both("meshgrid ij", lambda m, x, y: grid(x, y, "ij"), ("n",), ("s",)),
    of_both("meshgrid xy", lambda m, x, y: grid(x, y, "xy"), ("n",), ("s",)),
    padded(NS, 1, 2, value=1.5),
    padded(IMAGE, 2, 1, 0, 3),
    padded(IMAGE, -1, 2, 1, -2),
    padded(IMAGE, 2, 1, 3, 0, mode="reflect"),
    padded(IMAGE, 2, 1, 3, 0, mode="replicate"),
    padded(IMAGE, 2, 1, 3, 0, mode="circular"),
    Case("pad int", lambda x: ops.pad(x, (1, 1)), lambda x: F.pad(x, (1, 1)), (NS,), ("float32",), False, ("int64",)),
    of_both("flip", lambda m, x: m.flip(x, (1, 2))),
    of_both("flip batch", lambda m, x: m.flip(x, (0,))),
    of_both("roll", lambda m, x: m.roll(x, 2, 1)),
    of_both("roll dynamic", lambda m, x: m.roll(x, (1, -1), (0, 2)), ("n", 3, "w")),
    Case("repeat", lambda x: ops.repeat(x, (2, 1, 3)), lambda x: x.repeat(2, 1, 3), (NS,)),
    Case("repeat new axis", lambda x: ops.repeat(x, (2, 1, 2, 1)), lambda x: x.repeat(2, 1, 2, 1), (NS,)),
    of_both("repeat_interleave", lambda m, x: m.repeat_interleave(x, 2, 1)),
    of_both("repeat_interleave dynamic", lambda m, x: m.repeat_interleave(x, 3, 2)),
    of_both("tril", lambda m, x: m.tril(x), ("n", 4, 5)),
    of_both("triu dynamic", lambda m, x: m.triu(x, 1), ("n", "h", "w")),
    of_both("tril dynamic", lambda m, x: m.tril(x, -1), ("n", "h", "w")),
]  # fmt: skip
