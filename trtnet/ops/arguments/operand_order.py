"""Sums beside a convolution, ``x + relu(conv(x))``, for sizes that are known only when an engine runs.

TensorRT-RTX 1.6.1 has general kernels for any size, and compiles others for the sizes of a call. Its general kernels
take what a convolution's kernel computes for the first operand of a sum, difference or product that is in the kernel,
whichever it is. H200, 2026-11-29: ``x + relu(conv(x))`` has a relative error of 0.7 to 1 in 16 bits, in float32 with
grouped convolutions; ``relu(conv(x)) + x`` is right. For a grouped convolution in 16 bits with its activation and a sum
it has no general kernel, and makes no execution context. tests/gpu/test_gpu_shortcuts.py.
"""

from __future__ import annotations

from trtnet.graph import Dim, Tensor
from trtnet.graph.layers.convolved import Origin
from trtnet.support import backend

COMMUTATIVE = frozenset(("MAX", "MIN", "PROD", "SUM"))


def ordered(operation: str, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The operands of a layer, that of the later convolution first where the result is the same."""
    is_swapped = operation in COMMUTATIVE and _is_affected(a, b) and _is_second(a, b)
    return (b, a) if is_swapped else (a, b)


def is_apart(operation: str, a: Tensor, b: Tensor) -> bool:
    """Whether a layer must not be computed in the kernel of the convolution that an operand is computed from."""
    if not _is_affected(a, b):
        return False
    is_grouped = any(origin is not None and origin.is_grouped for origin in (_origin(a), _origin(b)))
    return (is_grouped and a.dtype.bits == 16) or (operation not in COMMUTATIVE and _is_second(a, b))


def _is_affected(a: Tensor, b: Tensor) -> bool:
    """Whether there are general kernels for two tensors of one shape, not both of the same convolution."""
    is_dynamic = backend.name() == "tensorrt_rtx" and any(isinstance(size, Dim) for size in a.shape)
    return is_dynamic and a.ndim > 2 and a.shape == b.shape and _origin(a) != _origin(b)


def _origin(x: Tensor) -> Origin | None:
    return x.network.convolved.origin(x.trt)


def _is_second(a: Tensor, b: Tensor) -> bool:
    """Whether `b` is computed from a later convolution than `a`."""
    first, second = _origin(a), _origin(b)
    return second is not None and (first is None or first < second)
