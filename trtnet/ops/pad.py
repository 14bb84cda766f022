"""Padding, with the arguments of torch.nn.functional.pad."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Tensor
from trtnet.ops.operands import tensor
from trtnet.ops.slicing import Cut, cut

MODES = {"constant": "FILL", "reflect": "REFLECT", "replicate": "CLAMP", "circular": "WRAP"}


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """`x` with more at the ends of its last axes, or less where a number is negative.

    pad: (before, after) of the last axis, then of the one before it, and so on. mode: what stands there: "constant"
    (`value`), "reflect", "replicate" or "circular". Layer: ISliceLayer.
    """
    if mode not in MODES:
        x.network.fail(f"pad: mode is {', '.join(MODES)}, found {mode!r}", {"x": x})
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        x.network.fail(f"pad takes a pair for each of the last axes, found {list(pad)}", {"x": x})
    sides = {x.ndim - 1 - i // 2: (pad[i], pad[i + 1]) for i in range(0, len(pad), 2)}
    for along, (before, after) in sides.items():
        _check_room(x, along, before, after, mode)
    cuts = {a: Cut(-left, x.shape[a] + (left + right)) for a, (left, right) in sides.items() if left or right}
    fill = tensor(value, x.network, x.dtype) if mode == "constant" else None
    return cut(x, cuts, MODES[mode], fill, name="pad")


def _check_room(x: Tensor, along: int, before: int, after: int, mode: str) -> None:
    """What torch refuses: reflecting or wrapping more than there is."""
    size = x.shape[along]
    most = {"reflect": size - 1 if isinstance(size, int) else None, "circular": size}.get(mode)
    if isinstance(most, int) and max(before, after) > most:
        x.network.fail(f"pad: {mode} padding of {(before, after)} for an axis of size {size}", {"x": x})
