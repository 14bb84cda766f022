"""One error with every difference, the nearest names, and the prefix that would help."""

import time

import numpy as np
import pytest

import trtnet
from trtnet import checkpoint
from trtnet.support.errors import WeightsError


def opened(shapes):
    return checkpoint.open_checkpoint({key: np.zeros(shape, np.float32) for key, shape in shapes.items()})


def failure(expected, shapes, **arguments):
    with pytest.raises(WeightsError) as caught:
        checkpoint.match(expected, opened(shapes), **arguments)
    return caught.value


MODEL = {f"layer{i}.{part}": shape for i in range(4) for part, shape in (("weight", (4, 3)), ("bias", (4,)))}


def test_equal_keys_and_shapes_pass():
    assert checkpoint.match(MODEL, opened(MODEL)) == ()
    assert checkpoint.match({"a": [2, 3]}, opened({"a": (2, 3)})) == ()
    assert checkpoint.match({}, opened({})) == ()


def test_everything_is_in_one_error():
    shapes = {"conv.weight": (8, 3), "head.weight": (10, 8), "head.wieght": (10, 9), "extra": (1,)}
    error = failure({"conv.weight": (8, 4), "fc.head.weight": (10, 8), "zzz": (2,)}, shapes)
    assert error.missing == ("fc.head.weight", "zzz")
    assert error.unexpected == ("head.weight", "head.wieght", "extra")
    assert error.mismatched == (("conv.weight", (8, 4), (8, 3)),)
    assert str(error).splitlines() == [
        "a mapping of 4 tensors does not match the model: 2 missing, 3 unexpected, 1 of another shape",
        "  missing (the model needs them):",
        "    fc.head.weight [10, 8]   nearest: head.weight [10, 8]",
        "    zzz [2]",
        "  unexpected (the model has no such weights):",
        "    head.weight [10, 8]",
        "    head.wieght [10, 9]",
        "    extra [1]",
        "  of another shape:",
        "    conv.weight: [8, 4] in the model, [8, 3] here",
    ]


def test_nearest_name_of_another_shape_if_none_fits():
    assert "nearest: conv1.wieght [5]" in str(failure({"conv1.weight": (4,)}, {"conv1.wieght": (5,)}))
    error = failure({"conv1.weight": (4,), "conv2.weight": (4,)}, {"conv1.weight": (4,)})
    assert "conv2.weight [4]   nearest: conv1.weight [4]" in str(error)


@pytest.mark.parametrize("prefix", ["module.", "model.", "backbone.", "_orig_mod.", "model.vision.tower."])
def test_prefix_of_the_checkpoint(prefix):
    text = str(failure(MODEL, {prefix + key: shape for key, shape in MODEL.items()}))
    assert "all 8 missing are found" in text
    assert (f"strip_prefix = {prefix!r}" if prefix not in ("module.", "_orig_mod.") else "--rules unwrap") in text


def test_prefix_of_the_model():
    wanted = {f"model.{key}": shape for key, shape in MODEL.items()} | {"lm_head.weight": (9,)}
    text = str(failure(wanted, MODEL | {"other": (2,)}))
    assert "With 'model.' added to the checkpoint's keys, 8 of the 9 missing are found:" in text


def test_prefix_is_not_claimed_by_chance():
    text = str(failure(MODEL, {"decoder.layer0.weight": (4, 3), "decoder.layer1.weight": (4, 4)}))
    assert "stripped" not in text
    assert "added" not in text


def test_long_lists_are_cut_in_the_text_only():
    wanted = {f"block{i}.weight": (2,) for i in range(300)}
    error = failure(wanted, {f"stage{i}.kernel": (2,) for i in range(45)})
    assert len(error.missing) == 300
    assert len(error.unexpected) == 45
    text = str(error)
    assert "... and 280 more" in text
    assert "... and 25 more" in text
    assert len(text.splitlines()) == 1 + 2 * 22


def test_large_mismatch_is_reported_quickly():
    names = [f"model.layers.{i}.self_attn.{p}_proj.weight" for i in range(5000) for p in "qkvo"]
    source = opened({f"transformer.{name}.kernel": (1,) for name in names})
    start = time.process_time()
    with pytest.raises(WeightsError, match=r"weight \[1\]   nearest: transformer\.model\.layers\.0\.self_attn\.q_proj"):
        checkpoint.match(dict.fromkeys(names, (1,)), source)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "key",
    [
        "bn1.num_batches_tracked",
        "num_batches_tracked",
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "h.0.attn.masked_bias",
        "gpt_neox.layers.0.attention.masked_bias",
        "bert.embeddings.position_ids",
        "layers.0.blocks.0.attn.relative_position_index",
    ],
)
def test_ignored_by_rule(key):
    checkpoint.match({}, opened({key: (1,)}))
    assert failure({}, {key: (1,)}, ignored=()).unexpected == (key,)
    assert failure({key: (2,)}, {key: (1,)}).mismatched == ((key, (2,), (1,)),)
    assert failure({key: (2,)}, {}).missing == (key,)


@pytest.mark.parametrize(
    "key",
    [
        "xnum_batches_tracked",
        "num_batches_tracked.weight",
        "attn.bias",
        "inv_freq",
        "encoder.inv_freq.weight",
        "position_ids",
        "attn.relative_position_bias_table",
        "embeddings.position_embeddings.weight",
    ],
)
def test_no_rule_hides_a_weight(key):
    assert failure({}, {key: (1,)}).unexpected == (key,)


def test_unreadable_tensor_that_nobody_needs():
    source = {"freqs": np.ones(2, np.uint16), "a": np.ones(2)}
    checkpoint.match({"a": (2,)}, checkpoint.open_checkpoint(source), ignored=(r"^freqs$",))
    with pytest.raises(WeightsError, match=r"freqs \(unreadable\)"):
        checkpoint.match({"a": (2,)}, checkpoint.open_checkpoint(source))


def test_an_engine_is_built_without_an_unreadable_tensor_that_is_ignored():
    class Scale(trtnet.nn.Module):
        def __init__(self):
            self.a = trtnet.nn.Parameter(2)

        def forward(self, x):
            return x * self.a

    source = {"freqs_cis": np.ones(2, np.uint16), "a": np.ones(2, np.float32)}
    network = trtnet.define(Scale(), {"x": trtnet.Input((3, 2))}, source, ignored=["^freqs_cis$"])
    plan = network.build().plan
    assert plan.info.checkpoint_digest == checkpoint.open_checkpoint({"a": source["a"]}).digest()
    x = np.full((3, 2), 5, np.float32)
    np.testing.assert_array_equal(network.reference()(x), x)
