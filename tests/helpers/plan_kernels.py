"""Kernels as plans of TensorRT-RTX describe them, in a text that is not documented."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_FUSED = re.compile(
    r"function=\{ name=__myl_(\w+) fqn=.*?grid = \{ ([\d ]+) \} block = \{ ([\d ]+) \}.*?vec_width=(\d+)", re.DOTALL
)
_BODY = re.compile(r"\n(?:template<>[^\n]*|extern \"C\" __global__[^{]*)\{(.*?)\n\}", re.DOTALL)
_LATER = re.compile(r"__v\d+ = [1-9]\d* \+ 0 \* \d+;")
_FIRST = re.compile(r"\(\(?0\)? \* \d+\)|__v\d+ = 0;")
_ACTIVATIONS = re.compile(r"\brelu=\w+ relu_high=[^\n]*? bias=")
_ON = re.compile(r"(\w+)=true")
_PART = re.compile(r'sub_tensor=\{ base="([^"]+)"[^\n]*? name="([^"]+)"')
_READS = re.compile(
    r"^\s*runtime_fusion=\{ name=__myl_(\w+)[^\n]*?input_args=\{([^}]*)\}[^\n]*?output_args=\{([^}]*)\}", re.MULTILINE
)
_NAME = re.compile(r'"([^"]+)"')
_CALL = re.compile(r"^\s*(\w+)=\{ name=", re.MULTILINE)


@dataclass(frozen=True)
class Kernel:
    """name: the operations in it, shortened. width: elements that a thread reads at once. count: of its calls."""

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    width: int
    count: int


def fused(plan: str) -> list[Kernel]:
    """Kernels that TensorRT fused, in the order of their first calls. plan: its bytes as latin-1."""
    found = Counter(_FUSED.findall(plan))
    return [
        Kernel(name, _sizes(grid), _sizes(block), int(width), count)
        for (name, grid, block, width), count in found.items()
    ]


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def calls(plan: str) -> list[str]:
    """The kind of each call: function for a fused kernel, fully_connected, corrltn for a convolution, and so on."""
    return _CALL.findall(plan)


def forgets_first(plan: str) -> bool:
    """Whether the text of a kernel reads elements behind the first one of an axis by number, and the first one never.

    Then what was to be the first one is the whole, in kernels of reductions that were written out as slices.
    """
    bodies = _BODY.findall(plan)
    return any(_LATER.search(body) and not _FIRST.search(body) for body in bodies)


def activations(plan: str) -> list[list[str]]:
    """What TensorRT set on each call that has activations: it makes an execution context for one of a call."""
    return [_ON.findall(found) for found in _ACTIVATIONS.findall(plan)]


def reads_itself(plan: str) -> list[str]:
    """The convolutions and products with what is fused to them that read from memory what they compute."""
    whole = {name: base for base, name in _PART.findall(plan)}
    return [
        name
        for name, inputs, outputs in _READS.findall(plan)
        if {whole.get(each, each) for each in _NAME.findall(inputs)} & set(_NAME.findall(outputs))
    ]
