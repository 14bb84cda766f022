"""In which dtype each module of an engine computes, beside what was asked: from the engine inspector's text.

Names tie both together: TensorRT keeps the module that added a layer in the layer's metadata, and in those that it
fuses the layer into.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from trtnet.builder.plan import PlanInfo, read_sidecar, sidecar_path
from trtnet.runtime import Engine
from trtnet.support.errors import DeviceError, PlanError
from trtnet.tools.audit import asked as of_sidecar
from trtnet.tools.audit.activations import AskedActivation, activations, found_of
from trtnet.tools.audit.asked import Asked
from trtnet.tools.audit.operands import FLOATS, QUANTIZED, computed, count, is_product, matrix, nbytes
from trtnet.tools.audit.pairs import FUSED, NOT_USED, OWN, HeldWeights, dequantized, inputs_of, own, weights_of
from trtnet.tools.inspect.engine import BUILD_DETAILED, UNKNOWN, EngineDescription, EngineLayer, parse
from trtnet.tools.inspect.plan import read_document, read_engine

AS_ASKED, NOT_ASKED = "as asked", "not asked"
FELL_BACK, NOT_FUSED, COARSER = "fell back", "not fused", "coarser"
_COARSENESS = {"float32": 0, "float16": 1, "bfloat16": 1, **dict.fromkeys(QUANTIZED, 2)}


@dataclass(frozen=True)
class AuditedModule:
    """What became of one product, or of several of one module that are alike, as the two of an attention.

    name: the module; its weight's key where the module has several quantized ones, "PATH (attention)" for an
    attention. asked: the scheme or dtype, "" where it is not known. computed: the dtype of the operands of its
    product. weights: the dtype that the engine holds them in; bytes: of the constants of its layers, which layers of
    several modules share. inputs_pair, weights_pair: what became of the quantization of its inputs, and of the
    dequantization of its weights: "fused", "its own layer", "while building", "not used", or "" where there is none.
    Each is "unknown" where the inspector does not tell. layers: of the engine. verdict: "as asked", "fell back"
    (quantized operands became floats), "not fused" (a layer of its own makes floats of the weights, or quantizes the
    operands of a sum, in each inference), "coarser", "unknown", "not asked".
    """

    name: str
    asked: str
    computed: str
    weights: str
    bytes: int
    inputs_pair: str
    weights_pair: str
    layers: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class Audit:
    """An engine. weight_bytes: of all constants, each once. own_layers: those that only quantize or dequantize."""

    name: str
    modules: tuple[AuditedModule, ...]
    layers: int
    weight_bytes: dict[str, int]
    own_layers: tuple[str, ...]

    @property
    def fell_back(self) -> tuple[AuditedModule, ...]:
        """The modules that are not computed as was asked, but for those in a finer dtype."""
        return tuple(one for one in self.modules if one.verdict in (FELL_BACK, NOT_FUSED, COARSER))

    @property
    def unknown(self) -> tuple[AuditedModule, ...]:
        """The modules of which the inspector does not say enough."""
        return tuple(one for one in self.modules if one.verdict == UNKNOWN)


def audit(engine: Engine | str | os.PathLike[str], sidecar: str | os.PathLike[str] | None = None) -> Audit:
    """In which dtype each module of an engine computes, beside what its sidecar says that was asked.

    engine: an engine, or the file of one, which need a GPU; or a .json file of what TensorRT's engine inspector wrote
    (``Engine.inspect().layers``, ``trtexec --exportLayerInfo``), or the sidecar of an engine that was built with
    ``--audit``. sidecar: of that engine, by default the one beside it.
    The engine must have been built with profiling_verbosity="detailed", which is the default.
    Returns the audit, with a row for each product: the dtype of its operands (float16, int8, ...), or "unknown".
    Raises PlanError for a file that is neither, or an engine of names alone; DeviceError where an engine does not load.
    """
    if isinstance(engine, Engine):
        return examine("engine", parse(engine.inspect().layers), engine.info)
    path = Path(engine)
    file = read_document(path) if path.suffix == ".json" else read_engine(path)
    beside = sidecar_path(path)
    info = read_sidecar(sidecar or beside).info if sidecar or beside.exists() else None
    if file.layers is None:
        if file.sidecar is not None and file.sidecar.info.audit:
            return recorded(file.sidecar.info)
        raise DeviceError(
            f"{path} alone does not say what the engine computes: audit the engine where its GPU is, or what its"
            f" inspector wrote there: Path('layers.json').write_text(engine.inspect().layers)\n  {file.unknown}"
        )
    return examine(str(path), file.layers, info)


def recorded(info: PlanInfo) -> Audit:
    """The audit that ``trtnet build --audit`` wrote into a sidecar. Raises PlanError if it is not one."""
    try:
        given = {field.name: info.audit[field.name] for field in fields(Audit)}
        rows = (AuditedModule(**{**row, "layers": tuple(row["layers"])}) for row in given["modules"])
        found = Audit(**{**given, "modules": tuple(rows), "own_layers": tuple(given["own_layers"])})
        _check_kinds(found)
        return found
    except (KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"the audit in the sidecar is not one that this trtnet wrote: {error!r}") from error


def _check_kinds(found: Audit) -> None:
    """Raises TypeError for what is no text where texts are, and no number where sizes are."""
    parts: tuple[Audit | AuditedModule, ...] = (found, *found.modules)
    said = [(field.type, getattr(one, field.name)) for one in parts for field in fields(one)]
    names = (name for kind, value in said if kind == "tuple[str, ...]" for name in value)
    texts = [*(value for kind, value in said if kind == "str"), *names]
    sizes = [*(value for kind, value in said if kind == "int"), *found.weight_bytes.values()]
    wrong = [value for value in texts if not isinstance(value, str)] + [
        value for value in sizes if type(value) is not int
    ]
    if wrong:
        raise TypeError(f"it has {wrong[0]!r}")


def examine(name: str, description: EngineDescription, info: PlanInfo | None) -> Audit:
    """The audit of what an inspector wrote. info: what was asked; None if that is not known. Raises PlanError."""
    if not description.detailed:
        raise PlanError(f"{name} has only the names of its layers: {BUILD_DETAILED}")
    layers, asked = description.layers, of_sidecar.quantized(info) if info else ()
    products = [one for one in layers if is_product(one)]
    its = [_products(each, asked, products, dequantized(layers)) for each in asked]
    rows = [_quantized(each, asked, one, layers) for each, one in zip(asked, its, strict=True)]
    taken = {layer.name for one in its if one.sure for layer in one.found}
    taken |= {layer.name for one in its if one.sure for layer in one.others if matrix(layer)}
    rows += [_activation(each, layers) for each in activations(info)] if info else []
    rows += _others([one for one in products if one.name not in taken], info)
    pairs = [text for row in rows for text in (row.inputs_pair, row.weights_pair)]
    alone = tuple(dict.fromkeys(text.partition(": ")[2] for text in pairs if text.startswith(OWN)))
    held = {constant.name: constant for one in layers for constant in one.constants}
    by_dtype: dict[str, int] = {}
    for constant in held.values():
        by_dtype[constant.dtype] = by_dtype.get(constant.dtype, 0) + nbytes([constant])
    return Audit(name, tuple(rows), len(layers), dict(sorted(by_dtype.items(), key=lambda x: -x[1])), alone)


@dataclass(frozen=True)
class _Products:
    """The products of a weight. sure: whether they are known to be its. others: of its module, beside it."""

    found: tuple[EngineLayer, ...]
    sure: bool
    others: tuple[EngineLayer, ...] = ()


def _quantized(each: Asked, asked: Sequence[Asked], its: _Products, layers: Sequence[EngineLayer]) -> AuditedModule:
    """What became of a quantized weight."""
    siblings = sum(one.module == each.module and bool(one.weights) for one in asked)
    apart = dequantized(layers)
    kinds = {computed(one, quantizes_inputs=each.quantizes, dequantized=apart) for one in its.found}
    around = [one for one in layers if each.module in one.modules]
    weights = weights_of(its.found, around) if each.weights else HeldWeights("", "")
    known = its.sure or bool(weights.layers)
    runs, held = kinds.pop() if len(kinds) == 1 and its.sure else UNKNOWN, weights.dtype if known else UNKNOWN
    holders = (*its.found, *weights.layers) if known else ()
    return AuditedModule(
        name=each.label(several=siblings > 1),
        asked=each.words,
        computed=runs,
        weights=held,
        bytes=nbytes(x for one in holders for x in one.constants),
        inputs_pair=inputs_of(each, its.found, layers),
        weights_pair=weights.words if known else UNKNOWN,
        layers=tuple(dict.fromkeys(one.name for one in holders)),
        verdict=_verdict(each, runs, held, weights.words),
    )


def _activation(each: AskedActivation, layers: Sequence[EngineLayer]) -> AuditedModule:
    """What became of the quantized operands of a sum, a concatenation or a norm."""
    found = found_of(each, layers)
    pair = own(found.own[0]) if found.own else FUSED if found.computed == each.dtype else UNKNOWN
    verdict = NOT_FUSED if found.own else AS_ASKED if found.computed == each.dtype else UNKNOWN
    if found.computed in FLOATS and not found.own:
        pair, verdict = NOT_USED, FELL_BACK
    names = tuple(dict.fromkeys(one.name for one in (*found.own, *found.layers)))
    return AuditedModule(each.name, each.words, found.computed, "", 0, pair, "", names, verdict)


def _products(
    each: Asked, asked: Sequence[Asked], products: Sequence[EngineLayer], apart: Collection[str]
) -> _Products:
    """The products of a weight: of several in its module the one with the largest weight, as others are of zero points.

    A module that no layer names was called by its weights alone: its products are among those of the modules around
    it. They, and several quantized weights of one module, are known only where they are alike.
    """
    if not each.weights:
        computed_ones = tuple(one for one in products if each.module in one.modules and matrix(one) is None)
        return _Products(computed_ones, bool(computed_ones))
    path = each.module
    while not (found := _without_feeders([one for one in products if path in one.modules])) and path:
        path = path.rpartition(".")[0]
    alone = path == each.module and sum(one.module == each.module and bool(one.weights) for one in asked) == 1
    if alone:
        largest = max(map(_count, found), default=0)
        chosen = tuple(one for one in found if _count(one) == largest)
        return _Products(chosen, bool(chosen), tuple(found))
    alike = {(computed(one, quantizes_inputs=each.quantizes, dequantized=apart), _held(one)) for one in found}
    return _Products(tuple(found), len(alike) == 1)


def _without_feeders(products: Sequence[EngineLayer]) -> list[EngineLayer]:
    """Without those that write, quantized, what another one reads: they come from the module by that alone."""
    read = {x.name for one in products for x in one.inputs}
    return [one for one in products if not any(x.name in read and x.dtype in QUANTIZED for x in one.outputs)]


def _verdict(each: Asked, runs: str, held: str, weights_pair: str) -> str:
    if each.inputs:
        if runs == each.inputs:
            return AS_ASKED
        return FELL_BACK if runs in FLOATS else UNKNOWN
    if held == each.weights:
        return NOT_FUSED if weights_pair.startswith(OWN) else AS_ASKED
    return FELL_BACK if held in FLOATS else UNKNOWN


def _others(products: Iterable[EngineLayer], info: PlanInfo | None) -> list[AuditedModule]:
    """What became of the products that nobody asked to be quantized, those alike together."""
    groups: dict[tuple[tuple[str, ...], str, str], list[EngineLayer]] = {}
    for one in products:
        key = (one.modules, computed(one, quantizes_inputs=False), _held(one))
        groups.setdefault(key, []).append(one)
    rows = []
    for (modules, runs, held), found in groups.items():
        words = of_sidecar.floats(info, modules[0]) if info and modules else ""
        label = ", ".join(module or "(model)" for module in modules) or found[0].name
        names = tuple(one.name for one in found)
        size = nbytes(x for one in found for x in one.constants)
        rows.append(AuditedModule(label, words, runs, held, size, "", "", names, _float_verdict(words, runs)))
    return rows


def _float_verdict(words: str, runs: str) -> str:
    if not words:
        return NOT_ASKED
    if runs not in _COARSENESS or words not in _COARSENESS:
        return UNKNOWN
    return COARSER if _COARSENESS[runs] > _COARSENESS[words] else AS_ASKED


def _count(layer: EngineLayer) -> int:
    held = matrix(layer)
    return count(held) if held else 0


def _held(layer: EngineLayer) -> str:
    held = matrix(layer)
    return held.dtype if held else ""
