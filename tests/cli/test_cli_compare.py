"""`trtnet compare`, as a user runs it."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.cli.command import trtnet
from helpers.comparing import random_weights
from safetensors.numpy import save_file
from typer.testing import CliRunner

from trtnet import models
from trtnet.cli.accuracy.compare import RELATIVE_L2
from trtnet.cli.main import app
from trtnet.support.errors import DeviceError, InputError, PlanError, TrtnetError, WeightsError
from trtnet.tools.compare import open_things
from trtnet.tools.targets.networks import Choices
from trtnet.verify.metrics.tolerances import ON_A_GPU, TOLERANCES

FACTORY = """
import torch
from torch import nn
from trtnet.models import lenet as ours

class LeNet(nn.Module):
    def __init__(self, eps=0):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.eps = eps

    def forward(self, image):
        x = image
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu()) + self.eps

def lenet():
    torch.manual_seed(0)
    return LeNet()

def wrong():
    torch.manual_seed(0)
    return LeNet(eps=0.01)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    (path / "original.py").write_text(FACTORY)
    save_file(random_weights(models.lenet()), path / "other.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = originals.LeNet().eval()
        torch.onnx.export(module, (torch.zeros(2, 1, 28, 28),), path / "lenet.onnx", dynamo=True, verbose=False)
        torch.save(module.state_dict(), path / "lenet.pth")
    return path


def test_passes_with_exit_code_0_and_writes_everything(folder: Path) -> None:
    things = "ours=lenet", "file=original.py:ours", "torch=torch:original.py:lenet"
    options = (
        "--dim",
        "batch=3",
        "--iterations",
        "2",
        "--random",
        "7",
        "--html",
        "page.html",
        "--junit",
        "r.xml",
        "--json",
        "r.json",
    )
    result = trtnet("compare", *things, *options, "--save-inputs", "i.json", "--save-outputs", "o.json", folder=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "against torch: random inputs, seed 7, 2 iterations" in result.stdout and result.stdout.count("PASS") == 2
    document = json.loads((folder / "r.json").read_text())
    assert document["passed"] and [x["candidate"] for x in document["outputs"]] == ["ours", "file"]
    assert (folder / "r.xml").read_text().count("<testcase ") == 2
    assert "<svg" in (folder / "page.html").read_text() or document["outputs"][0]["iterations"][0]["different"] == 0
    saved = trtnet("compare", "ours=o.json:ours", "o.json:torch", "--json", "-", folder=folder)
    wrong = trtnet("compare", "o.json:ours", "o.json:a:b", folder=folder)
    assert wrong.returncode == 2 and "name one: o.json:ours" in wrong.stderr
    assert saved.returncode == 0 and len(json.loads(saved.stdout)["outputs"][0]["iterations"]) == 2


def test_a_difference_is_exit_code_1_and_an_error_2(folder: Path) -> None:
    result = trtnet("compare", "lenet", "torch:original.py:wrong", "--dim", "batch=1", folder=folder)
    assert result.returncode == 1 and "FAIL relative L2" in result.stdout and not result.stderr
    error = trtnet("compare", "lenet", "torch:original.py:lenet", folder=folder)
    assert error.returncode == 2 and "give the size of batch: dims={'batch': 1}, or --dim" in error.stderr
    assert not error.stdout
    np.save(folder / "channels.npy", np.zeros((2, 3, 28, 28), np.float32))
    shape = trtnet("compare", "lenet", "torch:original.py:lenet", "--input", "image=channels.npy", folder=folder)
    assert shape.returncode == 2 and "found [2, 3, 28, 28]" in shape.stderr and "Traceback" not in shape.stderr


def test_files_that_hold_nothing_are_an_error(folder: Path) -> None:
    (folder / "empty.onnx").write_bytes(b"")
    helper = pytest.importorskip("onnx").helper
    x = helper.make_tensor_value_info("x", 1, [2, 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "without_outputs", [x], [])
    (folder / "without_outputs.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    for name in ("empty.onnx", "without_outputs.onnx"):
        for things in ((name, "lenet.onnx"), ("lenet.onnx", name), (name, name)):
            result = trtnet("compare", *(f"t{i}={thing}" for i, thing in enumerate(things)), folder=folder)
            assert result.returncode == 2 and "PASS" not in result.stdout, result.stdout
            assert "error: " in result.stderr and "Traceback" not in result.stderr, result.stderr


def run(*arguments: str) -> tuple[int, str]:
    """In this process: (exit code, output); raises trtnet's errors."""
    result = CliRunner().invoke(app, ["compare", *arguments], catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_the_parsers_network_a_checkpoint_and_files_of_inputs(inside: Path) -> None:
    image = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    np.save("image.npy", image)
    image.tofile("image.bin")
    np.savez("inputs.npz", image=image)
    for given in (
        ("--input", "image=image.npy"),
        ("--input", "image=image.bin", "--dim", "batch=2"),
        ("--inputs", "inputs.npz"),
    ):
        code, text = run("lenet", "lenet.onnx", "--weights", "lenet.pth", *given)
        assert code == 0, text
        assert "given inputs" in text and "outputs by order" in text
    code, _ = run("lenet", "lenet.onnx", "--weights", "other.safetensors", "--input", "image=image.npy")
    assert code == 1
    with pytest.raises(InputError, match="use either"):
        run("lenet", "lenet.onnx", "--weights", "lenet.pth", "--inputs", "inputs.npz", "--input", "image=image.npy")


def test_the_torch_module_keeps_its_weights_unless_it_is_given_others(inside: Path) -> None:
    things = "lenet", "torch:original.py:lenet", "--weights", "other.safetensors", "--dim", "batch=2"
    code, text = run(*things)
    own = "weights: torch:original.py:lenet has its own, from its factory, not those of other.safetensors"
    assert code == 1 and own in flat(text) and "weights: lenet has those of other.safetensors" in flat(text)
    code, text = run(*things, "--load")
    assert code == 0, text
    assert "has those of other.safetensors (--load): how that file was made is not tested" in flat(text)
    code, text = run(*things[:2], "--dim", "batch=2")
    assert code == 0 and "weights: lenet has those of torch:original.py:lenet" in flat(text)
    code, text = run(things[0], "torch:original.py:LeNet", *things[2:])
    assert code == 0, text
    assert "those of other.safetensors (the factory gives random ones): how that file was made is not" in flat(text)
    assert run(things[0], "torch:original.py:LeNet", *things[2:], "--no-load")[0] == 1
    save_file({"weight": np.ones((2, 2), np.float32)}, "apart.safetensors")
    with pytest.raises(WeightsError, match=r"apart\.safetensors does not fit original\.py:lenet: .*use --no-load"):
        run(
            "torch:original.py:lenet",
            things[1].replace("torch:", "b=torch:"),
            "--weights",
            "apart.safetensors",
            "--load",
        )


def test_a_conversion_that_is_wrong_in_one_tensor_fails(inside: Path) -> None:
    """Of a file that was made of the original's weights: a transposed square kernel, a swapped pair of rows."""
    right = {key: value.numpy() for key, value in lenet_weights().items()}
    kernel, rows = right["conv2.weight"], right["fc3.weight"]
    save_file(right, "right.safetensors")
    save_file(right | {"conv2.weight": np.ascontiguousarray(kernel.swapaxes(2, 3))}, "kernel.safetensors")
    save_file(right | {"fc3.weight": np.ascontiguousarray(rows[[1, 0, *range(2, 10)]])}, "rows.safetensors")
    for name, code, module in (("right", 0, None), ("kernel", 1, "conv2"), ("rows", 1, "fc3")):
        given = "--weights", f"{name}.safetensors", "--dim", "batch=2"
        assert run("lenet", "torch:original.py:lenet", *given)[0] == code
        arguments = ["bisect", "lenet", "--torch", "original.py:lenet", *given, "--json", "b.json"]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == code
        found = json.loads(Path("b.json").read_text())
        assert found["module"] == module and any("has its own, from its factory" in note for note in found["notes"])


def lenet_weights() -> dict[str, torch.Tensor]:
    from trtnet.tools.targets.original import original

    return original("original.py:lenet").state_dict()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_model_without_weights_needs_no_checkpoint(inside: Path) -> None:
    Path("halves.py").write_text(
        "from trtnet import Input, nn\n"
        "class Half(nn.Module):\n"
        "    inputs = {'x': Input((2,))}\n"
        "    def forward(self, x): return x / 2\n"
    )
    np.savez("halves.npz", output=np.ones(2, np.float32))
    np.savez("x.npz", x=np.full(2, 2, np.float32))
    assert run("halves.py:Half", "halves.npz", "--inputs", "x.npz")[0] == 0


def test_tolerances_and_dtypes(inside: Path) -> None:
    half = "lenet", "torch:original.py:lenet", "--dtype", "float16", "--dim", "batch=2"
    assert run(*half)[0] == 0
    assert run(*half, "--relative-l2", "1e-6")[0] == 1
    assert run(*half, "--atol", "0.1")[0] == run(*half, "--cosine", "0.99", "--margin", "0.05")[0] == 0
    code, text = run(*half, "--atol", "1e-9", "--rtol", "1e-9")
    assert code == 1 and "outside atol=1e-09, rtol=1e-09" in text


def test_engines_are_built_of_models_and_of_onnx_files(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="no usable GPU"):  # before anything is built
        open_things(["engine:nothing.py:lenet"], Choices("lenet.pth", "float16", ["batch=2"]))
    monkeypatch.setattr("trtnet.tools.compare.CudaDevice", object)
    choices = Choices("lenet.pth", "float16", ["batch=2"])
    built, _ = open_things(["engine:lenet", "engine:lenet.onnx"], choices)
    assert [(source.kind, source.on_a_gpu) for source in built.values()] == [("engine", True)] * 2
    assert [source.takes[0].shape for source in built.values()] == [("batch", 1, 28, 28), (2, 1, 28, 28)]
    assert "float16" in built["engine:lenet"].computed


def test_wrong_arguments_say_what_is_right(inside: Path) -> None:
    torch_module = "torch:original.py:lenet"
    for arguments, words in (
        (("lenet",), "name at least two sources"),
        (("lenet", "lenet", torch_module), "two sources have the same name; name them, as in first=lenet"),
        (("lenet", "lenet.onnx"), "lenet needs its checkpoint: --weights FILE, or one torch: module"),
        (("lenet", "torch:original.py:LeNets"), "has no function 'LeNets'"),
        (("lenet", "torch:original.py:torch.nn"), "has no function"),
        (("lenets", torch_module), "unknown model 'lenets'"),
        (("lenet", torch_module, "--dim", "batch=1:2:3"), "one size is needed here, as in batch=2"),
        (("lenet", torch_module, "--range", "image=1"), "--range is written input_ids=0:30000; found 'image=1'"),
        (("lenet", torch_module, "--html", "rep.png"), "rep.png: a page is written as .html or .htm"),
        (("lenet", torch_module, "--dim", "batch=1", "--atol", "nan"), "tolerance atol is .* found nan"),
        (("lenet", torch_module, "--dim", "batch=1", "--cosine", "2"), "tolerance cosine is between -1 and 1"),
        (
            ("a=original.py:lenet", torch_module),
            "its inputs: write torch:original.py:lenet to .*--declare",
        ),
    ):
        with pytest.raises(TrtnetError, match=words.replace("(", r"\(")):
            run(*arguments)


def test_a_model_of_trtnet_is_no_reference_of_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import trtnet\nfrom trtnet import models\n\ndef net():\n    return models.lenet()\n"
    )
    shown = trtnet("compare", "mine.py:net", "--weights", "trtnet:lenet.safetensors", folder=tmp_path)
    assert shown.returncode == 2
    assert "mine.py:net makes a model of trtnet, not a torch.nn.Module" in shown.stderr
    assert "in compare as the last argument (torch:FILE.py:FACTORY, or what trtnet run mine.py:net" in shown.stderr


def test_a_quantized_network_is_held_to_the_tolerance_of_its_scheme(tmp_path: Path) -> None:
    (tmp_path / "original.py").write_text(FACTORY)
    (tmp_path / "int8.toml").write_text('"*" = "int8_weights"\n')
    given = "original.py:lenet", "--declare", "image=2,1,28,28"
    result = trtnet("compare", *given, "--quantization", "int8.toml", "--json", "r.json", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads((tmp_path / "r.json").read_text())["passed"] is True
    (tmp_path / "wide.toml").write_text('"*" = { weights = "float4_e2m1fn", block = 16 }\n')
    refused = trtnet("compare", *given, "--quantization", "wide.toml", folder=tmp_path)
    assert refused.returncode == 2 and "is not a matrix" in refused.stderr


def test_help_says_the_tolerances_of_the_table() -> None:
    said = {name: float(re.search(rf"\b{name} ([\de-]+)", RELATIVE_L2)[1]) for name in TOLERANCES if name != "float64"}
    assert said == {name: one.relative_l2 for name, one in TOLERANCES.items() if name in said}
    assert f"on a GPU {ON_A_GPU['float32'].relative_l2:.0e}".replace("e-0", "e-") in RELATIVE_L2


def test_seed_and_tolerance(folder: Path) -> None:
    command = "compare", "lenet", "torch:original.py:wrong", "--dim", "batch=2", "--json", "-"
    found = [json.loads(trtnet(*command, name, "3", folder=folder).stdout) for name in ("--seed", "--random")]
    assert found[0] == found[1]
    assert trtnet(*command, "--tolerance", "1", folder=folder).returncode == 0


def test_engines_have_any_name(inside: Path) -> None:
    (inside / "lenet.bin").write_bytes(b"junk")
    with pytest.raises(PlanError, match=r"lenet\.bin"):
        open_things(["lenet.bin", "lenet.npz"], Choices())
