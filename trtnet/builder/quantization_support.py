"""Tables of which quantized weights a backend builds for which GPUs, and which it computes in floats."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention, QuantizedParameter, QuantizedParameters
from trtnet.support import backend
from trtnet.support.errors import BuildError
from trtnet.support.text.counted import counted
from trtnet.support.version import release

log = logging.getLogger("trtnet.quantization")

OLDEST_GPU: dict[str, tuple[str, str]] = {
    "float8_e4m3fn": ("8.9", "GPUs since Ada"),
    "float4_e2m1fn": ("10.0", "GPUs since Blackwell"),
}
"""Types of values -> the first compute capability that has them, and its name. TensorRT refuses older ones."""


@dataclass(frozen=True)
class Slower:
    """What is built and brings no speed. backends: where that was found. fits: which parameters. why: the finding.

    gpus: the compute capabilities that it was found on and is said of, also where the backend decides; all without any.
    """

    backends: tuple[str, ...]
    fits: Callable[[QuantizedParameter], bool]
    why: str
    gpus: tuple[str, ...] = ()

    def is_said(self, capabilities: Sequence[str]) -> bool:
        """Whether it is to be said of a build for these GPUs."""
        wanted = not self.gpus or not capabilities or any(each in self.gpus for each in capabilities)
        return wanted and backend.name() in self.backends


def _is_square(found: QuantizedParameter) -> bool:
    return found.dtype.name == "float8_e4m3fn" and len(found.blocks) == 2 and found.blocks[0] > 1


def _has_runs(found: QuantizedParameter) -> bool:
    """Whether runs of columns share scales, in a floating dtype."""
    return found.dtype.is_floating and len(found.blocks) == 2 and found.blocks[0] == 1 and found.blocks[1] > 1


def _is_float8_alone(found: QuantizedParameter) -> bool:
    whole = not _is_square(found) and not _has_runs(found)
    return found.dtype.name == "float8_e4m3fn" and found.inputs is None and whole


def _is_int8_alone(found: QuantizedParameter) -> bool:
    return found.dtype.name == "int8" and found.inputs is None


SLOWER = (
    Slower(
        ("tensorrt", "tensorrt_rtx"),
        _is_square,
        "no kernel of products takes float8 in blocks along both axes: they are dequantized and computed in floats",
    ),
    Slower(
        ("tensorrt_rtx",),
        _is_float8_alone,
        "weights alone in float8 are made floats while the engine is built (TensorRT-RTX 1.6.1, H200, 2026-11-28):"
        " quantize the inputs too",
    ),
    Slower(
        ("tensorrt_rtx",),
        _has_runs,
        "layers of their own make floats of floating weights in runs of columns, in each inference: 1.4 to 10 times the"
        " time of float16 (TensorRT-RTX 1.6.1, H200, 2026-11-29); int4_weights take 0.85 to 2.7 times",
        ("9.0",),
    ),
    Slower(
        ("tensorrt_rtx",),
        _is_int8_alone,
        "weights alone in int8 take 1.4 to 7 times the time of float16 (TensorRT-RTX 1.6.1, H200, 2026-11-29): quantize"
        " the inputs too, or take int4_weights",
        ("9.0",),
    ),
)

NOT_IN_PLACE = (
    'TensorRT writes only caches of floats in place (TensorRT-RTX 1.7.1: "cache has type Int8 but must have type Float,'
    ' Half, or BFloat16"), so each call writes them whole to other memory; they take half of that of float16'
)
"""What caches in 8 bits cost."""

NOT_BUILT: dict[str, str] = {
    "cudnn_impl.cpp:89": 'TensorRT-RTX 1.6.1 has no int8 convolutions for an H200: leave them floats ("none")',
    "const_ppg.cpp:1558": "TensorRT-RTX 1.6.1 does not build float8 convolutions with one scale: take fp8_channel",
}
"""What TensorRT says where it does not build a quantized layer -> why, and what to do."""


def check_quantization(parameters: QuantizedParameters, capabilities: Sequence[str]) -> None:
    """Says what of a network's quantization is not built, and what is built and computed in floats.

    capabilities: of the GPUs that are built for, as ``apply`` has accepted them, none where the backend decides.
    Raises BuildError for values of a type that one of these GPUs does not have; warns of the others.
    """
    used = [found for key, found in parameters.by_key.items() if key in parameters.used]
    counts = Counter(
        name for found in used for name in {found.dtype.name, *([found.inputs.name] if found.inputs else [])}
    )
    others: dict[str, Mapping[str, QuantizedAttention | QuantizedActivation]] = {
        "attention": parameters.attentions,
        "activation": parameters.activations,
    }
    what = "weight" if used else next((name for name, found in others.items() if found), "cache")
    counts.update(found.dtype.name for found in parameters.caches.values())
    for each in others.values():
        counts.update(found.dtype.name for found in each.values())
    for name, (oldest, words) in OLDEST_GPU.items():
        those = counted(counts[name], f"{what} is", f"{what}s are")
        old = [each for each in capabilities if counts[name] and release(each) < release(oldest)]
        if old:
            raise BuildError(
                f"{those} in {name}, which {words} have ({oldest}); compute_capabilities has"
                f" {', '.join(old)}. Build for newer GPUs, or quantize to int8 or int4"
            )
        if counts[name] and not capabilities:
            log.warning("%s in %s: the engine is for %s (%s)", those, name, words, oldest)
    if parameters.caches:
        log.warning("%s in 8 bits: %s", counted(len(parameters.caches), "cache is", "caches are"), NOT_IN_PLACE)
    for row in SLOWER:
        count = sum(map(row.fits, used)) if row.is_said(capabilities) else 0
        if count:
            slow = counted(count, "quantized weight is", "quantized weights are")
            log.warning("%s not faster: %s", slow, row.why)
