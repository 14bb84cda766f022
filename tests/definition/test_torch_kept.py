"""What a PyTorch module keeps from call to call, which an engine does not."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

import pytest
import torch
from torch import nn

import trtnet

X = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))


class Keeping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.ones(6))
        self.register_buffer("count", torch.tensor(0), persistent=False)
        self.before: Any = torch.zeros(6)
        self.hidden: Any = None
        self.cache = {"k": torch.zeros(6)}


class Averages(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return x - self.mean


class Counts(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count = self.count + 1
        return x / self.count


class WritesAnAttribute(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.before += 1
        return x + self.before


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Averages, r"^Averages assigns a new value to part.mean.*trtnet.State(.|\n)*self.mean = 0.9"),
        (Counts, r"^Counts assigns a new value to part.count(.|\n)*self.count = self.count"),
        (WritesAnAttribute, r"part: add_ writes to part.before of the module(.|\n)*self.before \+= 1"),
    ],
)
def test_a_state_in_a_buffer_is_an_error_that_names_it(kind: type[nn.Module], text: str) -> None:
    module = nn.Sequential()
    module.part = kind()
    with pytest.raises(trtnet.ModelError, match=text):
        trtnet.define(module.eval(), {"x": X})
    assert torch.equal(module.part.before, torch.zeros(6)), "the module is as it was"


class Adds(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.before = self.before + x.mean(0)
        return x + self.before


class Remembers(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.hidden is None:
            self.hidden = x.new_zeros(x.shape[0], 6)
        self.hidden = torch.tanh(x + self.hidden)
        return self.hidden


class RemembersDecorated(Keeping):
    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hidden = torch.tanh(x if self.hidden is None else x + self.hidden)
        return self.hidden


class RemembersInATuple(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = x.new_zeros(x.shape[0], 6) if self.hidden is None else self.hidden[1]
        self.hidden = x.shape, torch.tanh(x + before)
        return self.hidden[1]


class Steps(Keeping):
    steps, longest = 0, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        if x.shape[1] > self.longest:
            self.longest = x.shape[1]
        return x * self.steps


class Caches(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache["k"] = self.cache["k"] + x[0]
        return x + self.cache["k"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Adds, "before"),
        (Remembers, "hidden"),
        (RemembersDecorated, "hidden"),
        (RemembersInATuple, "hidden.1"),
        (Steps, "steps"),
        (Caches, "cache.k"),
    ],
)
def test_a_state_in_another_attribute_is_a_warning(
    kind: type[nn.Module], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        network = trtnet.define(kind().eval(), {"x": X}, dims={"x": {0: "batch"}})
    assert f"{kind.__name__} assigns a new value to {name}, which a network does not keep" in caplog.text
    assert caplog.text.count("assigns a new value") == 1
    torch.testing.assert_close(network.reference()(X), kind()(X), check_device=False, msg="the first call's")


def test_a_part_that_is_replaced_is_named_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    class Replaces(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Adds()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.part(x)
            self.part = Adds()
            return y

    module = Replaces().eval()
    part = module.part
    with caplog.at_level(logging.WARNING):
        trtnet.define(module, {"x": X})
    assert "Adds assigns a new value to part.before" in caplog.text and module.part is part


class Masks(Keeping):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mean.shape[0] != 7:
            self.mean = torch.arange(7.0)
        self.register_buffer("mask", torch.triu(torch.ones(x.shape[0], 6)), persistent=False)
        if self.hidden is None or self.hidden.shape[0] != 6:
            self.hidden = torch.tril(torch.ones(x.shape[0], 6))
        return x * self.mask + self.mean[:6] + self.hidden


class Shows(Keeping):
    def __init__(self) -> None:
        super().__init__()
        self.recent: Any = deque(maxlen=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.recent.append(x)
        self.before = self.hidden = x.softmax(-1)
        self.cache["k"] = x + 1
        return self.hidden + x


@pytest.mark.parametrize("kind", [Masks, Shows])
def test_what_is_of_one_call_or_of_sizes_is_no_state(kind: type[nn.Module], caplog: pytest.LogCaptureFixture) -> None:
    module = kind().eval()
    with caplog.at_level(logging.WARNING, logger="trtnet.definition"):
        network = trtnet.define(module, {"x": X}, dims={"x": {0: "batch"}})
    assert "assigns" not in caplog.text
    assert not getattr(module, "recent", None), "the module is as it was"
    torch.testing.assert_close(torch.as_tensor(network.reference()(X)), kind()(X))
