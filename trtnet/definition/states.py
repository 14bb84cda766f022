"""States: which result of a model is which state's next value, cast to it, and held for streams that take no part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from trtnet import ops
from trtnet.graph import Input, Network, Size, State, Tensor
from trtnet.support.backend import trt
from trtnet.support.call_interface import ACTIVE, StateInfo, output_name
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted

_ONE = np.array(1, np.float32)
_UNNAMED = re.compile(r"output\d*(\.\d+)*")


def check_declared(model: str, inputs: Mapping[str, Input], states: Mapping[str, State]) -> None:
    """Raises ModelError for states of different numbers of streams, and of another number than the inputs have.

    Also for an input with the name of the mask.
    """
    if states and ACTIVE in inputs:
        raise ModelError(
            f"{model} has states and an input {ACTIVE!r}, which is the name of the mask of the streams that take part"
            f" in a call: give it another name"
        )
    counts = {name: spec.shape[spec.axis] for name, spec in states.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ModelError(f"the states of {model} have different numbers of streams: {said}; axis= says where they are")
    given = {name: spec for name, spec in inputs.items() if name not in states}
    for name, spec in states.items():
        if given and not _may_have(spec.shape[spec.axis], [each.shape for each in given.values()]):
            found = ", ".join(f"{key} {each.shape}" for key, each in given.items())
            raise ModelError(
                f"state {name} {spec.shape} of {model}: axis {spec.axis} is that of the streams, and no input has an"
                f" axis {spec.shape[spec.axis]}: found {found}. Give the streams' axis the same size or name in both;"
                f" axis= says where it is in a state"
            )


def _may_have(streams: int | str, shapes: Sequence[Sequence[int | str]]) -> bool:
    """Whether an axis of some inputs may be that of so many streams. A single stream needs none."""
    found = {size for shape in shapes for size in shape}
    return streams in found or streams == 1 or (isinstance(streams, int) and any(isinstance(s, str) for s in found))


def carried(
    network: Network, model: str, outputs: Mapping[str, Tensor], states: Mapping[str, State]
) -> dict[str, Tensor]:
    """The outputs, those of the states cast and held; ``network.states`` says which they are.

    The state of a stream that takes no part in a call stays as it is, by an additional input, a mask [streams]. A
    single stream needs none, and a cache that is written in place has what it holds.
    Raises ModelError for a state that no output gives, or one of another shape or kind.
    """
    found = chosen(model, outputs, states)
    if len(set(found.values())) == len(outputs):
        raise ModelError(f"every result of {model} is a state: return also what a call gives, as in return y, h")
    results, described = dict(outputs), []
    for name, output in found.items():
        tensor = _checked(network, name, output, results.pop(output), states[name])
        spec = states[name]
        is_held = spec.shape[spec.axis] != 1 and not _is_placed(network, tensor)
        if is_held:
            tensor = _held(network, name, tensor, spec)
        described.append(StateInfo(name, output_name(output, network.inputs), spec.axis, is_held))
        results[described[-1].output] = tensor
    network.states = tuple(described)
    return results


def chosen(model: str, outputs: Mapping[str, Tensor], states: Mapping[str, State]) -> dict[str, str]:
    """For each state the output that is its next value. Raises ModelError for a state that no output gives."""
    names = list(outputs)
    if all(_UNNAMED.fullmatch(name) for name in names) and not any(spec.output for spec in states.values()):
        if len(names) < len(states):
            raise ModelError(f"{model} has {counted(len(states), 'state')} and {counted(len(names), 'result')}")
        return dict(zip(states, names[-len(states) :], strict=True))
    found: dict[str, str] = {}
    for name, spec in states.items():
        wanted = [spec.output] if spec.output else [name, output_name(name, states), f"{name}_next"]
        output = next((each for each in wanted if each in outputs), None)
        if output is None:
            raise ModelError(
                f"state {name}: {model} returns {', '.join(names)}, and none is {' or '.join(wanted)}; say which is its"
                f" next value: trtnet.State({states[name].shape}, output={names[-1]!r})"
            )
        if output in found.values():
            raise ModelError(f"output {output} of {model} is the next value of two states; return it for each")
        found[name] = output
    return found


def _checked(network: Network, name: str, output: str, tensor: Tensor, spec: State) -> Tensor:
    """The next value of a state, in the state's dtype."""
    state = network.inputs[name]
    if list(map(_size, tensor.shape)) != list(map(_size, state.shape)):
        raise ModelError(
            f"state {name} {_sizes(state)}: its next value, output {output}, is {_sizes(tensor)}; a state has the same"
            f" sizes in every call"
        )
    if tensor.dtype == state.dtype:
        return tensor
    if not (tensor.dtype.is_floating and state.dtype.is_floating):
        raise ModelError(f"state {name} is {state.dtype}; its next value, output {output}, is {tensor.dtype}")
    return tensor.to(state.dtype)


def _is_placed(network: Network, tensor: Tensor) -> bool:
    """Whether it is the state with an update at positions, which TensorRT writes in its place if it is of floats."""
    if tensor.trt in network.quantized.placed:
        return True
    kind = getattr(trt.LayerType, "KV_CACHE_UPDATE", None)
    if kind is None or tensor.trt.is_network_input:
        return False
    return bool(trt.ILayer.type.fget(network.maker(tensor)) == kind)


def _held(network: Network, name: str, tensor: Tensor, spec: State) -> Tensor:
    """The state before, for streams that take no part in a call."""
    if ACTIVE not in network.inputs:
        network.add_input(ACTIVE, Input((spec.shape[spec.axis],), "bool"))
    mask = network.inputs[ACTIVE]
    rank = len(spec.shape)
    shaped = mask.reshape(*(mask.shape[0] if axis == spec.axis else 1 for axis in range(rank)))
    before = network.inputs[name]
    if not (tensor.dtype.is_floating and tensor.dtype.bits < 16):
        return ops.where(shaped, tensor, before)
    wide = (ops.dequantize(each, _ONE, dtype="float32") for each in (tensor, before))  # TensorRT selects no float8
    return ops.quantize(ops.where(shaped, *wide), _ONE, dtype=tensor.dtype)


def _size(size: Size) -> int | str:
    return size if isinstance(size, int) else str(size)


def _sizes(tensor: Tensor) -> str:
    return f"[{', '.join(map(str, tensor.shape))}]"
