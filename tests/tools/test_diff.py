"""`trtnet diff`: layers of two networks or engines, aligned by module and order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights
from helpers.tools.printed import printed
from safetensors.numpy import save_file
from typer.testing import CliRunner

import trtnet
from trtnet.cli.main import app
from trtnet.models import lenet
from trtnet.support.errors import ModelError
from trtnet.tools.inspect.diff import Diff, compare, render, to_json
from trtnet.tools.inspect.layer_lists import Described, DescribedLayer, describe
from trtnet.tools.targets.networks import Choices

DATA = Path(__file__).parents[1] / "data"

MODEL = """
from trtnet import nn, ops
from trtnet.graph import Input

class Block(nn.Module):
    def __init__(self, kernel, extra):
        self.conv = nn.Conv2d(4, 4, kernel, padding=kernel // 2)
        self.extra = extra
    def forward(self, x):
        y = ops.relu(self.conv(x))
        return ops.tanh(y) if self.extra else y

class Net(nn.Module):
    inputs = {"x": Input(("batch", 4, 8, 8))}
    def __init__(self, kernel, extra, slope):
        self.blocks = nn.Sequential(Block(3, False), Block(kernel, extra), Block(3, False))
        self.slope = slope
    def forward(self, x):
        return ops.leaky_relu(self.blocks(x), self.slope)

def net(kernel=3, extra=False, slope=0.1):
    return Net(kernel, extra, slope)
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("net") / "net.py"
    path.write_text(MODEL)
    return f"{path}:net"


def difference(target: str, *arguments: str, **choices: Any) -> Diff:
    first = describe(target, Choices(**choices), values=False)
    return compare(first, describe(target, Choices(arguments=arguments, **choices), values=False))


def test_a_network_does_not_differ_from_itself(net: str) -> None:
    found = difference(net)
    assert not found.differs and found.alike == 7
    assert printed(render(found)).strip() == "no difference: 7 layers are alike"


def test_an_attribute_that_differs_is_named_where_it_is(net: str) -> None:
    (one,) = difference(net, "slope=0.2").layers
    assert (one.module, one.first, one.status, set(one.changes)) == ("", "leaky_relu", "changed", {"alpha"})
    assert [round(float(str(value)), 6) for value in one.changes["alpha"]] == [0.1, 0.2]


def test_an_added_layer_moves_no_other(net: str) -> None:
    found = difference(net, "extra=True")
    (added,) = found.layers
    assert (added.module, added.status, added.second) == ("blocks.1", "added", "blocks.1/tanh") and found.alike == 7
    (removed,) = compare(
        describe(net, Choices(arguments=["extra=True"]), values=False), describe(net, Choices(), values=False)
    ).layers
    assert removed.status == "removed" and removed.changes == {"kind": ("ACTIVATION", None)}


def test_another_kernel_is_a_changed_convolution(net: str) -> None:
    (one,) = difference(net, "kernel=5").layers
    assert one.first == "blocks.1.conv/convolution"
    assert one.changes["kernel_size_nd"] == ("(3, 3)", "(5, 5)")
    assert one.changes["kernel"] == ("144 float32", "400 float32")
    assert "changed: blocks.1.conv/convolution" in printed(render(difference(net, "kernel=5")))


def test_shapes_and_dtypes_of_the_whole(net: str) -> None:
    one = describe(net, Choices(dims=["batch=2"]), values=False)
    other = describe(net, Choices(dims=["batch=3"], dtype="float16"), values=False)
    found = compare(one, other)
    assert found.facts["input x"] == ("[2, 4, 8, 8] float32", "[3, 4, 8, 8] float16")
    assert found.layers[0].changes["output 0"] == ("[2, 4, 8, 8] float32", "[3, 4, 8, 8] float16")


def test_values_are_compared_where_asked(tmp_path: Path) -> None:
    weights = random_weights(lenet())
    save_file(weights, tmp_path / "a.safetensors")
    weights["fc2.weight"] = weights["fc2.weight"].copy()
    weights["fc2.weight"][3, 4] += np.float32(0.5)
    save_file(weights, tmp_path / "b.safetensors")
    files = [Choices(weights=str(tmp_path / f"{name}.safetensors")) for name in "ab"]
    assert not compare(*(describe("lenet", file, values=False) for file in files)).differs
    (one,) = compare(*(describe("lenet", file, values=True) for file in files)).layers
    assert one.first == "fc2/matmul" and set(one.changes) == {"input 1"}
    with pytest.raises(ModelError, match="was given no weights"):
        describe("lenet", Choices(), values=True)


def test_values_that_tensorrt_does_not_give_back_are_compared_too(tmp_path: Path) -> None:
    for name, seed in ("a", 0), ("b", 1):
        save_file(random_weights(lenet(), seed), tmp_path / f"{name}.safetensors")
    one, other = (
        describe("lenet", Choices(str(tmp_path / f"{name}.safetensors"), "bfloat16"), values=True) for name in "ab"
    )
    assert len(compare(one, other).layers) == 2 + 2 * 3  # convolutions, products and their biases
    assert not compare(one, one).differs


def layer(name: str, kind: str, module: str = "", **says: str) -> DescribedLayer:
    return DescribedLayer(name, module, kind, says)


def network(*layers: DescribedLayer, name: str = "n") -> Described:
    return Described(name, "network", {}, layers)


def test_networks_without_a_common_module_are_aligned_by_order() -> None:
    one = network(layer("a/conv", "CONVOLUTION", "a"), layer("b/relu", "ACTIVATION", "b"))
    other = network(layer("Conv", "CONVOLUTION"), layer("Relu", "UNARY"), layer("Relu_1", "ACTIVATION"))
    found = compare(one, other)
    assert "aligned by order alone" in found.note and found.alike == 2
    assert [(x.second, x.status) for x in found.layers] == [("Relu", "added")]


def test_a_layer_of_another_kind_in_the_same_place_is_changed() -> None:
    one = network(layer("m/x", "ACTIVATION", "m", output="[1]"))
    (found,) = compare(one, network(layer("m/y", "UNARY", "m", output="[1]"))).layers
    assert found.status == "changed" and found.changes == {"kind": ("ACTIVATION", "UNARY")}
    assert "m/x -> m/y" in printed(render(compare(one, network(layer("m/y", "UNARY", "m", output="[1]")))))


def test_two_thousand_layers_align_quickly() -> None:
    kinds = np.random.default_rng(0).choice(["CONVOLUTION", "ACTIVATION", "ELEMENTWISE", "SHUFFLE"], 2000)
    many = [layer(str(i), str(kind)) for i, kind in enumerate(kinds)]
    found = compare(network(*many), network(*many[:700], *many[710:]))
    assert found.alike == 1990 and {one.status for one in found.layers} == {"removed"}


def test_engines_by_what_the_inspector_says(tmp_path: Path) -> None:
    text = (DATA / "inspect_rtx_detailed.json").read_text()
    (tmp_path / "other.json").write_text(text.replace('"Datatype": "Half"', '"Datatype": "Float"', 1))
    files = DATA / "inspect_rtx_detailed.json", tmp_path / "other.json"
    one, other = (describe(str(file), Choices(), values=False) for file in files)
    assert not compare(one, one).differs
    (found,) = compare(one, other).layers
    assert list(found.changes) == ["input 0"] and "float16" in str(found.changes["input 0"][0])


def test_sidecars_and_what_is_not_known(tmp_path: Path) -> None:
    for name, low in ("a", 1), ("b", 2):
        built = trtnet.define(lenet(), weights=random_weights(lenet())).build({"batch": (low, 8, 8)})
        built.save(tmp_path / f"{name}.engine")
    one, other = (describe(f"{tmp_path}/{name}.engine.json", Choices(), values=False) for name in "ab")
    found = compare(one, other)
    assert {"profile 0: image", "plan"} <= set(found.facts) <= {"profile 0: image", "plan", "plan bytes"}
    assert "layers are not compared" in printed(render(found)) and not found.complete
    assert "no difference in what is known" in printed(render(compare(one, one)))


def test_of_mappings_in_sidecars_what_differs_is_shown_alone(tmp_path: Path) -> None:
    model, inputs = trtnet.nn.Sequential(trtnet.nn.GELU(), trtnet.nn.GELU()), {"x": trtnet.Input((2, 4))}
    for name, form in ("a", "layer"), ("b", "float32"):
        network = trtnet.define(model, inputs, dtype="float16", forms={"gelu": {"1": form, "*": "layer"}})
        network.build().save(tmp_path / f"{name}.engine")
    one, other = (describe(f"{tmp_path}/{name}.engine.json", Choices(), values=False) for name in "ab")
    facts = compare(one, other).facts
    assert facts["forms: 1"] == ("gelu=layer", "gelu=float32")
    assert [name for name in facts if name.startswith("forms")] == ["forms: 1"]


def test_a_network_is_not_compared_with_an_engine() -> None:
    one = describe("lenet", Choices(), values=False)
    with pytest.raises(ModelError, match="compare two networks or two engines"):
        compare(one, describe(str(DATA / "inspect_rtx_names.json"), Choices(), values=False))


def test_the_command(net: str) -> None:
    run = CliRunner().invoke
    assert run(app, ["diff", "lenet", "lenet"]).exit_code == 0
    result = run(app, ["diff", net, net, "--other-arg", "slope=0.5", "--json", "-"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1 and document["differs"] and document["layers"][0]["status"] == "changed"
    assert document["layers"][0]["changes"].keys() == {"alpha"}
    assert run(app, ["diff", net, net, "--other-dtype", "float16"]).exit_code == 1
    forms = "--form", "gelu=layer", "--other-form", "gelu=float32"
    assert (
        run(
            app, ["diff", "vit_b_16", "vit_b_16", "--arg", "num_hidden_layers=1", "--dtype", "float16", *forms]
        ).exit_code
        == 1
    )


def test_json_says_everything(net: str) -> None:
    found = to_json(difference(net, "extra=True"))
    assert found["alike"] == 7 and found["layers"][0]["second"] == "blocks.1/tanh" and found["note"] == ""
