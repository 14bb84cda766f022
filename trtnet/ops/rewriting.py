"""Layers that others take the place of, once all of a network are there and it is known who reads what."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Network, Tensor
from trtnet.ops.convolutions import rewriting as convolutions
from trtnet.ops.kept_float32 import keep_float32
from trtnet.ops.positions.selecting import select


def rewrite(network: Network, outputs: Sequence[Tensor]) -> None:
    """Gives the forms that are chosen to operations of several layers, of a network whose ``forward`` has returned.

    outputs: what it returned; they are not marked yet.
    """
    for tensor in outputs:
        _ = tensor.trt  # decides who makes it
    select(network, outputs)
    convolutions.rewrite(network, outputs)
    keep_float32(network)
