"""Groups of equal operations, and the small networks that are cut out for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights, relative_l2
from helpers.ops.position_networks import LENGTH, WIDTH, Net as TwoBlocks, class_token

import trtnet
from trtnet import models, nn, ops
from trtnet.builder import BuildConfig, describe
from trtnet.builder.plan import read_sidecar, sidecar_path
from trtnet.definition import DefinedNetwork
from trtnet.ops.formulations import Fastest, measured
from trtnet.support import backend
from trtnet.support.call_interface import by_name
from trtnet.support.errors import ModelError
from trtnet.tools.tune.choices.groups import estimated, groups_of, timed
from trtnet.tools.tune.choices.parts import cut, part_around, place_of
from trtnet.tools.tune.choices.variants import NeutralBut, by_path, check, within
from trtnet.tools.tune.processes.building import Build
from trtnet.tools.tune.processes.workplace import Workplace
from trtnet.tools.tune.searching.contests import Group


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        self.fc1, self.act, self.fc2 = nn.Linear(8, width), nn.GELU(), nn.Linear(width, 8)

    def forward(self, x: Any) -> Any:
        return x * 0.3 + self.fc2(self.act(self.fc1(x)))  # the first of the network has the constant for all


class Net(nn.Module):
    """A stem with a row of modules behind it, then blocks of which two are alike."""

    inputs = {"x": trtnet.Input(("n", 3, 32, 32))}

    def __init__(self) -> None:
        self.conv, self.bn, self.relu, self.pool = (
            nn.Conv2d(3, 8, 7, 2, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.blocks = nn.Sequential(Mlp(16), Mlp(16), Mlp(24))

    def forward(self, x: Any) -> Any:
        y = self.pool(self.relu(self.bn(self.conv(x))))
        y = self.blocks(ops.mean(y, (2, 3)))
        return ops.gelu(y)


def network(forms: Any = None, dtype: str = "float16") -> DefinedNetwork:
    return trtnet.define(Net(), weights=random_weights(Net()), dtype=dtype, forms=NeutralBut(forms or {}))


def test_equal_operations_in_equal_surroundings_are_one_group() -> None:
    found = timed(groups_of(network()), {"blocks.1.act": 2.0, "blocks.0": 0.5, "conv": 3.0})
    groups = {group.name: group for group in found if group.kind in ("stem", "gelu")}
    assert set(groups) == {"stem:conv", "gelu:blocks.0.act", "gelu:blocks.2.act", "gelu:"}
    alike = groups["gelu:blocks.0.act"]
    assert alike.paths == ("blocks.0.act", "blocks.1.act") and alike.part == ("blocks.0",)
    assert alike.milliseconds == 2.0 and groups["stem:conv"].milliseconds == 3.0
    assert groups["stem:conv"].part == ("conv", "bn", "relu", "pool")
    assert alike.forms == ("float32", "apart")
    assert groups["gelu:"].part == () and "the model itself" in groups["gelu:"].uncut


def test_what_modules_take_is_estimated_by_their_work() -> None:
    times = estimated(network(), {"x": (4, 3, 32, 32)})
    assert times["conv"] > times["blocks.0.fc1"] > 0


@pytest.mark.parametrize("part", [("conv", "bn", "relu", "pool"), ("blocks.1",), ("blocks",)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_part_computes_what_it_does_in_the_whole(part: tuple[str, ...], dtype: str) -> None:
    whole = network(dtype=dtype)
    small = cut(whole, part)
    call = next(each for each in whole.calls if each.path == part[-1])
    first = next(each for each in whole.calls if each.path == part[0])
    seen: dict[str, Any] = {}
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(whole.dtype.numpy)
    from trtnet.reference.step import to_torch

    def observe(layer: Any, results: list[Any]) -> None:
        seen.update({layer.get_output(index).name: result for index, result in enumerate(results)})

    whole.reference().run({"x": to_torch(x)}, observe)
    seen["x"] = to_torch(x)
    given = {name: seen[tensor] for tensor, name in small.names.items()}
    assert [tensor.name for tensor in first.inputs] == list(small.names)
    found = by_name(small.network.reference()(**given), describe(small.network).outputs)
    assert relative_l2(found["result0"], seen[call.outputs[0].name]) == 0


@pytest.mark.parametrize("part", [("conv", "bn", "relu", "pool"), ("blocks.1",)])
def test_a_part_in_float32_has_the_weights_that_were_not_rounded(part: tuple[str, ...]) -> None:
    parts = [cut(network(dtype=dtype), part, "float32").network for dtype in ("float16", "float32")]
    shapes = [tuple(2 if isinstance(n, str) else n for n in info.shape) for info in describe(parts[0]).inputs]
    given = [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]
    narrow, wide = (by_name(each.reference()(*given), describe(each).outputs)["result0"] for each in parts)
    assert narrow.dtype == np.float32 and relative_l2(narrow, wide) == 0


def test_a_part_has_the_forms_of_its_network() -> None:
    forms = {"stem": {"conv": "space_to_depth"}}
    kinds = [kinds_of(cut(network(each), ("conv", "bn", "relu", "pool")).network) for each in ({}, forms)]
    assert kinds[0].count("CONVOLUTION") == kinds[1].count("CONVOLUTION") == 1
    assert "SCALE" not in kinds[0] + kinds[1] and kinds[1].count("SHUFFLE") > kinds[0].count("SHUFFLE")


def test_a_part_with_other_forms_is_that_of_a_network_with_them() -> None:
    forms = {"stem": {"conv": "space_to_depth"}, "gelu": {"blocks.1.act": "float32"}}
    neutral, other = network(), network(forms)
    for part in (("conv", "bn", "relu", "pool"), ("blocks.1",)):
        inside = within(forms, part)
        alone = cut(neutral, part, forms=NeutralBut(inside)).network
        check(alone, inside)
        assert kinds_of(alone) == kinds_of(cut(other, part).network) != kinds_of(cut(neutral, part).network)
    assert within(forms, ("blocks.1",)) == {"stem": {}, "gelu": {"blocks.1.act": "float32"}}


def test_a_process_defines_the_model_once_for_all_variants_of_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined: list[Any] = []

    class Counted:
        def define(self, forms: Any, dtype: Any = None) -> DefinedNetwork:
            defined.append(forms)
            return network()

    monkeypatch.setattr("trtnet.tools.tune.processes.subject.read", lambda file: Counted())
    place, part = Workplace(tmp_path), ("blocks.1",)
    place.save_inputs(part, {"argument0": np.ones((2, 8), np.float32)})
    for number, form in enumerate(({}, {"gelu": {f"blocks.{i}.act": "float32" for i in (0, 1)}})):
        Build(number, form, part, {"n": 2}, BuildConfig(), None).run(place)
    got = [read_sidecar(sidecar_path(place.plan(number))).info.forms["blocks.1.act"] for number in (0, 1)]
    assert got == [{"gelu": "layer"}, {"gelu": "float32"}] and len(defined) == 1


def kinds_of(small: DefinedNetwork) -> list[str]:
    return [small.trt.get_layer(index).type.name for index in range(small.trt.num_layers)]


def test_a_part_that_is_not_called_is_an_error() -> None:
    with pytest.raises(ModelError, match="nothing is not called"):
        cut(network(), ("nothing",))


def test_a_variant_is_neutral_but_for_its_groups() -> None:
    groups = [Group("gelu:a", "gelu", ("blocks.0.act", "blocks.1.act"), 1.0, ("float32",))]
    forms = by_path((("gelu:a", "float32"),), groups)
    assert forms == {"gelu": {"blocks.0.act": "float32", "blocks.1.act": "float32"}}
    made = network(forms)
    check(made, forms)
    chosen = {path: kinds["gelu"] for path, kinds in made.forms.chosen.items() if "gelu" in kinds}
    assert chosen == {"blocks.0.act": "float32", "blocks.1.act": "float32", "blocks.2.act": "layer", "": "layer"}
    with pytest.raises(ModelError, match="does not apply to conv: it is None there"):
        check(made, {"gelu": {"conv": "float32"}})


def test_the_stem_of_resnet_and_the_blocks_of_a_transformer() -> None:
    model = models.resnet18()
    made = trtnet.define(model, {"image": trtnet.Input((2, 3, 64, 64))}, random_weights(model), forms=NeutralBut({}))
    assert place_of(made.calls, "conv1") == "conv1" and place_of(made.calls, "layer2.0.conv1") == "layer2.0"
    assert part_around(made.calls, "conv1") == ("conv1", "bn1")
    assert part_around(made.calls, "layer2.0") == ("layer2.0",)
    assert part_around(made.calls, "layer1.0") == ("layer1",)  # which has few modules
    assert place_of(made.calls, "") == "" and part_around(made.calls, "") == ()


def test_what_is_before_a_module_is_cut_out_with_it() -> None:
    calls = network().calls
    assert part_around(calls, "pool") == ("conv", "bn", "relu", "pool")
    assert part_around(calls, "relu") == ("conv", "bn", "relu", "pool")


def test_operations_of_different_places_in_one_part_are_different_groups() -> None:
    model = models.clip_vit_b_32()
    made = trtnet.define(model, {"image": trtnet.Input((1, 3, 224, 224))}, random_weights(model), forms=NeutralBut({}))
    layer = "vision_model.encoder.layers.0"
    products = {group.paths[0]: group.part for group in groups_of(made) if group.kind == "product"}
    assert {path: part for path, part in products.items() if layer in path} == {
        f"{layer}.self_attn": (layer,), f"{layer}.mlp.fc1": (layer,),
    }  # fmt: skip


def test_of_what_another_form_brings_with_it_the_table_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Fastest("decoding", "sums", backend.name(), ("1", "99"), "9.0", dtypes=("float16",))
    monkeypatch.setattr(measured, "MEASURED", [row, replace(row, kind="attention", form="products")])
    model, inputs = TwoBlocks(class_token, separate=False).eval(), {"x": trtnet.Input((2, LENGTH, WIDTH))}

    def define(forms: Any) -> DefinedNetwork:
        return trtnet.define(model, inputs, dtype="float16", forms=forms)

    neutral = define(NeutralBut({}))
    group = next(group for group in groups_of(neutral) if group.kind == "positions")
    assert group.forms == ("alone",) and group.part == ()
    tuned = define(NeutralBut(by_path(((group.name, "alone"),), [group]), neutral.forms.chosen)).forms
    assert tuned.chosen[""]["positions"] == "alone"
    assert tuned.chosen["two"]["decoding"] == "sums" and tuned.chosen["one"]["attention"] == "fused"


def test_what_products_are_summed_in_the_table_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Fastest("accumulation", "float32", backend.name(), ("1", "99"), "9.0", dtypes=("float16",))
    for rows, form in (([], "native"), ([row], "float32")):
        monkeypatch.setattr(measured, "MEASURED", rows)
        made = network({"product": {"blocks.0.fc1": "stored"}})
        assert {made.forms.chosen[f"blocks.{i}.fc1"]["accumulation"] for i in range(3)} == {form}
        assert "accumulation" not in {group.kind for group in groups_of(made)}
