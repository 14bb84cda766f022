"""Sizes that the model is told by a tensor, such as the height and width to resize to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trtnet.graph.sizes.dim import Dim, Value
from trtnet.support.errors import ModelError
from trtnet.support.source import here

if TYPE_CHECKING:
    from trtnet.graph.inputs import Input
    from trtnet.graph.tensors.tensor import Tensor


def check_names(name: str, spec: Input, dims: Mapping[str, Dim]) -> None:
    """Raises ModelError for an input whose values share a name with an axis, or with another value."""
    values = {size for size, dim in dims.items() if isinstance(dim.origin, Value)}
    doubled = {size for size in spec.values if spec.values.count(size) > 1}
    if taken := doubled | (set(spec.values) & set(dims)) | (set(spec.shape) & values):
        raise ModelError(f"input {name}: the name {sorted(map(str, taken))[0]!r} is taken; each value needs its own")


def elements(tensor: Tensor) -> tuple[Dim, ...]:
    """The elements of integers of rank 1 or 0 as sizes. TensorRT computes them on the host, before it runs the engine.

    Raises ModelError for another tensor, or for an input that was declared without names for its values.
    """
    count = 1 if tensor.ndim == 0 else tensor.shape[0]
    if tensor.ndim > 1 or tensor.dtype.name not in ("int32", "int64") or not isinstance(count, int):
        raise ModelError(here(f"sizes are read from int32 or int64 of rank 1 or 0 and of known size; found {tensor!r}"))
    tensor.network.sized_by_values = True
    if not tensor.trt.is_network_input:
        still = tensor.fresh()  # a write in place changes no size that was read before
        return tuple(Dim(f"{tensor.name}[{index}]", Value(still, index)) for index in range(count))
    names = tensor.network.values.get(tensor.name, ())
    if not names:
        example = ", ".join(f'"size{index}"' for index in range(count))
        raise ModelError(
            here(
                f"input {tensor.name} says sizes, whose ranges TensorRT wants to know: name them, by"
                f' Input({tuple(tensor.shape)}, "{tensor.dtype}", values=({example},)), and give their ranges to build'
            )
        )
    return tuple(tensor.network.dims[name] for name in names)
