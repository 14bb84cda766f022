"""A case as data: a small program and the tensors it is given, which a file can hold and another machine can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

FLOATING = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Operand:
    """One input of the program.

    shape: its sizes. names: for each axis its name where the definition is dynamic, else "". values: the kind of
    values (see `values`). layout: how it lies in memory.
    """

    shape: tuple[int, ...]
    dtype: str
    values: str = "normal"
    layout: str = "plain"
    names: tuple[str, ...] = ()

    def at(self, sizes: Mapping[str, int]) -> Operand:
        """The same with other sizes of its named axes."""
        names = self.names or ("",) * len(self.shape)
        shape = tuple(sizes.get(name, size) for name, size in zip(names, self.shape, strict=True))
        return Operand(shape, self.dtype, self.values, self.layout, self.names)

    @property
    def dynamic_shape(self) -> tuple[int | str, ...]:
        """The shape with names in the place of sizes."""
        return tuple(name or size for name, size in zip(self.names, self.shape, strict=True))


@dataclass(frozen=True)
class Case:
    """One program.

    op: the row of the table. body: the lines of `forward`, the last returning. layer: the constructor of `self.layer`,
    "" for none. dtype: what the network is defined with. others: other sizes of the named axes. exact: whether every
    element stands for itself, so that a large one does not excuse a small one.
    """

    op: str
    body: tuple[str, ...]
    operands: tuple[Operand, ...]
    layer: str = ""
    dtype: str = "float32"
    others: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    exact: bool = False

    @property
    def program(self) -> str:
        """The model as Python, in which `nn` and `ops` are torch's or trtnet's."""
        init = ["    def __init__(self):", "        super().__init__()", f"        self.layer = {self.layer}", ""]
        names = ", ".join(f"x{i}" for i in range(len(self.operands)))
        forward = [f"    def forward(self, {names}):", *(f"        {line}" for line in self.body)]
        return "\n".join(["class Model(nn.Module):", *(init if self.layer else ()), *forward, ""])

    @property
    def contiguous(self) -> Case:
        """The same with inputs that lie in memory as an engine's do."""
        return replace(self, operands=tuple(replace(operand, layout="plain") for operand in self.operands))

    def data(self) -> dict[str, Any]:
        """What a JSON file holds."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Case:
        """The case that a file holds."""
        operands = tuple(
            Operand(tuple(o["shape"]), o["dtype"], o["values"], o["layout"], tuple(o["names"]))
            for o in data["operands"]
        )
        return cls(**{**data, "operands": operands, "body": tuple(data["body"])})

    def inputs(self, sizes: Mapping[str, int] | None = None) -> list[torch.Tensor]:
        """The tensors it is given, at the sizes of its named axes."""
        return [tensor(operand.at(sizes or {}), self.seed * 64 + i) for i, operand in enumerate(self.operands)]


def tensor(operand: Operand, seed: int) -> torch.Tensor:
    """The values of an operand, of the layout it wants."""
    generator = torch.Generator().manual_seed(seed)
    return _laid_out(_values(operand, generator).to(getattr(torch, operand.dtype)), operand.layout)


def _values(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    kind, _, rest = operand.values.partition(":")
    return KINDS[kind](operand, generator, *map(int, filter(None, rest.split(":"))))


def _normal(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    if operand.dtype in FLOATING:
        return torch.randn(operand.shape, generator=generator)
    low, high = {"bool": (0, 2), "uint8": (0, 10)}.get(operand.dtype, (-4, 5))
    return torch.randint(low, high, operand.shape, generator=generator)


def _positive(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    x = _normal(operand, generator)
    return x.abs() + (0.125 if operand.dtype in FLOATING else 1)


def _unit(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(operand.shape, generator=generator) * 1.9 - 0.95


def _ties(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(0 if operand.dtype == "uint8" else -2, 3, operand.shape, generator=generator)


SPECIAL = (float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 0.5, -1.5, 1.0, 3.0, 1e-6, 20.0, -100.0, 6e4, -1.0)


def _special(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    """Half of it the values at which functions change their minds."""
    if operand.dtype not in FLOATING:
        return _big(operand, generator)
    chosen = torch.tensor(SPECIAL)[torch.randint(0, len(SPECIAL), operand.shape, generator=generator)]
    normal = torch.randn(operand.shape, generator=generator)
    return torch.where(torch.rand(operand.shape, generator=generator) < 0.5, chosen, normal)


def _big(operand: Operand, generator: torch.Generator) -> torch.Tensor:
    if operand.dtype in FLOATING:
        return torch.randn(operand.shape, generator=generator) * 1e3
    limit = {"bool": 1, "uint8": 200, "int32": 2**30, "int64": 2**40}[operand.dtype]
    return torch.randint(0 if limit < 256 else -limit, limit + 1, operand.shape, generator=generator)


def _index(operand: Operand, generator: torch.Generator, count: int) -> torch.Tensor:
    return torch.randint(0, max(count, 1), operand.shape, generator=generator)


def _signed(operand: Operand, generator: torch.Generator, count: int) -> torch.Tensor:
    return torch.randint(-count, max(count, 1), operand.shape, generator=generator)


def _distinct(operand: Operand, generator: torch.Generator, axis: int, count: int) -> torch.Tensor:
    """Indices below `count` of which no two along an axis are equal, as a scatter wants them."""
    shape = list(operand.shape)
    size, shape[axis] = shape[axis], max(count, shape[axis])
    return torch.rand(shape, generator=generator).argsort(axis).narrow(axis, 0, size)


KINDS: dict[str, Any] = {
    "normal": _normal, "positive": _positive, "unit": _unit, "ties": _ties, "special": _special, "big": _big,
    "index": _index, "signed": _signed, "distinct": _distinct,
}  # fmt: skip


def _laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    if layout == "channels_last" and x.dim() in (4, 5):
        return x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
    if layout == "transposed" and x.dim() > 1:
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "sliced" and x.dim() > 0:
        return torch.stack([x, x], -1)[..., 1]
    return x.contiguous()
