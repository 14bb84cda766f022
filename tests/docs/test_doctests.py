"""The examples in docstrings print what they show."""

from __future__ import annotations

import doctest
import inspect
import sys
from typing import Any

import pytest

import trtnet
from trtnet import nn, ops

EXAMPLES = {
    f"{module.__name__}.{name}": thing
    for module in (trtnet, nn, ops)
    for name in module.__all__
    if ">>> " in ((thing := getattr(module, name)).__doc__ or "")
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_shows(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    failed, tried = _run(name, EXAMPLES[name])
    assert tried > 1
    assert not failed, capsys.readouterr().out


def test_the_most_used_have_examples() -> None:
    functions = ("build", "define", "compare", "bisect", "open_checkpoint", "Dim", "Input")
    layers = ("nn.Linear", "nn.Conv2d", "nn.Sequential", "ops.conv2d", "ops.scaled_dot_product_attention")
    assert {f"trtnet.{name}" for name in (*functions, *layers)} <= set(EXAMPLES)


def test_a_wrong_example_fails() -> None:
    assert _run("sum", type("Thing", (), {"__doc__": ">>> 1 + 1\n3\n"})).failed == 1


def _run(name: str, thing: Any) -> doctest.TestResults:
    text = inspect.cleandoc(thing.__doc__ or "")
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    return doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=sys.stdout.write)
