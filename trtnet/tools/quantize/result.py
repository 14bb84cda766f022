"""What `trtnet.quantize` gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One weight. error: of the weight, relative L2. largest: magnitude that was seen of the inputs; scale: of them.

    alone: the error of the model's outputs with this weight alone quantized; None where it was not tried. smoothed:
    what takes the outliers of the inputs, "norm" or "inputs", "" where nothing does. folded, corrected: whether a batch
    norm went into the weight, and whether the mean error was taken from what is added to its product. range: magnitude
    of the inputs that is represented. magnitudes: the logarithms of how often they were seen, from 0 to the largest.
    """

    key: str
    scheme: str
    error: float
    largest: float
    scale: float
    alone: float | None = None
    smoothed: str = ""
    folded: bool = False
    corrected: bool = False
    range: float = 0.0
    magnitudes: tuple[float, ...] = ()


@dataclass(frozen=True)
class AttentionRow:
    """One attention. name: in reports. largest: magnitudes that were seen of queries, keys, probabilities and values.

    scales: of the same. alone: as of a Row.
    """

    name: str
    scheme: str
    largest: tuple[float, ...]
    scales: tuple[float, ...]
    alone: float | None = None


@dataclass(frozen=True)
class ActivationRow:
    """The operands of one sum, concatenation or norm. largest, scale: as of a Row.

    range: whose range they have, "" for their own. inputs: the weights whose inputs have the same scale.
    """

    name: str
    scheme: str
    largest: float
    scale: float
    range: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuantizedCheckpoint:
    """What was written. path: the checkpoint. rows: the quantized weights.

    reasons: why the other weights of two or more axes stay floats, by key; floats: their keys. others: the same of
    attentions and operations that were to be quantized, by name.

    error: of the model's outputs on the first calls, relative L2, the largest of them; None without data.
    sensitive: the modules and attentions that were left in floats for the tolerance, with their error alone.
    attentions, activations: those that are quantized. alphas: of SmoothQuant, of each network;
    None where nothing is smoothed.
    """

    path: Path
    rows: tuple[Row, ...]
    reasons: Mapping[str, str]
    error: float | None = None
    sensitive: tuple[tuple[str, float], ...] = ()
    attentions: tuple[AttentionRow, ...] = ()
    alphas: tuple[float | None, ...] = (None,)
    activations: tuple[ActivationRow, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def floats(self) -> tuple[str, ...]:
        """The keys of the weights that stay floats."""
        return tuple(self.reasons)

    @property
    def alpha(self) -> float | None:
        """Of SmoothQuant, of the first network: a model has one, but for a Whisper."""
        return self.alphas[0]
