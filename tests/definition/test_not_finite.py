"""Weights with NaN or infinities: one warning that names them, for every kind of model; masks are none."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn


class Masked(nn.Module):
    inputs = {"x": trtnet.Input(("batch", 4))}

    def __init__(self) -> None:
        self.fc = nn.Linear(4, 4)
        self.mask = nn.Buffer(4)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return (self.fc(x) + self.mask).softmax(1)


class TorchMasked(torch.nn.Module):
    mask: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)
        self.register_buffer("mask", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.fc(x) + self.mask, 1)


def in_torch(weights: dict[str, np.ndarray]) -> trtnet.DefinedNetwork:
    module = TorchMasked().eval()
    module.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return trtnet.define(module, {"x": torch.zeros(1, 4)})


@pytest.mark.parametrize("defined", [lambda weights: trtnet.define(Masked(), weights=weights), in_torch])
def test_one_warning_names_each_weight(
    defined: Callable[[dict[str, np.ndarray]], trtnet.DefinedNetwork], caplog: pytest.LogCaptureFixture
) -> None:
    weights = {"fc.weight": np.eye(4, dtype=np.float32), "fc.bias": np.ones(4, np.float32)}
    weights["mask"] = np.array([0, 1, -np.inf, 2], np.float32)
    with caplog.at_level(logging.WARNING):
        defined(weights)
        assert caplog.messages == []
        weights["fc.weight"][0, 1] = np.nan
        weights["fc.bias"][2] = np.inf
        network = defined(weights)
    (text,) = caplog.messages
    assert "2 tensors have NaN or infinite values: fc.weight (1 NaN of 16), fc.bias (1 Inf of 4). " in text
    assert np.isnan(network.reference()(np.ones((1, 4), np.float32))).all()
