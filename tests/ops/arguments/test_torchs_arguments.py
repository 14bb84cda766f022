"""Arguments that torch code passes and that change nothing in an engine, and ``inplace``, as signatures have it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.ops.writes.in_place import FUNCTIONS
from trtnet.support.errors import LayerError

MADE = {
    "zeros": ((2, 3),),
    "ones": ((2, 3),),
    "full": ((2, 3), 1.5),
    "arange": (6,),
    "eye": (3,),
    "linspace": (0.0, 1.0, 5),
}
LIKE = {"zeros_like": (), "ones_like": (), "full_like": (2.5,)}
OPTIONS: dict[str, Any] = {"requires_grad": False, "pin_memory": False, "layout": torch.strided}


@pytest.mark.parametrize("name", [*MADE, *LIKE])
def test_what_changes_nothing_is_taken(name: str) -> None:
    def forward(space: Any, x: Any) -> Any:
        given = (x, *LIKE[name]) if name in LIKE else MADE[name]
        return getattr(space, name)(*given, device=x.device, **OPTIONS) + x.reshape(-1)[:1].sum()

    x = torch.randn(2, 3)
    network = network_of(lambda x: forward(ops, x), {"x": trtnet.Input((2, 3))})
    np.testing.assert_allclose(network.reference()(x.numpy()), forward(torch, x).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ["new_zeros", "new_ones", "new_full"])
def test_methods_take_it_too(name: str) -> None:
    def forward(x: Any) -> Any:
        return x + getattr(x, name)((2, 3), *((1.5,) if name == "new_full" else ()), device=x.device, **OPTIONS)

    x = torch.randn(2, 3)
    network = network_of(forward, {"x": trtnet.Input((2, 3))})
    np.testing.assert_allclose(network.reference()(x.numpy()), forward(x).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_signatures_have_inplace_where_torchs_have_it(name: str) -> None:
    ours = inspect.signature(getattr(ops, name)).parameters
    theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    assert list(ours)[-1] == list(theirs)[-1] == "inplace" and len(ours) == len(theirs)

    def forward(space: Any, x: Any) -> Any:
        y = x + 0.0
        getattr(space, name)(y, *((0.1, 2.0) if name == "threshold" else ()), inplace=True)
        return y

    x = torch.linspace(-4, 4, 12).reshape(3, 4)
    network = network_of(lambda x: forward(ops, x), {"x": trtnet.Input((3, 4))})
    expected = forward(torch.nn.functional, x)
    np.testing.assert_allclose(network.reference()(x.numpy()), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_rrelu_does_not_train() -> None:
    with pytest.raises(LayerError, match="rrelu: training draws random slopes"):
        network_of(lambda x: ops.rrelu(x, training=True), {"x": trtnet.Input((3, 4))})
