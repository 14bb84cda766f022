"""Which input of a network is which cache of a checkpoint: by the number of the layer, and by "key" or "value"."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from trtnet.checkpoint.quantized.caches import KEY, VALUE, PublishedCaches
from trtnet.graph.quantized import QuantizedCache

_WORDS = {"k": KEY, "key": KEY, "keys": KEY, "v": VALUE, "value": VALUE, "values": VALUE}
_BOTH = re.compile(r"key_?values?|kv", re.IGNORECASE)
"""What says nothing: ``past_key_values.0.key`` is of keys."""


class CachesByName:
    """The caches of a checkpoint, by names of inputs such as ``key_0``, ``past_value_0``, ``past_key_values.0.key``."""

    def __init__(self, found: PublishedCaches) -> None:
        self._found = found
        numbered = [(layer, path) for path in found.scales if (layer := _number(path.split("."))) is not None]
        times = Counter(layer for layer, _ in numbered)
        self._paths = {layer: path for layer, path in numbered if times[layer] == 1}
        self._missed: list[str] = []
        self._met: set[int] = set()

    def of(self, name: str) -> QuantizedCache | None:
        """What an input that may be a cache is quantized to, None for one of floats."""
        layer, side = _number(re.findall(r"\d+", name)), _side(name)
        if self._found.dtype is None or layer is None or not side or (self._found.scales and layer not in self._paths):
            self._missed.append(name)
            return None
        self._met.add(layer)
        scale = self._found.scales[self._paths[layer]][side] if self._found.scales else np.array(1, np.float32)
        return QuantizedCache(self._found.dtype, scale)

    def problems(self) -> list[str]:
        """Why inputs that may be caches stay floats although the checkpoint's are quantized."""
        if not self._missed:
            return []
        if self._found.problem:
            return [self._found.problem]
        unmet = [path for layer, path in self._paths.items() if layer not in self._met]
        unmet += [path for path in self._found.scales if path not in self._paths.values()]
        known = [name for name in self._missed if _side(name) and _number(re.findall(r"\d+", name)) is not None]
        if self._found.dtype is None or not (unmet or known or not self._met):
            return []
        example = f'{{"{self._missed[0]}": {{"scheme": "fp8_cache", "scale": 0.02}}, "*": "checkpoint"}}'
        return [
            f"{', '.join(dict.fromkeys(self._missed))}: the checkpoint's caches are in {self._found.dtype}"
            f"{f', such as those of {unmet[0]}' if unmet else ''}, and none is known by this name: it has the number of"
            f" a layer, and key or value. Say which it is, {example}, or that it stays floats, by none"
        ]


def _number(parts: list[str]) -> int | None:
    """The one number of some parts, None for none or several."""
    numbers = [int(part) for part in parts if part.isdecimal()]
    return numbers[0] if len(numbers) == 1 else None


def _side(name: str) -> str:
    """Whether a name says keys or values, "" for neither or both."""
    words = re.findall(r"[a-z]+", _BOTH.sub("", name).lower())
    sides = {_WORDS[word] for word in words if word in _WORDS}
    return sides.pop() if len(sides) == 1 else ""
