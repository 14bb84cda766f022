"""Convolutions that are made one when all layers are there: of one image, of pairs, of concatenations."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from helpers.comparing import agreeing, random_tensor, random_weights, relative_l2
from helpers.ops.made import Made, batch_norm, layers

import trtnet
from trtnet import nn, ops
from trtnet.graph.forms import FormChoices
from trtnet.graph.layers.read import read
from trtnet.tools.tune.choices.groups import groups_of
from trtnet.tools.tune.choices.parts import cut
from trtnet.verify.bisection.taps import EngineTaps

IMAGE = {"x": trtnet.Input(("n", 6, 8, "w"))}
MERGED, PADDED = {"siblings": "merged"}, {"siblings": "padded"}
F = torch.nn.functional


class Net(Made):
    """Convolutions of six channels, of which a function makes the model."""

    def __init__(self, made: Any) -> None:
        super().__init__(made)
        conv = torch.nn.Conv2d
        self.one, self.two, self.three = conv(6, 4, 1), conv(6, 2, 1, bias=False), conv(6, 5, 3, padding=1)
        self.strided, self.four, self.each = conv(6, 4, 1, stride=2), conv(4, 6, 1), conv(6, 6, 3, groups=6, padding=1)
        self.tall, self.wide = conv(6, 2, (3, 1), padding=(1, 0)), conv(6, 3, (1, 3), padding=(0, 1))
        self.norm, self.act = batch_norm(6), torch.nn.SiLU()


def defined(made: Any, forms: Any, dtype: str = "float32", **options: Any) -> Any:
    """The network, after a comparison with torch."""
    torch.manual_seed(0)
    model = Net(made).eval()
    network = trtnet.define(model, IMAGE, dtype=dtype, forms=forms, **options)
    assert agreeing(network, model, random_tensor(2, 6, 8, 7, dtype=dtype))
    return network


def live(network: Any) -> Counter[str]:
    """How many layers of each kind the outputs need."""
    return Counter(node.kind for node in layers(network))


def chosen(network: Any, kind: str) -> dict[str, str]:
    """The forms of a kind by module."""
    return {path: forms[kind] for path, forms in network.forms.chosen.items() if kind in forms}


def fire(m: Net, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([F.relu(m.one(x)), F.relu(m.three(x))], 1)


def both(m: Net, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([m.one(x), m.two(x)], 1)


JOINED = {
    "fire": (PADDED, fire),
    "in another order": (PADDED, lambda m, x: torch.cat([m.three(x).relu_(), m.one(x).relu_()], 1)),
    "without an activation": (MERGED, lambda m, x: torch.cat([m.one(x), m.two(x)], 1)),
    "SiLU": (MERGED, lambda m, x: torch.cat([m.act(m.one(x)), m.act(m.two(x))], 1)),
    "other numbers": (MERGED, lambda m, x: torch.cat([F.leaky_relu(f(x), 0.3) for f in (m.one, m.two)], 1)),
    "long windows": (PADDED, lambda m, x: torch.cat([m.tall(x).sigmoid(), m.wide(x).sigmoid()], 1)),
    "of a concatenation": (MERGED, lambda m, x: both(m, both(m, x))),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", JOINED)
def test_siblings_that_are_joined_are_one_layer(name: str, dtype: str) -> None:
    forms, made = JOINED[name]
    network, neutral = defined(made, forms, dtype), live(defined(made, {}, dtype))
    kinds = live(network)
    assert kinds["CONVOLUTION"] == neutral["CONVOLUTION"] / 2 and not kinds["CONCATENATION"] and not kinds["SLICE"]
    assert kinds["ACTIVATION"] == neutral["ACTIVATION"] / 2 and kinds["ELEMENTWISE"] == neutral["ELEMENTWISE"] / 2
    assert network.build({"n": (1, 2, 3), "w": 7}).plan.data


SLICED = {
    "results that go on": lambda m, x: m.four(F.relu(m.one(x))) + torch.cat([F.relu(m.two(x))] * 3, 1),
    "outputs": lambda m, x: (m.one(x), F.relu(m.two(x))),
    "a result that is read twice": lambda m, x: (lambda y: torch.cat([y, y.relu(), m.two(x).relu()], 1))(m.one(x)),
    "two activations": lambda m, x: torch.cat([F.relu(m.one(x)), torch.sigmoid(m.two(x))], 1),
    "views": lambda m, x: m.one(x)[:, 1:3].mul_(2) + m.two(x),
    "another between": lambda m, x: torch.cat([m.one(x), x, m.two(x)], 1),
    "one sum of both": lambda m, x: m.one(x)[:, :2] + m.two(x),
}


@pytest.mark.parametrize("name", SLICED)
def test_other_siblings_are_slices_of_one_layer(name: str) -> None:
    network = defined(SLICED[name], MERGED)
    before = live(defined(SLICED[name], {}))
    assert live(network)["CONVOLUTION"] == before["CONVOLUTION"] - 1
    assert network.build({"n": 2, "w": 7}).plan.data


APART = {
    "of other strides": (MERGED, lambda m, x: (m.one(x), m.strided(x))),
    "of other images": (MERGED, lambda m, x: (m.one(x), m.two(x * 2))),
    "in groups": (PADDED, lambda m, x: (m.one(x), m.each(x))),
    "that nothing reads": (MERGED, lambda m, x: (m.one(x), m.two(x))[0]),
    "of other results": (PADDED, lambda m, x: (m.one(x), F.conv2d(x, m.three.weight, padding=2))),
}


@pytest.mark.parametrize("name", APART)
def test_other_convolutions_stay_apart(name: str) -> None:
    forms, made = APART[name]
    network = defined(made, forms)
    assert not chosen(network, "siblings") and live(network) == live(defined(made, {}))


def test_siblings_of_two_windows_are_merged_by_padding_alone() -> None:
    with pytest.raises(trtnet.TrtnetError, match=r"'merged' of 'siblings' applies to no operation.* have one window"):
        defined(fire, MERGED)


def test_padding_is_as_wide_as_all_windows_need() -> None:
    def three(m: Net, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([m.wide(x), m.one(x), m.tall(x)], 1)

    network = defined(three, PADDED)
    assert live(network)["CONVOLUTION"] == 1
    (layer,) = [
        node.layer for node in read(network.trt) if node.kind == "CONVOLUTION" and node.layer.num_output_maps == 9
    ]
    assert tuple(layer.kernel_size_nd) == (3, 3) and tuple(layer.pre_padding) == (1, 1)


class Blocks(torch.nn.Module):
    """Siblings of one and of two windows in a module, twice."""

    def __init__(self) -> None:
        super().__init__()
        made = lambda m, x: torch.cat([m.three(x), m.one(x), m.two(x)], 1)[:, :6]  # noqa: E731
        self.blocks = torch.nn.Sequential(Net(made), Net(made))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x)


@pytest.mark.parametrize(("form", "count"), [("merged", 2), ("padded", 1)])
def test_the_module_around_siblings_has_the_choice(form: str, count: int) -> None:
    torch.manual_seed(0)
    model, forms = Blocks().eval(), {"siblings": {"blocks.1": form}}
    network = trtnet.define(model, IMAGE, forms=forms)
    assert chosen(network, "siblings") == {"blocks.0": "separate", "blocks.1": form}
    assert network.forms.by["blocks.1"]["siblings"] == "user: blocks.1"
    assert live(network)["CONVOLUTION"] == 3 + count
    x = random_tensor(2, 6, 8, 7)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 1e-6


def test_a_search_cuts_out_what_has_all_siblings() -> None:
    network = trtnet.define(Blocks().eval(), IMAGE)
    group = next(group for group in groups_of(network) if group.kind == "siblings")
    assert group.part == ("blocks.0",) and group.paths == ("blocks.0", "blocks.1")
    alone = cut(network, group.part, forms=FormChoices({"siblings": "padded"})).network
    assert live(alone)["CONVOLUTION"] == 1 and live(cut(network, group.part).network)["CONVOLUTION"] == 3


def test_the_modules_of_one_layer_are_compared_with_torchs() -> None:
    torch.manual_seed(0)
    model = Net(
        lambda m, x: torch.cat([m.norm(m.act(m.one(x)) @ x.mT @ x if False else m.each(x)), m.one(x), m.two(x)], 1)
    ).eval()
    network = trtnet.define(model, IMAGE, forms=MERGED)
    found = trtnet.bisect(network, model, {"x": random_tensor(2, 6, 8, 7)})
    verdicts = {row.path: row.verdict.name for row in found.rows}
    assert verdicts == {"each": "MERGED", "norm": "AGREES", "one": "AGREES", "two": "AGREES", "": "AGREES"}


def test_a_wrong_module_in_one_layer_is_named() -> None:
    torch.manual_seed(0)
    original = Net(fire).eval()
    other = Net(lambda m, x: torch.cat([F.relu(m.one(x)), m.act(m.three(x)) * 0 + F.relu(m.three(x))], 1)).eval()
    other.load_state_dict(original.state_dict())
    one = other.one
    one.forward = lambda x: F.conv2d(x, one.weight.flip(0), one.bias)  # type: ignore[method-assign]
    network = trtnet.define(other, IMAGE, forms=PADDED)
    assert chosen(network, "siblings") == {"": "padded"}
    found = trtnet.bisect(network, original, {"x": random_tensor(2, 6, 8, 7)})
    assert [finding.row.path for finding in found.findings] == ["one"]


def test_a_module_that_joins_is_compared_although_nothing_reads_its_result() -> None:
    class Joins(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.joins, self.last = Net(lambda m, x: torch.cat([m.two(x), m.two(x * 2)], 1)), torch.nn.Conv2d(4, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.joins(x))

    model = Joins().eval()
    network = trtnet.define(model, IMAGE, forms={"cat": "sum"})
    assert not live(network)["CONCATENATION"] and chosen(network, "cat") == {"": "sum"}
    rows = trtnet.bisect(network, model, {"x": random_tensor(2, 6, 8, 7)}).rows
    assert {row.path: row.verdict.name for row in rows} == dict.fromkeys(["joins.two", "joins", "last", ""], "AGREES")


def test_what_a_whole_layer_made_superfluous_is_asked_for_alone() -> None:
    class Fire(nn.Module):
        def __init__(self) -> None:
            self.one, self.three, self.act = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU()

        def forward(self, x: Any) -> Any:
            return ops.cat([self.act(self.one(x)), self.act(self.three(x))], 1)

    class Torchs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            conv = torch.nn.Conv2d
            self.one, self.three, self.act = conv(6, 4, 1), conv(6, 5, 3, padding=1), torch.nn.ReLU()
            self.forward = lambda x: torch.cat([self.act(self.one(x)), self.act(self.three(x))], 1)  # type: ignore[method-assign]

    model = Torchs().eval()
    network = trtnet.define(Fire(), IMAGE, model, forms=PADDED)
    rows = trtnet.bisect(network, model, {"x": random_tensor(2, 6, 8, 7)}).rows
    assert [(row.path, row.verdict.name) for row in rows] == [
        ("one", "MERGED"), ("act", "AGREES"), ("three", "MERGED"), ("act", "AGREES"), ("", "AGREES"),
    ]  # fmt: skip
    assert rows[0].note == "into act" and len(network.aside) == 2 and not live(network)["SLICE"]
    taps, names = EngineTaps(network), {tensor.name for tensor in network.aside}
    assert names <= {tensor.name for tensor in taps.tensors()}
    built = taps.build({"n": 2, "w": 7}, taps.tensors())
    assert names <= {output.name for output in built.outputs} and network.trt.num_outputs == 1


def test_weights_of_one_layer_have_no_names_and_the_others_keep_theirs() -> None:
    network = defined(lambda m, x: m.strided(torch.cat([m.one(x), m.two(x)], 1)), MERGED)
    assert network.folded >= {"one.weight", "two.weight", "one.bias"} and network.named == {
        "strided.weight",
        "strided.bias",
    }


def test_siblings_in_a_branch_stay_in_it() -> None:
    weights = random_weights(nn.Conv2d(6, 4, 1))

    class Branches(nn.Module):
        def __init__(self) -> None:
            self.one = nn.Conv2d(6, 4, 1)

        def forward(self, x: Any) -> Any:
            both = lambda y: ops.relu(self.one(y)) + ops.relu(self.one(y))  # noqa: E731
            return self.one(x) + ops.cond(ops.sum(x) > 0, lambda y: both(y), lambda y: both(y * 2), (x,))

    named = {f"one.{key}": value for key, value in weights.items()}
    network = trtnet.define(Branches(), {"x": trtnet.Input((2, 6, 5, 4))}, named, forms=MERGED)
    plain = trtnet.define(Branches(), {"x": trtnet.Input((2, 6, 5, 4))}, named)
    for sign in (1, -1):
        x = sign * random_tensor(2, 6, 5, 4).abs()
        assert relative_l2(network.reference()(x), plain.reference()(x)) <= 1e-6
    assert live(network)["CONVOLUTION"] < live(plain)["CONVOLUTION"]
    assert network.build().plan.data


def test_a_pair_is_dense_unless_something_is_between() -> None:
    dense = {"separable": "dense"}
    whole = defined(lambda m, x: F.relu(m.two(m.norm(m.each(x)))), dense, "float16")
    assert live(whole)["CONVOLUTION"] == 1 and chosen(whole, "separable") == {"": "dense"}
    between = {
        "an activation": lambda m, x: m.two(F.relu(m.each(x))),
        "another reader": lambda m, x: (lambda y: m.two(y).sum() + y)(m.each(x)),
        "an output": lambda m, x: (lambda y: (m.two(y), y))(m.each(x)),
    }
    for name, made in between.items():
        network = defined(made, dense)
        assert live(network)["CONVOLUTION"] == 2 and not chosen(network, "separable"), name


def test_a_pair_that_would_overflow_stays_a_pair() -> None:
    def large(m: Net, x: torch.Tensor) -> torch.Tensor:
        return m.two(m.each(x * 1e-4))

    torch.manual_seed(0)
    model = Net(large).eval()
    with torch.no_grad():
        model.each.weight.fill_(300.0)
        model.two.weight.fill_(300.0)
    network = trtnet.define(model, IMAGE, dtype="float16", forms={"separable": "dense"})
    assert live(network)["CONVOLUTION"] == 2


def test_a_concatenation_is_left_out_where_nothing_else_reads_it() -> None:
    forms = {"cat": "sum"}
    alone = defined(lambda m, x: F.relu(m.four(torch.cat([m.two(x), m.two(x * 2)], 1))), forms)
    assert not live(alone)["CONCATENATION"] and live(alone)["CONVOLUTION"] == 4
    both = defined(
        lambda m, x: (lambda y: m.four(y).sum(1, keepdim=True) + y)(torch.cat([m.two(x), m.two(x + 1)], 1)), forms
    )
    assert live(both)["CONCATENATION"] == 1 and live(both)["CONVOLUTION"] == 4
    other = defined(lambda m, x: m.three(torch.cat([x, x], 2)), forms)
    assert live(other)["CONCATENATION"] == 1 and not chosen(other, "cat")
