"""What became of a network's pairs of quantization and dequantization in an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.tools.audit.asked import Asked
from trtnet.tools.audit.operands import FLOATS, QUANTIZED, count, data, is_product, matrix
from trtnet.tools.inspect.engine import UNKNOWN, EngineLayer

FUSED, OWN, BUILDING, NOT_USED = "fused", "its own layer", "while building", "not used"


@dataclass(frozen=True)
class HeldWeights:
    """words: what became of their dequantization. dtype: that the engine holds. layers: others than the products."""

    words: str
    dtype: str
    layers: tuple[EngineLayer, ...] = ()


def dequantized(layers: Sequence[EngineLayer]) -> frozenset[str]:
    """The names of weights that layers of their own dequantize."""
    return frozenset(x.name for one in layers if not is_product(one) and _dequantizes(one) for x in one.outputs)


def own(inspected: EngineLayer) -> str:
    """In words, that a layer does nothing else."""
    return f"{OWN}: {inspected.name}"


def inputs_of(each: Asked, products: Sequence[EngineLayer], layers: Sequence[EngineLayer]) -> str:
    """What became of the quantization of a product's inputs; "" where the network has none.

    A layer that writes them quantized and comes from the module of the product alone does only that.
    """
    if not each.quantizes:
        return ""
    words = {_inputs_of_one(each, one, layers) for one in products}
    return words.pop() if len(words) == 1 else UNKNOWN


def _inputs_of_one(each: Asked, product: EngineLayer, layers: Sequence[EngineLayer]) -> str:
    read = data(product)
    narrow = [x.name for x in read if x.dtype in QUANTIZED]
    if not narrow:
        held = matrix(product)
        return NOT_USED if held and held.dtype in FLOATS and all(x.dtype in FLOATS for x in read) else UNKNOWN
    writers = [one for one in layers if any(x.name in narrow for x in one.outputs)]
    if len(writers) != 1 or each.module not in product.modules or not writers[0].modules:
        return UNKNOWN
    (writer,) = writers
    readers = {module for one in layers if _reads(one, narrow) for module in one.modules}
    return own(writer) if not is_product(writer) and {*writer.modules} <= readers else FUSED


def _reads(inspected: EngineLayer, names: Sequence[str]) -> bool:
    return any(x.name in names for x in inspected.inputs)


def weights_of(products: Sequence[EngineLayer], layers: Sequence[EngineLayer]) -> HeldWeights:
    """What became of the dequantization of a weight. layers: all of its module."""
    held = [found for one in products if (found := matrix(one))]
    kinds = {one.dtype for one in held}
    if kinds and len(kinds) == 1:
        kind = kinds.pop()
        words = FUSED if kind in QUANTIZED else BUILDING if kind in FLOATS else UNKNOWN
        return HeldWeights(words, kind)
    others = [one for one in layers if not is_product(one) and (found := matrix(one)) and found.dtype in QUANTIZED]
    if kinds or not others:
        return HeldWeights(UNKNOWN, UNKNOWN)
    (largest, *_) = sorted(others, key=lambda one: -_count(one))
    found = matrix(largest)
    assert found is not None
    return HeldWeights(own(largest) if _dequantizes(largest) else FUSED, found.dtype, (largest,))


def _dequantizes(inspected: EngineLayer) -> bool:
    """Whether a layer writes as many numbers as the weight that it holds has, in floats."""
    found = matrix(inspected)
    narrow = found is not None and found.dtype in QUANTIZED
    return narrow and any(x.dtype in FLOATS and count(x) == _count(inspected) for x in inspected.outputs)


def _count(inspected: EngineLayer) -> int:
    found = matrix(inspected)
    return count(found) if found else 0
