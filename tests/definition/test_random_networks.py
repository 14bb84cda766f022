"""Random networks of a few layers equal torch on the reference; the same are searched on GPUs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu import random_networks
from helpers.comparing import relative_l2
from helpers.definition.random_networks import Case, Layer, drawn, expected

import trtnet


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_networks_equal_torch(first: int) -> None:
    compared = 0
    for seed in range(first, first + 20):
        case = drawn(seed, ["float32"])
        network = case.network()
        wanted = expected(case, network)
        if wanted is None:
            continue
        defined = trtnet.define(network, {"x": trtnet.Input(("batch", *case.image))})
        found = random_networks.named(defined.reference()(case.inputs()))
        far = {name: relative_l2(found[name], y) for name, y in wanted.items()}
        assert max(far.values()) < 1e-4, f"seed {seed}: {far}\n{network.described()}"
        compared += 1
    assert compared >= 15


def test_a_result_of_which_rounding_is_left_tells_nothing() -> None:
    """A layer norm of two equal channels: 0 in torch, and 3e-6 a pixel in an engine that is right."""
    case = drawn(6868)
    assert expected(case, case.network()) is None
    assert expected(case.without(len(case.steps) - 2), case.without(len(case.steps) - 2).network()) is not None


def test_what_differs_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: whatever pads differs."""

    def judged(case: Case, on_gpu: bool) -> tuple[str, str]:
        texts = [layer.text for layer in case.network().steps if isinstance(layer, Layer)]
        return ("different" if any("pad (" in text for text in texts) else "right"), ""

    monkeypatch.setattr(random_networks, "outcome", judged)
    case: Any = next(c for c in map(drawn, range(100)) if len(c.steps) > 4 and judged(c, False)[0] == "different")
    small = random_networks.smallest(case, "different", False)
    assert [name for name, _ in small.steps] == ["padding"]
    assert torch.equal(small.inputs(), case.inputs())
