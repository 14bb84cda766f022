"""A table that embeds tokens and is the head, too."""

from __future__ import annotations

import pytest
import torch

import trtnet

ROWS, WIDTH = 8000, 32


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(ROWS, WIDTH), torch.nn.Linear(WIDTH, ROWS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(ids) * 2)


@pytest.mark.parametrize(("form", "times"), [("transposed", 1), ("stored", 2)])
def test_an_engine_has_it_once_unless_the_head_is_stored_otherwise(form: str, times: int) -> None:
    network = trtnet.define(
        Tied().eval(), {"ids": trtnet.Input((1, 4), "int64")}, dtype="float16", forms={"product": form}
    )
    table = 2 * ROWS * WIDTH
    assert times * table <= len(network.build().plan.data) < (times + 0.6) * table
