"""A plan of tensor parallelism: which modules' weights are divided among ranks, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from trtnet.checkpoint.nearest import nearest
from trtnet.graph import Input, Parameter
from trtnet.graph.memory.division import Division, Part
from trtnet.nn import Module
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import an, counted

STYLES = "column", "row"
PACKED = "in_proj_weight", "in_proj_bias"
"""Weights of an attention layer with queries, keys and values below each other."""


@dataclass(frozen=True)
class TensorParallel:
    """One rank's part of a model: ``define(..., parallel=TensorParallel({"*.q_proj": "column", "*.o_proj": "row"}))``.

    plan: by patterns of module paths, of which the first that matches decides, how linear and attention layers are
    divided. "column" divides the out_features (of an attention layer, the heads): each rank computes a part of the
    result. ``"column:3"``: of three equal blocks, such as queries, keys and values in one weight, a part of each. "row"
    divides the in_features: the products of the ranks are summed by one all-reduce, before the bias. (In torch:
    ColwiseParallel, RowwiseParallel.) All other weights are whole on every rank; dtypes stay.
    rank, ranks: which of how many. divided: by patterns of names, the axis of inputs and outputs of which each rank has
    a part, such as caches of keys and values, whose heads are axis 1: ``{"*key_*": 1, "*value_*": 1}``.
    Raises ModelError for another style, and for a rank that is none.
    """

    plan: Mapping[str, str]
    rank: int = 0
    ranks: int = 2
    divided: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (type(self.ranks) is int and type(self.rank) is int and 0 <= self.rank < self.ranks):
            raise ModelError(f"parallel: rank is 0 to ranks - 1, found rank {self.rank!r} of {self.ranks!r}")
        for pattern, style in self.plan.items():
            kind, _, blocks = str(style).partition(":")
            if kind not in STYLES or (blocks and (kind == "row" or not blocks.isdigit() or int(blocks) < 1)):
                raise ModelError(f'parallel: {pattern!r} is "column", "column:BLOCKS" or "row"; found {style!r}')

    def of_rank(self, rank: int) -> TensorParallel:
        """The same plan for another rank."""
        return replace(self, rank=rank)

    def division(self, model: Module) -> Division:
        """What a rank has of a model. Raises ModelError for a pattern that fits no module, or sizes that do not."""
        found = Division(self.ranks, self.rank)
        used: set[str] = set()
        modules = dict(model.named_modules())
        for path, module in modules.items():
            pattern = next((each for each in self.plan if fnmatchcase(path, each)), None)
            if pattern is not None:
                used.add(pattern)
                self._divide(found, path, module, self.plan[pattern])
        if unused := [pattern for pattern in self.plan if pattern not in used]:
            near = ", ".join(nearest(unused[0], sorted(path for path, each in modules.items() if _kind(each))))
            raise ModelError(f"parallel: {unused[0]!r} matches no module; the nearest are {near or '(none)'}")
        _check_shared(found, model)
        return found

    def inputs(self, takes: Mapping[str, Input], division: Division) -> dict[str, Input]:
        """The inputs of a rank. Raises ModelError for an axis that the ranks do not divide."""
        found = {}
        for name, spec in takes.items():
            axis = self.axis(name)
            if axis is None:
                found[name] = spec
                continue
            size = spec.shape[axis] if -len(spec.shape) <= axis < len(spec.shape) else None
            if not isinstance(size, int) or size % self.ranks:
                raise ModelError(
                    f"parallel: axis {axis} of input {name} {list(spec.shape)} does not divide among"
                    f" {counted(self.ranks, 'rank')}"
                )
            axis %= len(spec.shape)
            division.inputs[name] = axis
            found[name] = replace(spec, shape=(*spec.shape[:axis], size // self.ranks, *spec.shape[axis + 1 :]))
        return found

    def axis(self, name: str) -> int | None:
        """The axis along which an input or output is divided; None for a whole one."""
        return next((axis for pattern, axis in self.divided.items() if fnmatchcase(name, pattern)), None)

    def _divide(self, division: Division, path: str, module: Module, style: str) -> None:
        kind = _kind(module)
        if not kind or (kind == "MultiheadAttention" and not style.startswith("column")):
            ways = "a linear layer is column- or row-parallel, an attention layer column-parallel"
            raise ModelError(f"parallel: {path or 'the model'} is {an(type(module).__name__)}, found {style!r}: {ways}")
        blocks = int(style.partition(":")[2] or 1)
        for name, weight in _own(module):
            axis = _AXES[kind](name, style)
            if axis is None:
                continue
            part = Part(axis, 3 if name in PACKED else blocks, self.rank, self.ranks)
            if not part.fits(weight.shape[axis]):
                of = f"{('rows', 'columns')[axis]}" + (
                    f" in {counted(part.blocks, 'block')}" if part.blocks > 1 else ""
                )
                raise ModelError(
                    f"parallel: {path}.{name} {list(weight.shape)}: {weight.shape[axis]} {of} do not divide among"
                    f" {counted(self.ranks, 'rank')}"
                )
            division.parts[weight] = part
            if style == "row":
                division.sums[weight] = path


def _own(module: Module) -> list[tuple[str, Parameter]]:
    return [(name, member) for name, member in module.members() if isinstance(member, Parameter)]


def _kind(module: Module) -> str:
    """What a module is to a plan: a "Linear" or "MultiheadAttention", of trtnet or of torch; "" if neither."""
    known: Any = getattr(module, "torch_module", module)
    names = [cls.__name__ for cls in type(known).__mro__ if cls.__module__.startswith(("torch.nn.", "trtnet.nn."))]
    return next((name for name in names if name in _AXES), "")


def _of_linear(name: str, style: str) -> int | None:
    if style == "row":
        return 1 if name == "weight" else None
    return 0


def _of_attention(name: str, style: str) -> int | None:
    if name in ("bias_k", "bias_v"):
        raise ModelError("parallel: an attention layer with add_bias_kv is not divided")
    return 0


_AXES: Mapping[str, Callable[[str, str], int | None]] = {"Linear": _of_linear, "MultiheadAttention": _of_attention}
"""The axis on which weights of a layer are divided, by name and style; None for one that is whole."""


def _check_shared(division: Division, model: Module) -> None:
    """Raises ModelError for a divided weight that another module uses as well."""
    paths: dict[Parameter, list[str]] = {}
    for path, parameter in model.named_parameters():
        if parameter in division.parts:
            paths.setdefault(parameter, []).append(path)
    for known in paths.values():
        if len(known) > 1:
            raise ModelError(f"parallel: {' and '.join(known)} are one weight, which cannot be divided for one of them")
