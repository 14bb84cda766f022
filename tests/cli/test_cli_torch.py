"""Commands take PyTorch modules: of a user's file, and of published libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cli.command import trtnet
from helpers.originals import import_torchvision
from typer.testing import CliRunner, Result

from trtnet.cli.main import app
from trtnet.support import backend
from trtnet.support.errors import DependencyError, ModelError, TrtnetError
from trtnet.tools.targets import importing, libraries

FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.norm(self.fc1(x))))

class Wrong(Net):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm1d(4, eps=1.0)

def make_model(width: int = 4):
    return Net(width)

def seeded():
    torch.manual_seed(0)
    return Net().eval()

net = Net()

def number():
    return 3

def nothing():
    pass

def sized(size):
    return Net()
"""
DECLARE = "--declare", "x=batch,3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch")
    (path / "net.py").write_text(FILE)
    torch.manual_seed(1)
    scope: dict[str, type] = {}
    exec(FILE, scope)
    torch.save(scope["Net"]().state_dict(), path / "net.pth")
    return path


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_build_says_whose_weights_an_engine_has(folder: Path) -> None:
    result = trtnet("build", "net.py:make_model", *DECLARE, "--dim", "batch=1:4:8", "-o", "n.engine", folder=folder)
    assert result.returncode == 0 and "random ones of net.py:make_model" in result.stdout, result.stderr
    assert "net.py:make_model has random weights: name a checkpoint by --weights" in result.stderr
    document = json.loads((folder / "n.engine.json").read_text())
    assert document["model"] == "net.py:make_model" and document["inputs"][0]["shape"] == ["batch", 3]
    own = trtnet("build", "net.py:seeded", "--declare", "x=2,3", "-o", "n.engine", "--json", "-", folder=folder)
    assert json.loads(own.stdout)["weights"] == "those that net.py:seeded has by itself" and "random" not in own.stderr
    loaded = trtnet(
        "build", "net.py:Net", "--declare", "x=2,3", "--weights", "net.pth", "-o", "n.engine", "--json", "-",
        folder=folder,
    )  # fmt: skip
    assert json.loads(loaded.stdout)["weights"] == "net.pth" and "random" not in loaded.stderr


@pytest.mark.parametrize("target", ["net.py:net", "net.py:Net", "net.py:make_model"])
def test_a_function_a_class_and_a_module_are_models(target: str, inside: Path) -> None:
    np.save("x.npy", np.ones((2, 3), np.float32))
    run("run", target, *DECLARE, "--input", "x=x.npy", "--weights", "net.pth", "--save", "y.npz")
    scope: dict[str, type] = {}
    exec(FILE, scope)
    module = scope["Net"]().eval()
    module.load_state_dict(torch.load("net.pth", weights_only=True))
    with torch.no_grad():
        np.testing.assert_allclose(np.load("y.npz")["output"], module(torch.ones(2, 3)).numpy(), rtol=1e-5)


def test_a_module_is_compared_and_bisected_with_itself(inside: Path) -> None:
    sizes = *DECLARE, "--dim", "batch=3"
    result = run("compare", "net.py:make_model", *sizes, "--arg", "width=8")
    assert result.exit_code == 0 and "against torch:net.py:make_model" in result.stdout
    assert "has its own, from its factory: random ones" in " ".join(result.stdout.split())
    assert run("compare", "net.py:make_model", *sizes, "--weights", "net.pth").exit_code == 0
    assert run("bisect", "net.py:make_model", *sizes).exit_code == 0
    wrong = run("bisect", "net.py:Wrong", *sizes, "--torch", "net.py:seeded")
    assert wrong.exit_code == 1 and "eps is 1.0 here, 1e-05 in torch" in " ".join(wrong.stdout.split())
    found = run("precision", "net.py:make_model", *sizes, "--json", "-")
    assert json.loads(found.stdout)["mapping"] == {"": "float16"}


def test_inspect_and_draw_show_its_modules(inside: Path) -> None:
    assert "norm BatchNorm1d" in run("inspect", "net.py:net", *DECLARE).stdout
    assert run("draw", "net.py:net", *DECLARE, "-o", "net.svg").exit_code == 0
    assert "fc1" in Path("net.svg").read_text()


