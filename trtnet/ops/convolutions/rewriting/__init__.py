"""Convolutions that others take the place of, once all layers of a network are there and it is known who reads what.

A form of one operation decides when it is called. What is decided here takes several layers: convolutions of one image,
a convolution of another one's result, of a concatenation, of shuffled channels. Each is an operation of a kind with
forms, of the innermost module that has all of its layers.
"""

from collections.abc import Sequence

from trtnet.graph import Network, Tensor
from trtnet.ops.convolutions.rewriting.concatenations import concatenations
from trtnet.ops.convolutions.rewriting.further_channels import further_channels
from trtnet.ops.convolutions.rewriting.pairs import pairs
from trtnet.ops.convolutions.rewriting.shuffles import shuffles
from trtnet.ops.convolutions.rewriting.siblings import siblings
from trtnet.ops.convolutions.rewriting.split_sums import split_sums


def rewrite(network: Network, outputs: Sequence[Tensor]) -> None:
    """Gives the forms that are chosen to convolutions. outputs: what the network's ``forward`` returned."""
    for each in (pairs, shuffles, concatenations, siblings, further_channels, split_sums):
        each(network, outputs)


__all__ = ["rewrite"]
