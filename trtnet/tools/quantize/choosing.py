"""What is asked of `trtnet quantize`, checked, and what of a model that is."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.quantized.rounding import not_finite
from trtnet.definition import DefinedNetwork
from trtnet.definition.quantization import NAMED, WeightScheme
from trtnet.graph.quantized import attention_name
from trtnet.support import dtypes
from trtnet.support.errors import ModelError, WeightsError
from trtnet.support.text.counted import counted
from trtnet.tools.quantize.attention import largest_seen
from trtnet.tools.quantize.observing import Seen, watched
from trtnet.tools.quantize.placing.products import products
from trtnet.tools.quantize.placing.rules import Placement, placement_of
from trtnet.tools.quantize.ranges import METHODS

log = logging.getLogger("trtnet.quantization")

SCHEMES = (
    "int8", "fp8", "fp8_channel", "mxfp8", "nvfp4", "int8_weights", "fp8_weights", "int4_weights", "mxfp8_weights",
    "mxfp4_weights", "nvfp4_weights",
)  # fmt: skip
"""Those of trtnet.Quantize that the format holds."""
AUTO = "auto"
ALPHAS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
"""SmoothQuant's alphas that AUTO tries, beside none."""
_ATTENTIONS = ("int8", "fp8")
_SMOOTH, _PLAIN = "max", "mse"
_SHOWN = 5
SKIPPED, SENSITIVE, UNSEEN = "skipped", "left out for the tolerance", "nothing but zeros was seen of its inputs"
ALONE = "no convolution beside it is quantized"


@dataclass(frozen=True)
class Choice:
    """scheme, method: of weights and inputs. alphas: to be tried, None for no smoothing. attention: "" for floats.

    placement: what else is quantized, and which products are not.
    """

    scheme: WeightScheme
    method: str
    alphas: tuple[float | None, ...]
    attention: str
    placement: Placement


def chosen(
    scheme: str,
    method: str | None,
    smooth: float | str | None,
    attention: str | None,
    tolerance: float | None,
    has_data: bool,
    placement: Sequence[str] | str | None = None,
) -> Choice:
    """What is asked for. Raises ModelError for what there is not, and for what data is missing for."""
    found = NAMED.get(scheme) if scheme in SCHEMES else None
    if found is None:
        raise ModelError(f"there is no scheme {scheme!r} to calibrate; there are {', '.join(SCHEMES)}")
    if method is not None and method not in METHODS:
        raise ModelError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if attention and attention not in _ATTENTIONS:
        raise ModelError(f"attention is quantized to {' or '.join(_ATTENTIONS)}; found {attention!r}")
    if not has_data and (found.needs_scale or attention or tolerance is not None):
        what = f"{scheme} quantizes inputs" if found.needs_scale else "attention quantizes inputs" if attention else ""
        why = f"{what}, whose scales are calibrated" if what else "a tolerance is of the outputs that data gives"
        other = f", or a scheme of weights, such as {scheme.partition('_')[0]}_weights" if found.needs_scale else ""
        raise ModelError(f"{why}: give data, --data FILE.npz{other}")
    if tolerance is not None and not tolerance > 0:
        raise ModelError(f"the tolerance is above 0, found {tolerance:g}")
    placed = placement_of(placement, _calibrated(found), measured=tolerance is not None)
    method = method or (_PLAIN if smooth is None else _SMOOTH)
    return Choice(found, method, _alphas(scheme, found, smooth), attention or "", placed)


def _calibrated(scheme: WeightScheme) -> str:
    """The dtype of inputs whose scale is calibrated, "" where they are floats, or their scales are measured."""
    return "" if scheme.inputs is None or scheme.input_block else dtypes.get(scheme.inputs).name


def _alphas(scheme: str, found: WeightScheme, smooth: float | str | None) -> tuple[float | None, ...]:
    if smooth is None:
        return (None,)
    try:
        number = None if smooth == AUTO else float(smooth)
    except ValueError:
        number = -1
    if found.inputs is None or found.input_block:
        raise ModelError(f"smooth is for schemes whose inputs have one scale, such as int8 and fp8; found {scheme}")
    if number is not None and not 0 <= number <= 1:
        raise ModelError(f"smooth is from 0 to 1 or {AUTO!r}, found {smooth}")
    return (None, *ALPHAS) if number is None else (number,)


@dataclass(frozen=True)
class Chosen:
    """What of a model is quantized. weights: the modules of weights by key. attentions: paths of modules.

    reasons: why the other weights of two or more axes stay floats, by key. others: the same of attentions, by name.
    """

    weights: dict[str, str]
    attentions: tuple[str, ...]
    reasons: dict[str, str]
    others: dict[str, str] = field(default_factory=dict)


def modules_of(network: DefinedNetwork, choice: Choice) -> list[str]:
    """The paths of the modules that the scheme fits, and of the attentions."""
    fitting, _ = _fitting(network, choice)
    return [*fitting.values(), *(watched(network).attentions if choice.attention else ())]