def test_a_script_for_polygraphy_makes_the_same_network(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTNET_BACKEND", backend.name())  # the script says it anew, for its own process
    run("export", "polygraphy", "net.py:seeded", "--declare", "x=2,3", "-o", "script.py")
    scope: dict[str, Any] = {}
    exec(Path("script.py").read_text(), scope)
    _, network, keeps = scope["load_network"]()
    assert network.num_layers > 3 and keeps.named | keeps.folded >= {"fc1.weight", "fc2.bias"}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("net.py:number", "number returned an int, neither a trtnet.nn.Module nor a torch.nn.Module"),
        ("net.py:nothing", "nothing returned nothing, neither a trtnet.nn.Module nor a torch.nn.Module"),
        ("net.py:sized", "sized takes size, which has no default: give --arg size=VALUE"),
        ("net.py:make_modle", "has no function 'make_modle'; did you mean make_model"),
        ("net.py:net --arg width=3", "a Net is a model, not a factory: it takes no arguments {'width': 3}"),
        ("net.py:Net --arg widht=3", "Net takes no widht; did you mean width"),
        ("net.py:Net", "does not declare its inputs.*--declare x="),
        ("net.py:Net --dim batch=8", "does not declare its inputs.*--declare x="),
        ("net.py:Net --declare x=8x3", "--declare x=8x3: '8x3' is neither a size nor a name; sizes are separated by"),
        ("resnet5", "unknown model 'resnet5'.*did you mean resnet50.*torchvision:NAME"),
        ("torchvision:resnet5", "torchvision has no 'resnet5'; did you mean .*resnet50"),
        ("timm:convnext_tinny", "timm has no 'convnext_tinny'; did you mean convnext_tiny"),
        ("transformers:nothing", "there is no nothing/config.json.*trtnet does not download it"),
    ],
)
def test_what_is_not_a_model_is_an_error_that_says_what_is(target: str, text: str, inside: Path) -> None:
    import_torchvision()
    with pytest.raises(TrtnetError, match=f"(?s){text}"):
        run("inspect", *target.split())


def test_a_missing_library_is_named_with_what_installs_it() -> None:
    with pytest.raises(DependencyError, match="no_such is not installed: pip install no_such"):
        importing.imported("no_such.models", "no_such")


def test_torchvision_is_imported_beside_a_torch_that_its_operators_are_not_for() -> None:
    program = "from trtnet.tools.targets.libraries import published; print(published('torchvision:resnet18').name)"
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert done.stdout == "resnet18\n", done.stderr


@pytest.mark.parametrize(
    ("target", "size", "options"),
    [
        ("torchvision:squeezenet1_1", [1, 3, 224, 224], ()),
        ("torchvision:vit_b_32", [1, 3, 64, 64], ("--arg", "image_size=64")),
        ("timm:lcnet_035", [1, 3, 224, 224], ()),
    ],
)
def test_models_of_libraries_have_inputs_and_random_weights(
    target: str, size: list[int], options: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    import_torchvision()
    result = run("inspect", target, *options, "--dim", "batch=1", "--json", "-")
    assert [x["shape"] for x in json.loads(result.stdout)["inputs"]] == [size]
    assert f"{target} has random weights" in caplog.text and "downloads" not in caplog.text


def test_what_a_factory_would_download_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    models = import_torchvision().models
    given = {}

    def builder(*, weights: object = None, weights_backbone: object = "IMAGENET1K_V1", **more: object) -> None:
        given.update(weights=weights, weights_backbone=weights_backbone, **more)

    monkeypatch.setattr(models, "get_model_builder", lambda name: builder)
    libraries.Torchvision("fcn_resnet50")(num_classes=2)
    assert given == {"weights": None, "weights_backbone": None, "num_classes": 2}


def test_a_folder_of_transformers_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_torchvision()
    transformers = pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(**small, vocab_size=99, architectures=["BertModel"])
    transformers.BertModel(config).save_pretrained("bert")
    decoder = transformers.LlamaConfig(**small, num_key_value_heads=2, vocab_size=99)
    transformers.LlamaForCausalLM(decoder).save_pretrained("llama")
    sizes = "--dim", "batch=2", "--dim", "sequence=5", "--range", "input_ids=0:99", "--range", "attention_mask=0:2"
    assert run("compare", "transformers:llama", *sizes, "--random", "1").exit_code == 0
    result = run("compare", "transformers:bert", *sizes, "--json", "-")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert [x["output"] for x in report["outputs"]] == ["last_hidden_state", "pooler_output"]
    assert not any("random" in note for note in report["notes"] if "weights" in note)
    with pytest.raises(ModelError, match="transformers has no 'BertModell'; did you mean BertModel"):
        run("compare", "transformers:bert", *sizes, "--arg", "architecture=BertModell")


def test_random_weights_are_the_same_in_each_run(inside: Path) -> None:
    command = "compare", "net.py:Net", *DECLARE, "--dim", "batch=2", "--json", "-"
    found = [CliRunner().invoke(app, command, catch_exceptions=False).output for _ in range(2)]
    assert found[0] == found[1] and "random ones" in found[0]
