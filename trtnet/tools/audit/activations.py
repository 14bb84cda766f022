"""What became of quantized operands of sums, concatenations and norms in an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.builder.plan import PlanInfo
from trtnet.graph.quantized import ACTIVATION_IN, NORM
from trtnet.tools.audit.operands import FLOATS, QUANTIZED, data, is_product
from trtnet.tools.inspect.engine import UNKNOWN, EngineLayer


@dataclass(frozen=True)
class AskedActivation:
    """What was asked of an operation. module: whose layers it has. dtype: of its operands. alone: in its module."""

    name: str
    module: str
    words: str
    dtype: str
    alone: bool


@dataclass(frozen=True)
class FoundActivation:
    """What became of it. computed: the dtype that its layers read, "unknown" where the inspector does not tell.

    own: layers that only quantize its operands. layers: its others.
    """

    computed: str
    own: tuple[EngineLayer, ...]
    layers: tuple[EngineLayer, ...]


def activations(info: PlanInfo) -> tuple[AskedActivation, ...]:
    """Of each operation whose operands are quantized."""
    found = {name: words for name, words in info.quantization.items() if words.startswith(ACTIVATION_IN)}
    modules = {name: _module(name, words) for name, words in found.items()}
    counts = [*modules.values()]
    return tuple(
        AskedActivation(name, modules[name], words, words.rpartition(" ")[2], counts.count(modules[name]) == 1)
        for name, words in found.items()
    )


def _module(name: str, words: str) -> str:
    """A norm has the path of its module, but for one without weights; a sum is in the module that it is named after."""
    counted = name.rpartition(".")[2].rstrip("_0123456789") == "layer_norm"
    return name if words.startswith(NORM) and not counted else name.rpartition(".")[0]


def found_of(asked: AskedActivation, layers: Sequence[EngineLayer]) -> FoundActivation:
    """What became of one.

    A layer of its module alone that turns floats into 8 bits and is no product only does that. A sum, a concatenation
    or a norm that reads 8 bits is computed as asked.
    """
    its = [one for one in layers if asked.module in one.modules]
    own = tuple(one for one in its if {*one.modules} == {asked.module} and _only_quantizes(one))
    others = [one for one in its if one not in own and data(one)]
    kinds = {_reads(one) for one in others}
    narrow = kinds & {*QUANTIZED}
    if len(narrow) == 1 and (asked.alone or len(kinds) == 1):
        computed = narrow.pop()
    else:
        computed = kinds.pop() if len(kinds) == 1 and not narrow else UNKNOWN
    return FoundActivation(computed, own, tuple(others))


def _reads(inspected: EngineLayer) -> str:
    """8 bits where an operand has them, else the one dtype of all."""
    read = {x.dtype for x in data(inspected)}
    narrow = read & {*QUANTIZED}
    return narrow.pop() if len(narrow) == 1 else read.pop() if len(read) == 1 else UNKNOWN


def _only_quantizes(inspected: EngineLayer) -> bool:
    read, written = {x.dtype for x in data(inspected)}, {x.dtype for x in inspected.outputs}
    narrows = read <= {*FLOATS} and bool(written) and written <= {*QUANTIZED}
    return narrows and not is_product(inspected) and len(data(inspected)) == 1
