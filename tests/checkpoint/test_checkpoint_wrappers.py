"""Keys with the names of wrappers, tied weights, unequal parts: said in errors, and mended by rules."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn
from trtnet.checkpoint import match, open_checkpoint
from trtnet.checkpoint.rules import parse
from trtnet.support.errors import CheckpointError, WeightsError
from trtnet.weights import parse_rules, rules

SHAPES = {"fc1.weight": (2, 3), "fc2.weight": (2, 3), "fc2.bias": (2,)}
WRAPPED = {
    "compiled": lambda key: f"_orig_mod.{key}",
    "parallel": lambda key: f"module.{key}",
    "compiled and parallel": lambda key: f"module._orig_mod.{key}",
    "FSDP": lambda key: f"_fsdp_wrapped_module.{key.replace('.', '._fsdp_wrapped_module.', 1)}",
    "inner": lambda key: key.replace(".", "._checkpoint_wrapped_module._orig_mod.", 1),
}


def zeros(shapes: dict[str, tuple[int, ...]]) -> Any:
    return open_checkpoint({key: np.zeros(shape, np.float32) for key, shape in shapes.items()})


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_are_named_and_unwrapped(name: str) -> None:
    source = zeros({WRAPPED[name](key): shape for key, shape in SHAPES.items()})
    with pytest.raises(WeightsError) as caught:
        match(SHAPES, source)
    text = str(caught.value)
    assert "all 3 missing are found: --rules unwrap" in text
    assert f"fc1.weight [2, 3]   nearest: {WRAPPED[name]('fc1.weight')}" in text
    match(SHAPES, rules("unwrap").apply(source))


def test_only_the_named_wrappers() -> None:
    rule = parse_rules("[[rules]]\nunwrap = ['_orig_mod']\n", "mine")
    assert list(rule.apply({"_orig_mod.module.w": np.ones(1), "a._orig_mod.b": np.ones(1)})) == ["module.w", "a.b"]
    with pytest.raises(CheckpointError, match=r"unwrapping makes a.w, which already exists"):
        rules("unwrap").apply({"module.a.w": np.ones(1), "a.w": np.ones(1)})
    with pytest.raises(CheckpointError, match="unwrap is true, or a list"):
        parse_rules("[[rules]]\nunwrap = 3\n", "mine")


def test_a_real_wrapper() -> None:
    model = torch.nn.DataParallel(torch.nn.Linear(2, 3))
    assert list(rules("unwrap").apply(model)) == ["weight", "bias"]


def test_a_prefix_is_advised_as_a_rule() -> None:
    with pytest.raises(WeightsError, match=r"\[\[rules\]\] strip_prefix = 'backbone.' does that"):
        match(SHAPES, zeros({f"backbone.{key}": shape for key, shape in SHAPES.items()}))


def test_tying_is_said() -> None:
    model = {"embed.weight": (5, 2), "head.weight": (5, 2)}
    with pytest.raises(WeightsError, match=r"head.weight may be tied to embed.weight.*tie = 'head.weight'"):
        match(model, zeros({"embed.weight": (5, 2)}))
    with pytest.raises(WeightsError, match=r"head.weight may be embed.weight once more.*drop = '\^head"):
        match({"embed.weight": (5, 2)}, zeros(model))


def test_unequal_parts_go_there_and_back() -> None:
    split = "[[rules]]\nsplit = '^qkv\\.(weight|bias)$'\ninto = ['q.\\1', 'k.\\1', 'v.\\1']\nsizes = [4, 1, 1]\n"
    rule = parse(split, "gqa")
    source = {"qkv.weight": np.arange(12.0).reshape(6, 2), "qkv.bias": np.arange(6.0)}
    found = rule.apply(source)
    assert found["q.bias"].tolist() == [0, 1, 2, 3] and found["k.weight"].tolist() == [[8, 9]]
    assert rule.inverse().apply(found).digest() == open_checkpoint(source).digest()
    with pytest.raises(CheckpointError, match=r"cannot be split into sizes \[4, 1, 1\] along dim 0"):
        rule.apply({"qkv.bias": np.ones(7)})
    with pytest.raises(CheckpointError, match="sizes are 3 ints above 0"):
        parse(split.replace("[4, 1, 1]", "[4, 2]"), "gqa")


ODD: dict[str, Any] = {"freqs": np.ones(2, np.uint32), "u": np.ones(2, np.uint16)}


def test_what_cannot_be_read_is_dropped_renamed_ignored() -> None:
    source = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32), **ODD}
    dropped = parse("[[rules]]\ndrop = '^(freqs|u)$'\n", "mine").apply(source)
    assert set(dropped) == {"weight", "bias"} and len(dropped.digest()) == 64
    kept = parse("[[rules]]\nrename = '^freqs$'\nto = 'f'\n", "mine").apply(source)
    assert kept.listed("f").dtype == "uint32" and not kept.listed("f").readable and kept["bias"].tolist() == [1, 1]
    network = trtnet.define(nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, source, ignored=["^freqs$", "^u$"])
    info = network.describe()
    assert info.checkpoint_digest == open_checkpoint(dropped).digest()
    network.build()


def test_names_after_import_alone() -> None:
    script = (
        "import trtnet; print(callable(trtnet.weights.detect), callable(trtnet.models.resnet18),"
        " callable(trtnet.weights.read_rules), callable(trtnet.open_checkpoint))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True"] * 4
