"""What is drawn: layers and the tensors between them, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trtnet.graph.layers.titles import times

INPUT, OUTPUT = "INPUT", "OUTPUT"
"""The kinds of the nodes that stand for a network's inputs and outputs."""


def around(path: str) -> list[str]:
    """The paths of the modules that a module is in: ``layer1.0`` and ``layer1`` of ``layer1.0.conv1``."""
    return [path[:dot] for dot in range(len(path) - 1, 0, -1) if path[dot] == "."]


def printable(text: str) -> str:
    """A name for a file that has no place for control characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


@dataclass(frozen=True)
class DrawnTensor:
    """shape: -1 for a size that is not known, a name for a dynamic one."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    @property
    def shape_text(self) -> str:
        """``batch×64×112×112``; ``?`` for a size that is not known."""
        return times("?" if size == -1 else size for size in self.shape) or "scalar"

    def __str__(self) -> str:
        return f"{self.shape_text} {self.dtype}"


@dataclass(frozen=True)
class DrawnLayer:
    """A layer, an input or an output.

    kind: TensorRT's word (``CONVOLUTION`` of a network, ``gemm`` of an engine). title: it in words, with what matters
    of its attributes. module: the path of the module it is in, "" for the model itself. source: ``resnet.py:31``, "" if
    not known. inputs, outputs: indices of the drawing's tensors. flops, bytes (read and written), weight_bytes:
    of one inference; 0 where not counted.
    """

    name: str
    kind: str
    title: str
    module: str = ""
    source: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    flops: int = 0
    bytes: int = 0
    weight_bytes: int = 0


@dataclass(frozen=True)
class Measurement:
    """What layers or modules are coloured by.

    name: ``time`` or ``error``. unit: ``ms`` or "". adds_up: whether a module's value is the sum of its layers' (else
    their largest). layers: values by layer index. modules: values by path, where they are given; they go before sums.
    """

    name: str
    unit: str
    adds_up: bool
    layers: Mapping[int, float] = field(default_factory=dict)
    modules: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A network or an engine.

    types: the classes of modules by path, where they are known. notes: what a reader should know, a sentence each.
    """

    title: str
    layers: tuple[DrawnLayer, ...]
    tensors: tuple[DrawnTensor, ...]
    types: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    measurement: Measurement | None = None

    def edges(self) -> Iterator[tuple[int, int, int]]:
        """Each way of a tensor from a layer to one that reads it: the two layers' indices, and the tensor's."""
        producer = {tensor: index for index, drawn in enumerate(self.layers) for tensor in drawn.outputs}
        for index, drawn in enumerate(self.layers):
            for tensor in drawn.inputs:
                if tensor in producer:
                    yield producer[tensor], index, tensor
