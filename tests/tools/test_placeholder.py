"""Weights that are not there: tied ones are one tensor."""

from __future__ import annotations

import numpy as np
import pytest

import trtnet
from trtnet import models, nn
from trtnet.tools.bench.feeds import RandomWeights
from trtnet.tools.targets.placeholder_weights import Placeholder


class Tied(nn.Module):
    inputs = {"ids": trtnet.Input(("n",), "int64")}

    def __init__(self) -> None:
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: trtnet.Tensor) -> trtnet.Tensor:
        return self.head(self.embedding(ids))


@pytest.mark.parametrize("kind", [Placeholder, RandomWeights])
def test_tied_weights_are_one_tensor(kind: type[Placeholder]) -> None:
    made = kind(Tied(), "float32")
    np.testing.assert_array_equal(made["head.weight"], made["embedding.weight"])
    trtnet.define(Tied(), weights=made)


def test_the_zoo_is_defined_with_random_weights() -> None:
    model = models.qwen2()
    assert RandomWeights(model, "float16").keys() >= {"lm_head.weight", "model.embed_tokens.weight"}
