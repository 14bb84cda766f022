"""Every public function of torch and torch.nn.functional is here, or absent with a reason that an error gives."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch.overrides
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.ops.arguments.unsupported import ABSENT, reason
from trtnet.support.errors import ModelError


def functions() -> set[str]:
    """What torch lets others override, what is built in, and what torch.nn.functional has."""
    of_torch = {f.__name__ for f in torch.overrides.get_overridable_functions()[torch] if hasattr(torch, f.__name__)}
    built_in = {name for name in dir(torch) if type(getattr(torch, name)).__name__ == "builtin_function_or_method"}
    functional = {name for name in dir(F) if callable(getattr(F, name)) and not isinstance(getattr(F, name), type)}
    return {name for name in of_torch | built_in | functional if not name.startswith("_")}


def test_every_function_is_here_or_absent_with_a_reason() -> None:
    left = sorted(name for name in functions() if not hasattr(ops, name) and not reason(name))
    assert not left
    here = {name for name in functions() if hasattr(ops, name)}
    assert len(here) > 300, "most of what torch has is here"


def test_the_table_has_only_names_of_torch() -> None:
    assert not [name for name in ABSENT if not hasattr(torch, name) and not hasattr(F, name)]


@pytest.mark.parametrize("name", ["cross_entropy", "view_as_complex", "svd", "bincount", "gru", "gumbel_softmax"])
def test_an_absent_function_says_what_to_do(name: str) -> None:
    with pytest.raises(AttributeError, match=f"trtnet.ops has no '{name}'; {re.escape(reason(name))}"):
        getattr(ops, name)
    function = getattr(torch, name, None) or getattr(F, name)
    if name in ("svd", "view_as_complex", "bincount"):
        with pytest.raises(ModelError, match=rf"{re.escape(reason(name))}\n  in tests/ops/test_functions_of_torch\.py"):
            network_of(lambda x: function(x), {"x": trtnet.Input((4, 2))})


INSTEAD: dict[str, tuple[Any, Any]] = {  # torch's function, and what its error says to write
    "special_entr": (torch.special.entr, lambda x: torch.where(x == 0, 0, -x * x.log())),
}


class Of(torch.nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


@pytest.mark.parametrize("name", INSTEAD)
def test_what_an_error_says_to_write_is_the_function(name: str) -> None:
    function, instead = INSTEAD[name]
    x = torch.tensor([[0.5, 2.0, 0.0], [1.0, 0.0, 3.0]])
    with pytest.raises(ModelError, match=rf"torch's {name} of a symbolic tensor: {re.escape(reason(name))}"):
        trtnet.define(Of(function).eval(), {"x": trtnet.Input((2, 3))})
    found = trtnet.define(Of(instead).eval(), {"x": trtnet.Input((2, 3))}).reference()(x)
    torch.testing.assert_close(found, function(x), check_dtype=False)


@pytest.mark.parametrize("function", [torch.linalg.svd, torch.linalg.eigh, torch.special.erfcx])
def test_families_that_are_absent_say_why(function: Any) -> None:
    with pytest.raises(ModelError, match=r"TensorRT has no .*compute it outside|TensorRT has no layer for this"):
        trtnet.define(Of(function).eval(), {"x": trtnet.Input((3, 3))})
