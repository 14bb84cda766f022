"""What operations refuse by their docstrings: an error of the operation, with the user's line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: ops.local_response_norm(x.long(), 3), "local_response_norm takes a floating tensor, found int64"),
        (lambda x: ops.pixel_shuffle(x[0, 0], 2), "pixel_shuffle takes 3 dimensions or more, found 1"),
        (lambda x: ops.pixel_unshuffle(x[0], 2), "pixel_unshuffle takes 3 dimensions or more, found 2"),
        (lambda x: ops.channel_shuffle(x[0, 0], 2), "channel_shuffle takes 2 dimensions or more, found 1"),
        (lambda x: ops.bucketize(x, x), "bucketize takes boundaries that are a vector, found 3 dimensions"),
        (lambda x: ops.assertion(x, "text"), "assertion takes a bool condition, found float32"),
        (lambda x: ops.cat([x, x[0]]), "cat takes tensors of one rank, found 3, 2"),
    ],
)
def test_what_is_refused_names_the_line(call: Callable[..., Any], text: str) -> None:
    with pytest.raises(LayerError, match=rf"(?s){text}.*tests/ops/test_refusals\.py:\d+"):
        network_of(call, {"x": trtnet.Input((2, 4, 6))})
