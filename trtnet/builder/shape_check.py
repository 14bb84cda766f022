"""Whether a network can take the shapes that a profile promises, as far as TensorRT infers shapes before building."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtnet.builder.plan import ShapeRange
from trtnet.graph import Network
from trtnet.graph.layers.read import sizes
from trtnet.graph.layers.work import shaped
from trtnet.support import provenance
from trtnet.support.backend import trt
from trtnet.support.errors import InputError, ProfileError

ENDS = ("min", "opt", "max")


def check_shapes(network: Network, profiles: Sequence[Mapping[str, ShapeRange]]) -> None:
    """Raises ProfileError for a profile whose min, opt or max shapes some layer does not take, with that layer's line.

    TensorRT builds such an engine with a warning, and the first call of that size fails. Not checked where sizes come
    from values, or scales of blocks are measured: TensorRT-RTX 1.7 loses its shapes when they are tried.
    """
    if network.loses_shapes:
        return
    for profile in profiles:
        tried: list[Mapping[str, tuple[int, ...]]] = []
        for which, end in enumerate(ENDS):
            shapes = {name: ranges[which] for name, ranges in profile.items()}
            if shapes not in tried:
                tried.append(shapes)
                _check(network, shapes, end)


def _check(network: Network, shapes: Mapping[str, tuple[int, ...]], end: str) -> None:
    network.recorder.clear()
    with shaped(network.trt, shapes):
        for index in range(network.trt.num_layers):
            layer = network.trt.get_layer(index)
            try:
                for output in range(layer.num_outputs):
                    sizes(layer.get_output(output), network.trt)
            except InputError as error:
                raise ProfileError(_message(layer, shapes, end, str(error))) from error


def _message(layer: trt.ILayer, shapes: Mapping[str, tuple[int, ...]], end: str, words: str) -> str:
    (origin, *_) = (*provenance.read(layer.metadata), provenance.Provenance("", ""))
    given = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    where = f"\n  in {origin.source}" if origin.source else ""
    return f"{layer.name} does not take the profile's {end} shapes: {given}{where}\n  {words}"
