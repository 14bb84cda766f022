"""Positions that are computed alone: what of a model is computed for them, and where that cannot be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from helpers.comparing import agreeing, random_tensor
from helpers.ops.made import layers
from helpers.ops.position_networks import (
    HEADS,
    LENGTH,
    WIDTH,
    Made,
    Net,
    batch_second,
    beside_positions,
    class_token,
    last_token,
    logits_of_the_last,
    masked,
    two_tokens,
)

import trtnet

ALONE, WHOLE = {"positions": "alone"}, {"positions": "whole"}
TOKENS = {"x": trtnet.Input(("n", LENGTH, WIDTH))}


def defined(made: Made, forms: Any, dtype: str = "float32", separate: bool = False, inputs: Any = TOKENS) -> Any:
    """The network, after a comparison with torch at several sizes."""
    torch.manual_seed(0)
    model = Net(made, separate).eval()
    network = trtnet.define(model, inputs, dtype=dtype, forms=forms)
    for batch in (1, 3):
        shape = [n if isinstance(n, int) else {"n": batch, "s": 7 + batch}[n] for n in inputs["x"].shape]
        assert agreeing(network, model, random_tensor(*shape, dtype=dtype))
    return network


def rows(network: Any) -> Counter[int]:
    """How many products there are of how many rows a sample."""
    products = [node for node in layers(network) if node.kind == "MATRIX_MULTIPLY" and len(node.outputs[0].shape) == 3]
    return Counter(node.outputs[0].shape[1] for node in products)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("separate", [False, True], ids=["one product", "queries apart"])
@pytest.mark.parametrize("made", [class_token, masked, two_tokens, last_token], ids=lambda made: made.__name__)
def test_of_the_last_block_the_positions_are_computed_alone(made: Made, separate: bool, dtype: str) -> None:
    whole, alone = (defined(made, forms, dtype, separate) for forms in (WHOLE, ALONE))
    taken = 2 if made is two_tokens else 1
    before, after = rows(whole), rows(alone)
    assert before[LENGTH] - after[LENGTH] == after[taken] - before[taken] == 3 + separate
    assert alone.forms.chosen[""]["positions"] == "alone" and alone.forms.by[""]["positions"] == "user"


def test_the_first_block_is_whole_and_keys_and_values_of_the_last_one() -> None:
    nodes = layers(defined(class_token, ALONE))
    queries = [tuple(node.inputs[0].shape)[1:3] for node in nodes if node.kind == "ATTENTION_INPUT"]
    assert queries == [(HEADS, LENGTH), (HEADS, 1)]


@pytest.mark.parametrize("length", [LENGTH, "s"], ids=["known", "dynamic"])
@pytest.mark.parametrize("made", [class_token, logits_of_the_last], ids=lambda made: made.__name__)
def test_lengths_may_be_dynamic(made: Made, length: Any) -> None:
    network = defined(made, ALONE, inputs={"x": trtnet.Input(("n", length, WIDTH))})
    assert network.forms.chosen[""]["positions"] == "alone" and rows(network)[1] >= 1
    ranges = {"n": (1, 2, 3)} | ({"s": (4, 8, 12)} if length == "s" else {})
    assert network.build(ranges).plan.data


def test_a_head_is_of_the_last_position_alone() -> None:
    nodes = layers(defined(logits_of_the_last, ALONE))
    assert [tuple(node.outputs[0].shape)[1:] for node in nodes if node.kind == "MATRIX_MULTIPLY"][-1] == (1, 5)


def test_a_constant_of_several_positions_is_cut() -> None:
    assert rows(defined(beside_positions, ALONE))[1] == 3


def test_the_axis_of_positions_may_be_the_first() -> None:
    network = defined(batch_second, ALONE)
    shapes = [tuple(node.outputs[0].shape) for node in layers(network) if node.kind == "ACTIVATION"]
    assert [shape[0] for shape in shapes] == [1]


def seen_twice(m: Net, x: torch.Tensor) -> Any:
    y = m.norm(m.two(m.one(x)))
    return m.head(y[:, 0]), y


def mean_beside(m: Net, x: torch.Tensor) -> torch.Tensor:
    y = m.norm(m.two(m.one(x)))
    return m.head(y[:, 0]) + m.head(y.mean(1))


def most(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.norm(m.two(m.one(x)))[:, 1:])


def features(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.two(m.one(x))[:, :, :4]


@pytest.mark.parametrize("made", [seen_twice, mean_beside, most, features], ids=lambda made: made.__name__)
def test_what_others_need_as_a_whole_is_computed_once(made: Made) -> None:
    network, other = defined(made, {}), defined(made, WHOLE)
    assert "positions" not in network.forms.chosen.get("", {})
    assert Counter(n.kind for n in layers(network)) == Counter(n.kind for n in layers(other))


def causal(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.norm(m.two(m.one(x), causal=True))[:, -1])


def test_causal_attention_is_of_all_queries_and_what_follows_of_one() -> None:
    network = defined(causal, ALONE)
    queries = [node.inputs[0].shape[2] for node in layers(network) if node.kind == "ATTENTION_INPUT"]
    assert queries == [LENGTH, LENGTH] and rows(network)[1] == 3


def test_written_positions_are_those_after_the_write() -> None:
    def written(m: Net, x: torch.Tensor) -> torch.Tensor:
        y = m.two(m.one(x)).clone()
        y[:, 0] = y[:, 0] * 2
        return m.head(y)[:, 0]

    defined(written, ALONE)


def test_bisection_sees_the_modules_as_they_are_in_torch() -> None:
    torch.manual_seed(0)
    model = Net(class_token, False).eval()
    network = trtnet.define(model, TOKENS, forms=ALONE)
    found = trtnet.bisect(network, model, {"x": random_tensor(2, LENGTH, WIDTH)})
    agreed = {row.path for row in found.rows if row.verdict.name == "AGREES"}
    assert {"two", "two.up", "two.norm2", "norm", "head"} <= agreed
    assert {row.path for row in found.rows} == agreed


def test_a_wrong_module_of_the_last_block_is_named() -> None:
    torch.manual_seed(0)
    original, other = Net(class_token, False).eval(), Net(class_token, False).eval()
    other.load_state_dict(original.state_dict())
    with torch.no_grad():
        other.two.down.weight.copy_(other.two.down.weight.flip(0))
    network = trtnet.define(other, TOKENS, forms=ALONE)
    found = trtnet.bisect(network, original, {"x": random_tensor(2, LENGTH, WIDTH)})
    assert found.module == "two.down"


def test_weights_keep_their_names() -> None:
    both = [set(trtnet.define(Net(class_token, False).eval(), TOKENS, forms=forms).named) for forms in (WHOLE, ALONE)]
    assert both[0] == both[1] != set()


@pytest.mark.parametrize("form", ["products", "float32_softmax"])
def test_products_are_refused_where_keys_and_values_are_parts_of_one(form: str) -> None:
    model = Net(class_token, False).eval()
    text = rf"'{form}' of 'decoding' applies to no operation.*keys and values are not parts of one product"
    with pytest.raises(trtnet.TrtnetError, match=text):
        trtnet.define(model, TOKENS, dtype="float16", forms=ALONE | {"decoding": form})
    chosen = trtnet.define(model, TOKENS, dtype="float16", forms=ALONE | {"decoding": "sums"}).forms.chosen
    assert chosen["two"]["decoding"] == "sums"
