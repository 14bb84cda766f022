"""Connectionist temporal classification (Graves et al., 2006): from what is likely at each place to a text."""

import trtnet
from trtnet import ops


def collapsed(likely: trtnet.Tensor) -> trtnet.Tensor:
    """[batch, places] int64, the most likely class of each place -> the same, with 0, the blank, where one repeats."""
    return ops.where(likely == ops.pad(likely[:, :-1], (1, 0)), 0, likely)
