"""The scales of attention's products, calibrated."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.definition.quantization import ATTENTION
from trtnet.graph.quantized import QuantizedAttention, Use
from trtnet.support import dtypes
from trtnet.support.text.counted import counted
from trtnet.tools.quantize.observing import Seen, watched
from trtnet.tools.quantize.ranges import power_of_two, scale_of

OPERANDS = ("query", "key", "probability", "value")
_KEY = "{path}: {operand}"
_MOST = 0.2
"""The part of the sum of probabilities that becomes 0 from which on it is said: results differ by about as much."""

log = logging.getLogger("trtnet.quantization")


def uses(network: DefinedNetwork, paths: Collection[str]) -> dict[str, list[Use]]:
    """What to observe of the attentions of modules at these paths."""
    found = watched(network).attentions
    return {
        _KEY.format(path=path, operand=name): [Use(getattr(one, name), -1, None) for one in found[path]]
        for path in paths
        for name in OPERANDS
    }


def largest_seen(path: str, seen: Mapping[str, Seen]) -> tuple[float, ...]:
    """The largest magnitude of each operand, in the order of OPERANDS."""
    return tuple(seen[_KEY.format(path=path, operand=name)].values.largest for name in OPERANDS)


def calibrated(
    paths: Collection[str], seen: Mapping[str, Seen], kind: str, method: str
) -> dict[str, QuantizedAttention]:
    """The attentions of these modules with their scales. kind: "int8" or "fp8".

    Most probabilities are small, and one near 1 does not make them 0: their range has the least squared error. The
    scales of queries and keys are powers of two: TensorRT multiplies by the reciprocal and rounds to float16, by which
    some would be a neighbouring value, and the softmax makes that larger (tests/benchmarks/attention_rounding.py).
    """
    dtype = dtypes.get(ATTENTION[f"{kind}_attention"].dtype)

    def scale(path: str, name: str) -> float:
        values = seen[_KEY.format(path=path, operand=name)].values
        found = scale_of(values, dtype, "mse" if name == "probability" else method)
        return power_of_two(found) if name in ("query", "key") else found

    found = {path: QuantizedAttention(dtype, *(scale(path, name) for name in OPERANDS)) for path in paths}
    if dtype == dtypes.int8:
        lost = {path: _lost(seen[_KEY.format(path=path, operand="probability")], one) for path, one in found.items()}
        _warn({path: share for path, share in lost.items() if share > _MOST})
    return found


def _lost(seen: Seen, attention: QuantizedAttention) -> float:
    """The part of the sum of all probabilities that rounds to 0 in int8."""
    values, total = seen.values, float(np.sum(seen.channels.sums))
    kept = float((values.counts * values.centers)[values.centers >= attention.probability / 2].sum())
    return 1 - kept / total if total else 0.0


def _warn(lost: Mapping[str, float]) -> None:
    if lost:
        worst = max(lost, key=lambda path: lost[path])
        log.warning(
            "attention in int8: small probabilities round to 0 in %s, %.0f %% of their sum in %s: take fp8, which has"
            " smaller numbers, or leave them in floats",
            *(counted(len(lost), "attention"), 100 * lost[worst], worst or "the model"),
        )
