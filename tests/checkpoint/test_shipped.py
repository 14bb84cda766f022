"""Weights that come with trtnet."""

from __future__ import annotations

import pytest

from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import CheckpointError


def test_they_are_found_by_name() -> None:
    assert "fc3.weight" in open_checkpoint("trtnet:lenet.safetensors")


@pytest.mark.parametrize(
    "name", ["trtnet:resnet50.safetensors", "trtnet:../pyproject.toml", "trtnet:", "trtnet:vit.toml"]
)
def test_others_are_not(name: str) -> None:
    with pytest.raises(CheckpointError, match="does not come with trtnet, which has trtnet:lenet"):
        open_checkpoint(name)
