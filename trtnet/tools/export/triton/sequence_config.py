"""What config.pbtxt says of a model whose states are carried along sequences of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trtnet.builder import PlanInfo
from trtnet.builder.plan import ShapeRange
from trtnet.runtime.execution.states import without
from trtnet.support.call_interface import StateInfo, TensorInfo
from trtnet.support.errors import PlanError
from trtnet.support.text.counted import counted
from trtnet.tools.export.triton.serving import Serving

STREAMS = "streams"
"""The axis of the sequences, in what Triton is told."""
CONTROLS = ("START", "END", "READY")
"""The inputs that Triton adds to a request: whether it is the first or the last of its sequence, or one at all."""
WARMUP = "trtnet_warmup"
"""The parameter of a model that is run before it is ready."""


def of_sequences(info: PlanInfo) -> PlanInfo:
    """An engine with states as Triton sees it: without them, the axis of the streams first everywhere.

    Others as they are. Raises PlanError for an input with another dynamic axis, a name that Triton's controls have, and
    for states that cannot stay as they are while other sequences go on.
    """
    if not info.states:
        return info
    streams = next(each.shape[info.states[0].axis] for each in info.inputs if each.name == info.states[0].input)
    inputs, outputs = (without(infos, info.states) for infos in (info.inputs, info.outputs))
    axes = {each.name: each.shape.index(streams) if streams in each.shape else 0 for each in (*inputs, *outputs)}
    for each in (*inputs, *outputs):
        if each.name in CONTROLS:
            raise PlanError(f"{each}: its name is that of an input that Triton adds for sequences; choose another one")
    for each in inputs:
        dynamic = [size for size in each.shape if isinstance(size, str) and size != streams]
        if dynamic:
            raise PlanError(f"input {each} of a model with states: give {dynamic[0]} a size, as streams have one shape")
    profiles = tuple(
        {each.name: _range(profile[each.name], axes[each.name]) for each in inputs} for profile in info.profiles
    )
    inputs, outputs = (tuple(_shown(each, axes[each.name]) for each in infos) for infos in (inputs, outputs))
    return replace(info, inputs=inputs, outputs=outputs, profiles=profiles)


def _range(shapes: ShapeRange, axis: int) -> ShapeRange:
    smallest, best, largest = (_moved(shape, axis) for shape in shapes)
    return smallest, best, largest


def _moved(shape: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    return (shape[axis], *shape[:axis], *shape[axis + 1 :])


def _shown(info: TensorInfo, axis: int) -> TensorInfo:
    return replace(info, shape=(STREAMS, *_moved(info.shape, axis)[1:]))


def stream_count(possible: range, states: Sequence[StateInfo], serving: Serving) -> int:
    """How many streams an instance has. possible: what the profiles take.

    Raises PlanError for another number, for more than one where states do not stay as they are while others go on, and
    for a cache, which knows nothing of states.
    """
    if serving.cache:
        raise PlanError(
            "--cache: answers of a model with states depend on the requests before; Triton must not keep them"
        )
    if not possible:
        raise PlanError("an input or output has the axis of the streams twice, which Triton does not batch")
    moving = [state.input for state in states if not state.held]
    count = serving.max_batch_size
    if count is None:
        count = 1 if moving and 1 in possible else possible[-1]
    if count not in possible:
        raise PlanError(
            f"{counted(count, 'sequence was', 'sequences were')} asked for at a time; it is made for {possible[0]} to"
            f" {counted(possible[-1], 'stream')}"
        )
    if moving and count > 1:
        raise PlanError(
            f"{moving[0]} is written in place, so that all {counted(count, 'stream')} would go on with each request:"
            f" serve one sequence in each instance, --max-batch-size 1 --instances {count}"
        )
    return count


def sequence_batching(serving: Serving, count: int) -> list[str]:
    """The lines for `count` sequences at a time in each instance."""
    wait = f"max_queue_delay_microseconds: {serving.delay}"
    strategy = {
        "oldest": f"oldest {{ max_candidate_sequences: {count} preferred_batch_size: [ {count} ] {wait} }}",
        "direct": f"direct {{ minimum_slot_utilization: 1 {wait} }}",
    }[serving.sequences]
    controls = ",\n".join(
        f'    {{ name: "{name}" control [ {{ kind: CONTROL_SEQUENCE_{name} int32_false_true: [ 0, 1 ] }} ] }}'
        for name in CONTROLS
    )
    idle = f"max_sequence_idle_microseconds: {round(serving.idle * 1e6)}"
    lines = ["sequence_batching {", f"  {idle}", f"  {strategy}", "  control_input [", controls, "  ]", "}"]
    if serving.warmup:  # by the model itself: the requests of Triton's own warm-up are of no sequence
        lines.append(f'parameters {{ key: "{WARMUP}" value: {{ string_value: "true" }} }}')
    return lines
