"""What an engine of several ranks is built with, beside its layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trtnet.graph import Network

CHECK = "trtnet_sum_of_ranks"
"""The output of such an engine by which the runtime sees whether its collectives work."""


@contextmanager
def checked(network: Network) -> Iterator[None]:
    """The sum of the ranks' numbers is an output within, of a network that is one rank's."""
    check = network.division.check
    if check is None or check.network is not network:
        yield
        return
    check.trt.name = CHECK
    network.trt.mark_output(check.trt)
    try:
        yield
    finally:
        network.trt.unmark_output(check.trt)
