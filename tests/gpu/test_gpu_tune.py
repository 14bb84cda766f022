"""`trtnet tune` on a real GPU: a small network with a stem, in which the forms are timed, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights, relative_l2
from typer.testing import CliRunner

import trtnet
from trtnet import nn, ops
from trtnet.cli.main import app
from trtnet.tools.tune.searching.recording import read

pytestmark = [pytest.mark.gpu, pytest.mark.alone]


class Mlp(nn.Module):
    def __init__(self) -> None:
        self.fc1, self.act, self.fc2 = nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)

    def forward(self, x: Any) -> Any:
        return x + self.fc2(self.act(self.fc1(x)))


class Net(nn.Module):
    inputs = {"x": trtnet.Input(("batch", 3, 224, 224))}

    def __init__(self) -> None:
        self.conv, self.bn, self.relu = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()
        self.blocks = nn.Sequential(Mlp(), Mlp(), Mlp())

    def forward(self, x: Any) -> Any:
        return self.blocks(ops.mean(self.relu(self.bn(self.conv(x))), (2, 3)))


def test_a_search_finds_the_stem_and_define_takes_it(tmp_path: Path) -> None:
    file, weights = tmp_path / "net.tuning.json", random_weights(Net())
    found = trtnet.tune(Net(), weights=weights, dims={"batch": 32}, dtype="float16", file=file, builders=4)
    print(found)
    assert found.unfinished == "" and found.forms is not None
    contests = [read(each) for each in found.contests]
    failed = [each.failed for _, outcome in contests for each in outcome if each.failed]
    assert all("does not apply" in each for each in failed), failed
    assert {contest.where for contest, _ in contests} >= {"stem:conv", "gelu:blocks.0.act"}
    network = trtnet.define(Net(), {"x": trtnet.Input((32, 3, 224, 224))}, weights, dtype="float16", forms=file)
    x = np.random.default_rng(0).standard_normal((32, 3, 224, 224)).astype(np.float16)
    assert relative_l2(network.build()(x), network.reference()(x)) < 1e-2
    again = trtnet.tune(Net(), weights=weights, dims={"batch": 32}, dtype="float16", file=file, builders=4, resume=True)
    assert again.contests == trtnet.Tuning.load(file).contests and len(again.contests) == len(found.contests)
    if trtnet.Tuning.load(file).gpu == "NVIDIA H200":
        assert found.forms["stem"] == {"conv": "space_to_depth"}, "0.27 ms instead of 0.49"


def test_the_command_with_a_budget(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.tuning.json"
    options = "--dtype", "float16", "--dim", "batch=8", "--budget", "120", "--jobs", "4", "--output", str(file)
    result = CliRunner().invoke(app, ["tune", "resnet18", *options], catch_exceptions=False)
    print(result.output)
    assert result.exit_code == 0 and "resnet18 on " in result.output
    found = trtnet.Tuning.load(file)
    assert found.forms is not None and {group["kind"] for group in found.groups} >= {"stem"}