def _fitting(network: DefinedNetwork, choice: Choice) -> tuple[dict[str, str], dict[str, str]]:
    """(the modules of weights that the scheme fits, why the others of two or more axes stay floats), by key."""
    matrices = [key for key in network.keys if len(network.checkpoint.info(key).shape) > 1]
    reasons = {key: why for key in matrices if (why := _reason(network, key, choice.scheme))}
    return {key: key.rpartition(".")[0] for key in matrices if key not in reasons}, reasons


def taken(network: DefinedNetwork, choice: Choice, skip: Sequence[str]) -> Chosen:
    """The weights that the scheme fits, and the attentions, that no pattern skips.

    Raises ModelError for a pattern that skips nothing, where nothing is left, and for a model without attention,
    WeightsError for a weight that is not finite: before anything is calibrated.
    """
    fitting, reasons = _fitting(network, choice)
    attentions = tuple(watched(network).attentions) if choice.attention else ()
    if choice.attention and not attentions:
        raise ModelError(
            "the model has no attention: no module calls scaled_dot_product_attention. Products that are written out"
            " are none, as those of MultiheadAttention, which calls it with need_weights=False"
        )
    there = modules_of(network, choice)
    for pattern in skip:
        if not any(fnmatchcase(path, pattern) for path in there):
            near = ", ".join(nearest(pattern, there)) or "(none)"
            raise ModelError(f"skip: {pattern!r} matches no module that is quantized; the nearest are {near}")

    def stays(path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in skip)

    ruled = _ruled(network, choice)
    kept = {key: path for key, path in fitting.items() if not stays(path) and key not in ruled}
    reasons |= {key: SKIPPED if stays(path) else ruled[key] for key, path in fitting.items() if key not in kept}
    if not kept:
        says = in_words(reasons) or "it has none of two or more axes"
        raise ModelError(f"the model has no weight that this scheme quantizes: {says}")
    for key, path in kept.items():
        if says := not_finite(network.checkpoint[key]):
            raise WeightsError(f"{key}: {says}; --skip {path!r} leaves it in floats")
    others = {attention_name(path): SKIPPED for path in attentions if stays(path)}
    return Chosen(kept, tuple(path for path in attentions if not stays(path)), reasons, others)


def _ruled(network: DefinedNetwork, choice: Choice) -> dict[str, str]:
    """Why products stay floats by the rules of the placement, by key."""
    dtype = _calibrated(choice.scheme)
    found = {key: choice.placement.reason(product, dtype) for key, product in products(network).items()}
    return {key: why for key, why in found.items() if why}


def seen_only(kept: Chosen, choice: Choice, seen: Mapping[str, Seen]) -> Chosen:
    """What of it has inputs of known ranges, where inputs are quantized; warns of the rest, which stays floats.

    Raises ModelError where nothing is left.
    """
    lost = {key: f"{found.channels.lost:,}" for key, found in seen.items() if found.channels.lost}
    if lost:
        text = ", ".join(f"{key} ({count})" for key, count in [*lost.items()][:_SHOWN])
        log.warning(
            "inputs in floats are NaN or infinite, and do not count, of %s: %s", counted(len(lost), "product"), text
        )
    weights = [key for key in kept.weights if choice.scheme.needs_scale and not seen[key].values.largest]
    attentions = [path for path in kept.attentions if not all(largest_seen(path, seen))]
    if not weights and not attentions:
        return kept
    names = [*weights, *map(attention_name, attentions)]
    log.warning("in floats, since nothing but zeros was seen of the inputs: %s", _listed(names))
    reasons = kept.reasons | dict.fromkeys(weights, UNSEEN)
    left = {key: module for key, module in kept.weights.items() if key not in weights}
    if not left:
        raise ModelError(f"nothing is calibrated: {in_words(reasons)}")
    others = kept.others | dict.fromkeys(map(attention_name, attentions), UNSEEN)
    return Chosen(left, tuple(path for path in kept.attentions if path not in attentions), reasons, others)


def _reason(network: DefinedNetwork, key: str, scheme: WeightScheme) -> str:
    """Why a weight is not quantized by a scheme; "" where it is."""
    if key not in watched(network).uses:
        return "no linear layer or convolution takes it"
    if key in watched(network).tables:
        return "it is the table of an embedding, too"
    if key.rpartition(".")[2] not in ("weight", "in_proj_weight"):
        return 'the format quantizes what a module calls "weight"'
    shape = network.checkpoint.info(key).shape
    if isinstance(scheme.block, str) or (len(shape) == 2 and shape[1] % int(scheme.block) == 0):  # type: ignore[arg-type]
        return ""
    return f"{list(shape)} is no matrix of blocks of {counted(scheme.block, 'column')}"


def in_words(reasons: Mapping[str, str]) -> str:
    """Why weights stay floats, those with one reason together."""
    together: dict[str, list[str]] = defaultdict(list)
    for key, reason in reasons.items():
        together[reason].append(key)
    return "; ".join(f"{_listed(keys)} ({reason})" for reason, keys in together.items())


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else "")
