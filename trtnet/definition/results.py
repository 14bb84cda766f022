"""What a model's ``forward`` returned, as the outputs of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Tensor
from trtnet.support.errors import ModelError


def named_outputs(model: str, result: Any) -> dict[str, Tensor]:
    """The tensors that a model's forward returned by name. Raises ModelError for anything else."""
    if isinstance(result, Tensor):
        return {"output": result}
    outputs = result if isinstance(result, dict) else {f"output{i}": x for i, x in enumerate(_sequence(result))}
    if others := [name for name in outputs if not isinstance(name, str)]:
        raise ModelError(f"{model}.forward returns a dict with the key {others[0]!r}; outputs are named by texts")
    nested = [name for name, x in outputs.items() if isinstance(x, list | tuple | dict)]
    if nested:
        kind = type(outputs[nested[0]]).__name__
        raise ModelError(
            f"{model}.forward returns a nested {kind} ({nested[0]}), but outputs must be"
            f" tensors: flatten it, as in return x, h, c for return x, (h, c), or name them: {{'x': x, 'h_next': h}}"
        )
    if not outputs or not all(isinstance(x, Tensor) for x in outputs.values()):
        raise ModelError(f"{model}.forward must return a tensor, several tensors, or a dict; found {result!r}")
    return outputs


def _sequence(result: Any) -> Sequence[Any]:
    return result if isinstance(result, list | tuple) else [result]
