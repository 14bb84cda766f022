"""`trtnet draw` of an engine that a GPU runs: its layers by modules, in the colours of their times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import trtnet
from trtnet.cli.main import app
from trtnet.models import resnet18
from trtnet.tools.draw.drawing import INPUT, OUTPUT
from trtnet.tools.draw.reading import read
from trtnet.tools.draw.tree import nest
from trtnet.tools.targets.networks import Choices
from trtnet.tools.targets.placeholder_weights import Placeholder

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = resnet18()
    inputs = {"image": trtnet.Input((1, 3, 64, 64))}
    path = tmp_path_factory.mktemp("draw") / "resnet18.engine"
    network = trtnet.define(model, inputs, Placeholder(model, "float16"), dtype="float16")
    network.build(config=trtnet.BuildConfig(profiling_verbosity="detailed")).save(path)
    return path


def test_layers_are_in_their_modules(engine: Path) -> None:
    drawing = read(str(engine), Choices())
    assert {one.name: one.kind for one in drawing.layers if one.kind in (INPUT, OUTPUT)} == {
        "image": INPUT,
        "output": OUTPUT,
    }
    assert {"layer1", "layer4"} <= {group.path for group in nest(drawing).groups}


def test_a_profile_colours_it(engine: Path, tmp_path: Path) -> None:
    layers = [one.name for one in read(str(engine), Choices()).layers if one.kind not in (INPUT, OUTPUT)]
    (tmp_path / "profile.json").write_text(json.dumps(dict.fromkeys(layers, 0.01)))
    output = tmp_path / "x.html"
    options = ["-o", str(output), "--profile", str(tmp_path / "profile.json"), "--json", "-"]
    result = CliRunner().invoke(app, ["draw", str(engine), *options], catch_exceptions=False)
    assert json.loads(result.stdout)["layers"] == len(layers)
    assert '"measurement":{"name":"time","unit":"ms","adds_up":true}' in output.read_text()
