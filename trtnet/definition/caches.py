"""Caches that a network takes and gives in 8 bits: models see floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trtnet.graph import Input, Network, Tensor
from trtnet.graph.quantized import HeldCache
from trtnet.ops.quantization.caches import held, in_floats, narrowed
from trtnet.support.call_interface import output_name
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted


def declared(network: Network, inputs: Mapping[str, Input]) -> dict[str, Input]:
    """The inputs, those that are quantized caches in their 8 bits. Raises ModelError for scales of another number."""
    found = dict(inputs)
    for name, spec in inputs.items():
        cache = network.quantized.cache_of(name, spec)
        if cache is None:
            continue
        heads = spec.shape[1]
        if cache.scale.ndim and isinstance(heads, int) and cache.scale.shape != (heads,):
            raise ModelError(
                f"quantization: the cache {name} has {counted(heads, 'head')}, and {counted(cache.scale.size, 'scale')}"
            )
        network.quantized.caches[name] = cache
        found[name] = replace(spec, dtype=cache.dtype.name)
    return found


def entered(network: Network, name: str, tensor: Tensor) -> Tensor:
    """A cache in the floats of the network."""
    return in_floats(HeldCache(network.quantized.caches[name], tensor), network.dtype)


def kept(network: Network, model: str, outputs: Mapping[str, Tensor], chosen: Mapping[str, str]) -> dict[str, Tensor]:
    """The outputs, those that are the next values of quantized caches in 8 bits.

    chosen: the outputs of states. Raises ModelError for a cache that no output gives.
    """
    found = dict(outputs)
    for name, cache in network.quantized.caches.items():
        wanted = [cache.output] if cache.output else [f"new_{name}", output_name(name, network.inputs), f"{name}_next"]
        output = chosen.get(name) or next((each for each in wanted if each in outputs), None)
        if output is None:
            raise ModelError(
                f"quantization: {model} returns {', '.join(outputs)}, and none is {' or '.join(wanted)}, the next cache"
                f" {name}: its scheme says which, {{'scheme': 'fp8_cache', 'output': {next(iter(outputs))!r}}}"
            )
        tensor = outputs[output]
        already = held(tensor)
        found[output] = (already or narrowed(tensor, HeldCache(cache, tensor))).values
    return found
