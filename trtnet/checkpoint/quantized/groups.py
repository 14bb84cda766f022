"""The groups of modules that a configuration of compressed-tensors quantizes, each in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.scheme import WHOLE, Blocks
from trtnet.support.errors import CheckpointError

_STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block")


@dataclass(frozen=True)
class Group:
    """Modules that are quantized alike. targets: paths, regular expressions after "re:", or names of classes.

    bits, kind, strategy, size, block: of the weights: how many, "int" or "float", what shares a scale, the columns of a
    group and the sizes of a block; None where nothing is said. symmetric: whether they have no zero points.
    inputs: the dtype of the inputs, "" for floats. dynamic: whether their scales are measured. offset: whether they
    have zero points. columns: of inputs that share a scale, a power of two; 0 for none.
    """

    targets: tuple[str, ...]
    bits: int | None
    kind: str
    strategy: str
    size: int | None
    block: tuple[int, int] | None
    symmetric: bool
    inputs: str
    dynamic: bool
    offset: bool = False
    columns: int = 0

    def names(self, module: str) -> bool:
        """Whether a target is the path of a module, or a regular expression of it."""
        return any(_fits(target, module) for target in self.targets)

    @property
    def of_classes(self) -> bool:
        """Whether a target is the name of a class, which no checkpoint has: such a group may be that of any module."""
        return any(target[:1].isupper() for target in self.targets) or not self.targets

    def shares(self, blocks: Blocks, shape: tuple[int, ...]) -> bool:
        """Whether what shares a scale is what the group says; of a few rows or columns several are the same."""
        filled = tuple(n if size == WHOLE else size for n, size in zip(shape, blocks, strict=True))
        columns = shape[-1] if self.size in (None, -1) else min(int(self.size or 0), shape[-1])
        if self.strategy == "tensor":
            return filled == shape
        if self.strategy == "channel":
            return filled == (1, *shape[1:]) or (len(shape) > 2 and filled == (shape[0], 1, *shape[2:]))
        if self.strategy in ("group", "tensor_group"):
            return filled == (*(1,) * (len(shape) - 1), columns)
        return True


def groups_of(config: Configuration) -> tuple[Group, ...]:
    """The groups of a configuration. Raises CheckpointError for what is none."""
    said = config.document.get("config_groups")
    if said is None:
        return ()
    if not isinstance(said, dict) or not all(isinstance(each, dict) for each in said.values()):
        raise CheckpointError(f"{config.where}: config_groups is a table of tables, found {said!r}")
    return tuple(_group(config.where, name, each) for name, each in said.items())


def group_of(groups: tuple[Group, ...], module: str) -> Group | None:
    """The group of a module: that which names it, else that of classes, else any; None where several of these differ.

    Checkpoints of models in parts (text, vision) may have other paths than their configuration.
    """
    named = [group for group in groups if group.names(module)]
    others = {replace(group, targets=()) for group in groups if group.of_classes} or {
        replace(group, targets=()) for group in groups
    }
    return named[0] if named else others.pop() if len(others) == 1 else None


def _fits(target: str, module: str) -> bool:
    if not target.startswith("re:"):
        return target == module
    try:
        return re.match(target.removeprefix("re:"), module) is not None
    except re.error as error:
        raise CheckpointError(f"config_groups: the target {target!r} is not a regular expression: {error}") from error


def _group(where: str, name: str, said: Mapping[str, Any]) -> Group:
    weights = {key: value for key, value in _table(where, name, said, "weights").items() if value is not None}
    inputs = _table(where, name, said, "input_activations")
    place = f"{where}: config_groups.{name}"
    targets = said.get("targets") or []
    if not isinstance(targets, list) or not all(isinstance(each, str) for each in targets):
        raise CheckpointError(f"{place}.targets is a list of names, found {targets!r}")
    for field in ("num_bits", "group_size"):
        if field in weights and (not isinstance(weights[field], int) or isinstance(weights[field], bool)):
            raise CheckpointError(f"{place}.weights.{field} is an integer, found {weights[field]!r}")
    if weights.get("strategy", "tensor") not in _STRATEGIES:
        raise CheckpointError(
            f"{place}.weights.strategy is one of {', '.join(_STRATEGIES)}, found {weights['strategy']!r}"
        )
    bits = inputs.get("num_bits", 8)
    floats = {8: "float8_e4m3fn", 4: "float4_e2m1fn"}.get(bits, f"float{bits}")
    return Group(
        targets=tuple(targets),
        bits=weights.get("num_bits"),
        kind=str(weights.get("type", "")),
        strategy=str(weights.get("strategy", "")),
        size=weights.get("group_size"),
        block=_block(place, weights.get("block_structure")),
        symmetric=weights.get("symmetric", True) is True,
        inputs="" if not inputs else floats if inputs.get("type", "int") == "float" else f"int{bits}",
        dynamic=bool(inputs.get("dynamic")),
        offset=inputs.get("symmetric") is False,
        columns=_columns(place, inputs),
    )


def _columns(place: str, inputs: Mapping[str, Any]) -> int:
    """How many columns of the inputs share a scale that is a power of two, 0 for none."""
    if inputs.get("strategy") != "group" or inputs.get("scale_dtype") not in ("torch.uint8", "uint8"):
        return 0
    size = inputs.get("group_size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise CheckpointError(f"{place}.input_activations.group_size is an integer above 0, found {size!r}")
    return size


def _table(where: str, name: str, said: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = said.get(field)
    if found is not None and not isinstance(found, dict):
        raise CheckpointError(f"{where}: config_groups.{name}.{field} is a table, found {found!r}")
    return found or {}


def _block(place: str, said: Any) -> tuple[int, int] | None:
    """The sizes of a block: [128, 128], or as older versions wrote it, "128x128"."""
    found = said.split("x") if isinstance(said, str) else said
    if found is None:
        return None
    whole = isinstance(found, list) and len(found) == 2
    if not whole or not all(str(each).isdecimal() and int(each) > 0 for each in found):
        raise CheckpointError(f"{place}.weights.block_structure is rows and columns, found {said!r}")
    return int(found[0]), int(found[1])
