"""Every public function of torch and torch.nn.functional is here, or absent with a reason that an error gives."""

from __future__ import annotations

import re

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
