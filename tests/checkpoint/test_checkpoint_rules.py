"""Each kind of rule: what it makes, what undoes it, and how it says that it does not fit."""

from __future__ import annotations

import json
import re
import time

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.base import Checkpoint, TensorSpec
from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.rules import parse
from trtnet.support.dtypes import float32
from trtnet.support.errors import CheckpointError

RNG = np.random.default_rng(0)


def arrays(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {key.replace("__", "."): RNG.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}


KERNEL = RNG.standard_normal((3, 5, 2, 4)).astype(np.float32)
ATTENTION = arrays(a__q__weight=(4, 3), a__k__weight=(4, 3), a__v__weight=(4, 3), a__q__bias=(4,))

ROUND_TRIPS = {
    "rename": ("rename = '^(a|b)\\.(q|k)\\.weight$'\nto = 'x.\\2.\\1.w'", ATTENTION),
    "rename part": ("rename = '^a\\.'\nto = 'model.a.'", ATTENTION),
    "add prefix": ("add_prefix = 'model.'", ATTENTION),
    "strip prefix": ("strip_prefix = 'a.'", ATTENTION),
    "merge": (
        "merge = ['^(\\w)\\.q\\.(weight)$', '\\1.k.\\2', '\\1.v.\\2']\nto = '\\1.in_\\2'",
        ATTENTION,
    ),
    "split": ("split = '^a\\.q\\.(weight|bias)$'\ninto = ['a.x.\\1', 'a.y.\\1']", ATTENTION),
    "split columns": ("split = '^a$'\ninto = ['x', 'y', 'z']\ndim = 1", arrays(a=(2, 6))),
    "transpose": ("transpose = 'weight$'", ATTENTION),
    "permute": ("permute = 'conv/kernel'\ndims = [3, 2, 0, 1]", arrays(conv__x=(2, 2)) | {"conv/kernel": KERNEL}),
    "split part": ("split = 'qkv\\.(weight|bias)$'\ninto = ['q.\\1', 'k.\\1']", arrays(a__qkv__weight=(4, 3))),
    "merge part": (
        "merge = ['\\.q\\.', '.k.', '.v.']\nto = '.in.'",
        arrays(a__q__w=(4, 3), a__k__w=(4, 3), a__v__w=(4, 3)),
    ),
    "reshape": ("reshape = 'weight$'\nshape = [0, 3, 1, 1]\nback = [0, -1]", ATTENTION),
    "rotary": ("rotary = 'q\\.weight$'\nhead_dim = 4", ATTENTION),
    "rotary bias": ("rotary = 'q\\.(weight|bias)$'\nhead_dim = 4", ATTENTION),
    "fill": ("fill_by = '^(\\w)\\.q\\.weight$'\nto = '\\1.k.bias'\nshape = ['dim0']", ATTENTION),
    "tie": ("tie = 'head'\nto = 'a.q.weight'", ATTENTION),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_a_rule_and_what_undoes_it(name: str) -> None:
    text, tensors = ROUND_TRIPS[name]
    rules = parse(f"[[rules]]\n{text}", name)
    there = rules.apply(tensors)
    assert set(there) != set(tensors) or there.digest() != open_checkpoint(tensors).digest()
    back = rules.inverse().apply(there)
    assert set(back) == set(tensors)
    for key, array in tensors.items():
        np.testing.assert_array_equal(back[key], array, strict=True)


def one(text: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(parse(f"[[rules]]\n{text}", "test").apply(tensors))


def test_what_merging_and_splitting_give() -> None:
    merged = one(ROUND_TRIPS["merge"][0], ATTENTION)
    parts = [ATTENTION[f"a.{name}.weight"] for name in "qkv"]
    np.testing.assert_array_equal(merged["a.in_weight"], np.concatenate(parts))
    assert set(merged) == {"a.in_weight", "a.q.bias"}
    halves = one(ROUND_TRIPS["split"][0], ATTENTION)
    np.testing.assert_array_equal(halves["a.y.weight"], ATTENTION["a.q.weight"][2:])


def test_a_number_is_added_where_the_pattern_says() -> None:
    tensors = {"norm": np.array([1.5, -0.25], np.float16), "x": np.ones(1, np.float32), "n": np.ones(1, np.int32)}
    found = one("add = '^norm$'\nvalue = -1", tensors)
    assert [found[key].tolist() for key in tensors] == [[0.5, -1.25], [1.0], [1]]
    assert found["norm"].dtype == np.float16
    with pytest.raises(CheckpointError, match="n has int32: add is for floats"):
        one("add = '^n$'\nvalue = 0.5", tensors)


def test_rotary_layout_is_interleaved() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert one("rotary = '.'\nhead_dim = 4", {"w": rows})["w"].ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_slices_drops_and_fills() -> None:
    assert one("slice = '.'\nstart = 2", arrays(p=(5, 3)))["p"].shape == (3, 3)
    assert set(one("drop = '^a\\.q'", ATTENTION)) == {"a.k.weight", "a.v.weight"}
    filled = one("fill_by = '^a\\.q\\.weight$'\nto = 'z'\nshape = [2, 'dim1']\nvalue = 1.5", ATTENTION)
    np.testing.assert_array_equal(filled["z"], np.full((2, 3), 1.5, np.float32), strict=True)


def test_weight_norm_and_spectral_norm_are_torchs() -> None:
    torch.manual_seed(0)
    conv = torch.nn.utils.weight_norm(torch.nn.Conv1d(3, 4, 5))
    folded = one("fold = 'weight_norm'", {f"c.{k}": v.detach().numpy() for k, v in conv.state_dict().items()})
    np.testing.assert_allclose(folded["c.weight"], conv.weight.detach().numpy(), rtol=1e-6)
    assert set(folded) == {"c.weight", "c.bias"}
    linear = torch.nn.utils.spectral_norm(torch.nn.Linear(6, 5))
    linear(torch.randn(2, 6))
    linear.eval()
    state = {f"l.{k}": v.detach().numpy() for k, v in linear.state_dict().items()}
    linear(torch.randn(2, 6))
    np.testing.assert_allclose(
        one("fold = 'spectral_norm'", state)["l.weight"], linear.weight.detach().numpy(), rtol=1e-5
    )


@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_norm_goes_into_its_convolution(bias: bool) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=bias), torch.nn.BatchNorm2d(4)).eval()
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    plain = one("fold = 'batch_norm'\nconv = '^0\\.weight$'\nnorm = '1'", state)
    assert set(plain) == {"0.weight", "0.bias"}
    x = torch.randn(2, 3, 6, 6)
    found = torch.nn.functional.conv2d(x, torch.from_numpy(plain["0.weight"]), torch.from_numpy(plain["0.bias"]))
    assert torch.allclose(found, model(x), atol=1e-5)


def test_nothing_is_read_before_it_is_asked_for() -> None:
    class Counting(Checkpoint):
        reads = 0

        def _spec(self, key: str) -> TensorSpec:
            return TensorSpec((4, 3), float32)

        def _read(self, key: str) -> np.ndarray:
            Counting.reads += 1
            return np.ones((4, 3), np.float32)

    rules = parse("\n".join(f"[[rules]]\n{ROUND_TRIPS[name][0]}" for name in ("merge", "transpose")), "both")
    converted = rules.apply(Counting("counting", ["a.q.weight", "a.k.weight", "a.v.weight"]))
    assert converted.info("a.in_weight").shape == (3, 12) and Counting.reads == 0
    assert converted["a.in_weight"].shape == (3, 12) and Counting.reads == 3


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, ml_dtypes.float8_e4m3fn, np.float64])
def test_elements_of_every_type_stay_bit_exact(dtype: type) -> None:
    bits = RNG.integers(0, 255, (4, 6 * np.dtype(dtype).itemsize)).astype(np.uint8)
    tensors = {"a": bits.view(dtype), "b": bits[::-1].copy().view(dtype)}
    rules = parse("[[rules]]\nmerge = ['^a$', 'b']\nto = 'c'\n[[rules]]\ntranspose = 'c'", "t")
    back = rules.inverse().apply(rules.apply(tensors))
    assert {key: back[key].tobytes() for key in back} == {key: x.tobytes() for key, x in tensors.items()}


WRONG = {
    "merge": ("merge = ['^a\\.q\\.(bias)$', 'a.k.\\1']\nto = 'x'", r"rule 1 \(merge\) of test: a.k.bias is missing"),
    "merge shapes": ("merge = ['^a\\.q\\.weight$', 'a.q.bias']\nto = 'x'", "what a rule merges it with differ"),
    "split": (
        "split = 'weight'\ninto = ['x', 'y', 'z']",
        r"weight \[4, 3\] cannot be split into 3 of equal size along dim",
    ),
    "collision": ("rename = '(q|k)'\nto = 'x'", "renaming '\\(q\\|k\\)' makes a.x.weight, which already exists"),
    "prefix": ("strip_prefix = 'b.'", "a.q.weight does not begin with 'b.', which a rule strips"),
    "transpose": ("transpose = 'bias'", "a.q.bias has 1 dimension: transpose takes two, permute takes more"),
    "permute": ("permute = 'bias'\ndims = [1, 0]", r"a.q.bias has 1 dimension: dims \[1, 0\] are for 2"),
    "slice": ("slice = 'bias'\nstart = 4", r"a.q.bias \[4\] has no row 4 to begin at"),
    "slice from before": ("slice = 'bias'\nstart = -5", r"a.q.bias \[4\] has no row -5 to begin at"),
    "back": (
        "reshape = 'weight$'\nshape = [-1]\nback = [3, 4]",
        r"a.q.weight \[4, 3\] is not what back = \[3, 4\] makes of \[12\]",
    ),
    "merge twice": (
        "merge = ['^a\\.(q|k)\\.weight$', 'a.v.weight']\nto = '\\1.in'",
        r"merging .* takes a.v.weight twice",
    ),
    "merge onto another": (
        "merge = ['^a\\.q\\.weight$', 'a.k.weight']\nto = 'a.v.weight'",
        r"merging .* makes a.v.weight, which already exists",
    ),
    "reshape": ("reshape = 'weight'\nshape = [5, -1]", r"\[4, 3\] cannot be reshaped to \[5, -1\]"),
    "rotary": ("rotary = 'weight'\nhead_dim = 3", r"\[4, 3\] has no heads of 3 rows"),
    "fold": ("fold = 'batch_norm'\nconv = 'q\\.weight'\nnorm = 'bn'", "bn.weight is missing: a rule folds it"),
    "fill": ("fill_by = 'bias'\nto = 'x'\nshape = ['dim3']", "a rule fills x by it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_that_does_not_fit(name: str) -> None:
    text, words = WRONG[name]
    with pytest.raises(CheckpointError, match=words):
        dict(parse(f"[[rules]]\n{text}", "test").apply(ATTENTION))


NOTHING = {
    "rename": ("rename = '^b\\.q\\.(weight|bias)$'\nto = 'x.\\1'", r"'^b\.q\.(weight|bias)$'; nearest: a.q.weight,"),
    "drop": ("drop = 'num_batches_tracked$'", "'num_batches_tracked$'; nearest: "),
    "merge": ("merge = ['^a\\.query\\.bias$', 'a.k.bias']\nto = 'x'", r"'^a\.query\.bias$'; nearest: a.q.bias, "),
    "split": ("split = 'qkv'\ninto = ['q_x', 'k_x', 'v_x']", "'qkv'; nearest: "),
    "transpose": ("transpose = 'kernel$'", "'kernel$'; nearest: "),
    "permute": ("permute = 'kernel$'\ndims = [3, 2, 0, 1]", "'kernel$'; nearest: "),
    "reshape": ("reshape = 'a\\.qq\\.weight'\nshape = [-1]\nback = [4, 3]", r"'a\.qq\.weight'; nearest: a.q.weight, "),
    "slice": ("slice = 'positions'\nstart = 2", "'positions'; nearest: "),
    "rotary": ("rotary = 'q_proj'\nhead_dim = 2", "'q_proj'; nearest: "),
    "add": ("add = 'norm'\nvalue = -1", "'norm'; nearest: "),
    "fill_by": ("fill_by = 'x'\nto = 'y'\nshape = [1]", "'x'; nearest: "),
    "tie": ("tie = 'head.weight'\nto = 'a.qk.weight'", "'a.qk.weight'; nearest: a.q.weight, "),
    "unwrap": ("unwrap = true", "the name of a wrapper (_orig_mod, module, "),
    "weight norm": ("fold = 'weight_norm'", "'weight_g' of a layer at '^'; nearest: a.q.weight, "),
    "spectral norm": ("fold = 'spectral_norm'\nat = 'a'", "'weight_orig' of a layer at 'a'; nearest: a.q.weight, "),
    "batch norm": ("fold = 'batch_norm'\nconv = 'conv.weight$'\nnorm = 'bn'", "'conv.weight$'; nearest: "),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_rule_that_matches_nothing_is_an_error_unless_it_is_optional(name: str) -> None:
    text, words = NOTHING[name]
    with pytest.raises(CheckpointError, match=rf"rule 1 \(\w+\) of test: no key matches {re.escape(words)}") as caught:
        one(text, ATTENTION)
    assert "say optional = true if it is for some checkpoints only" in str(caught.value)
    optional = parse(f"[[rules]]\n{text}\noptional = true", "test")
    converted = optional.apply(ATTENTION)
    assert converted.digest() == open_checkpoint(ATTENTION).digest()
    if name not in ("slice", "add", "weight norm", "spectral norm", "batch norm"):
        assert optional.inverse().apply(converted).digest() == converted.digest()


def test_the_second_rule_sees_what_the_first_has_made() -> None:
    rules = parse("[[rules]]\nrename = '^a\\.'\nto = 'b.'\n[[rules]]\ndrop = '^a\\.q'", "both")
    with pytest.raises(CheckpointError, match=r"rule 2 \(drop\) of both: no key matches .*; nearest: b\.q\.bias, "):
        rules.apply(ATTENTION)


def test_nearest_keys_are_of_several_kinds_and_found_soon() -> None:
    keys = [f"encoder.layers.{n}.attention.{name}" for n in range(20_000) for name in ("q.weight", "k.bias")]
    start = time.process_time()
    found = nearest(r"^encoder\.blocks\.(\d+)\.attention\.(q|k)\.(weight|bias)$", keys)
    assert found == [f"encoder.layers.0.attention.{name}" for name in ("q.weight", "k.bias")]
    assert nearest("x", []) == [] and time.process_time() - start < 2


BAD_FILES = {
    "no toml": ("[[rules", "are not TOML"),
    "unknown section": ("x = 1", "a rule file has about, signs and"),
    "no verb": ("[[rules]]\nto = 'x'", "rule 1: a rule has one of rename, "),
    "two verbs": ("[[rules]]\nrename = 'a'\ndrop = 'b'\nto = 'x'", "a rule has one of"),
    "unknown option": ("[[rules]]\ndrop = 'a'\nfrom = 'b'", "drop takes optional; found from"),
    "missing option": ("[[rules]]\nrename = 'a'", "rename needs to"),
    "bad regex": ("[[rules]]\ndrop = '['", "is not a regular expression"),
    "slow regex": ("[[rules]]\ndrop = '(a+)+$'", "is too complex"),
    "many repeats": ("[[rules]]\ndrop = '.*.*.*.*.*.*.*x'", "is too complex"),
    "many alternatives": (f"[[rules]]\ndrop = '{'(a|a)' * 30}!'", "its alternatives have 1,073,741,824 combinations"),
    "many options": (f"[[rules]]\ndrop = '{'a?' * 30}!'", "its alternatives have 1,073,741,824 combinations"),
    "backreference": ("[[rules]]\ndrop = '(a*)\\1'", "has a backreference, such as \\1"),
    "a sign": ("signs = ['(']", "the rules test: signs: the pattern '(' is not a regular expression"),
    "rules": ("rules = 3", "the rules test: rules is a list of tables, each under [[rules]], found 3"),
    "signs": ("signs = 'x'", "the rules test: signs is a list of patterns, found 'x'"),
    "about": ("about = 3", "the rules test: about is text, found 3"),
    "one_way": ("[[rules]]\nrename = 'a'\nto = 'b'\none_way = 'no'", "rule 1: one_way is true or false, found 'no'"),
    "optional": ("[[rules]]\nstrip_prefix = 'a'\noptional = 1", "optional is true or false, found 1"),
    "dims": ("[[rules]]\npermute = 'a'\ndims = [0, 2]", "dims are all axes in another order, such as"),
    "no dims": ("[[rules]]\npermute = 'a'", "permute needs dims"),
    "no shape": ("[[rules]]\nreshape = 'a'", "reshape needs shape"),
    "eps": ("[[rules]]\nfold = 'batch_norm'\nconv = 'a'\nnorm = 'b'\neps = true", "eps is a number, found True"),
    "option of another fold": (
        "[[rules]]\nfold = 'weight_norm'\ndim = 1",
        "fold = 'weight_norm' takes at, optional; found dim",
    ),
    "unknown group": ("[[rules]]\nrename = 'a'\nto = '\\1'", "refers to a group that its pattern does not have"),
    "no rules": ("about = 'x'", "the rules test are none: write each under [[rules]]"),
    "a pattern as it is written": ("[[rules]]\ndrop = '\\d('", r"the pattern '\d(' is not a regular expression"),
    "type": ("[[rules]]\nrotary = 'a'\nhead_dim = 'x'", "head_dim is an int, found 'x'"),
    "add": ("[[rules]]\nadd = 'a'", "add needs value, a finite number"),
    "add too much": ("[[rules]]\nadd = 'a'\nvalue = inf", "add needs value, a finite number"),
    "fold": ("[[rules]]\nfold = 'x'", "fold is one of batch_norm, weight_norm, spectral_norm; found 'x'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_rule_file(name: str) -> None:
    text, words = BAD_FILES[name]
    with pytest.raises(CheckpointError, match=re.escape(words)):
        parse(text, "test")


def test_a_rule_that_loses_something_does_not_go_back() -> None:
    with pytest.raises(CheckpointError, match=r"test has no inverse: rule 1 \(slice\) loses information"):
        parse("[[rules]]\nslice = '.'\nstart = 1", "test").inverse()
    with pytest.raises(CheckpointError, match=r"rule 1 \(add\) loses information"):
        parse("[[rules]]\nadd = '.'\nvalue = 1", "test").inverse()
    with pytest.raises(CheckpointError, match=r"rule 2 \(rename\) loses information"):
        parse("[[rules]]\ndrop = 'x'\n[[rules]]\nrename = '(a|b)c'\nto = 'c'", "test").inverse()


def test_axes_in_another_order() -> None:
    made = one("permute = 'conv/kernel'\ndims = [3, 2, 0, 1]", {"conv/kernel": KERNEL})["conv/kernel"]
    np.testing.assert_array_equal(made, KERNEL.transpose(3, 2, 0, 1), strict=True)


def test_a_slice_from_the_end() -> None:
    converted = parse("[[rules]]\nslice = '.'\nstart = -2", "test").apply(arrays(p=(5, 3)))
    assert converted.info("p").shape == converted["p"].shape == (2, 3)


def test_a_result_that_is_not_what_was_announced_is_refused() -> None:
    class Lying(Checkpoint):
        def _spec(self, key: str) -> TensorSpec:
            return TensorSpec((4, 3), float32)

        def _read(self, key: str) -> np.ndarray:
            return np.ones((2, 3), np.float32)

    converted = parse("[[rules]]\nrename = 'a'\nto = 'b'", "test").apply(Lying("lying", ["a"]))
    with pytest.raises(CheckpointError, match=r"lying: b cannot be made by its rule: expected \[4, 3\] float32"):
        converted["b"]


INTRICATE = {
    "six times anything": (".*.*.*.*.*.*!", "a" * 63),
    "anything thrice": (".*.*.*!", "a" * 200),
    "letters": ("a*a*a*a*a*!", "a" * 100),
    "options": (f"{'a?' * 16}{'a' * 16}!", "a" * 100),
}


@pytest.mark.parametrize("name", INTRICATE)
def test_no_pattern_takes_long(name: str) -> None:
    text, key = INTRICATE[name]
    start = time.process_time()
    with pytest.raises(CheckpointError, match="might take too long on the key 'aaaa"):
        one(f"drop = '{text}'", {key: np.ones(1, np.float32)})
    assert time.process_time() - start < 2


def test_patterns_of_every_day_are_not_refused() -> None:
    key = "model.encoder.layers.11.blocks.3.self_attention.query_projection.with_a_long_name.weight"
    for text in (r"^(.*)\.layers\.(\d+)\.(.*)\.(weight|bias)$", r"([^.]+)\.(\w+)\.(\w+)$", r"a?b?c?.*weight"):
        assert one(f"drop = '{text}'", {key: np.ones(1, np.float32)}) == {}


# what would come back as something else is refused on the way there
NO_WAY_BACK = {
    "a key of the new form": ("rename = '^a\\.'\nto = 'b.'", {"a.x": 1, "b.y": 1}, "b.y would become a.y"),
    "twice in a key": ("rename = 'a'\nto = 'b'", {"b.a": 1}, "b.b would become a.b"),
    "a split": ("split = 'q\\.w'\ninto = ['x.w', 'y.w']", {"q.w": 2, "x.w.2": 2}, "x.w.2 would become q.w.2"),
    "a merge": ("merge = ['q', 'k']\nto = 'in'", {"q": 2, "k": 2, "min": 2}, "min would become mq, mk"),
}


@pytest.mark.parametrize("name", NO_WAY_BACK)
def test_what_could_not_be_undone(name: str) -> None:
    text, sizes, words = NO_WAY_BACK[name]
    tensors = {key: np.ones(size, np.float32) for key, size in sizes.items()}
    with pytest.raises(CheckpointError, match=f"could not be undone: {words} on the way back"):
        one(text, tensors)
    rules = parse(f"[[rules]]\n{text}\none_way = true", "test")
    assert dict(rules.inverse().apply(rules.apply(tensors))).keys() == rules.apply(tensors).keys() != tensors.keys()


def test_a_merge_of_unequal_sizes_has_no_way_back() -> None:
    text, tensors = "merge = ['^q$', 'k']\nto = 'qk'", arrays(q=(4, 3), k=(2, 3))
    with pytest.raises(CheckpointError, match="q and what a rule merges it with have different sizes along dim 0"):
        one(text, tensors)
    merged = one(f"{text}\none_way = true", tensors)["qk"]
    np.testing.assert_array_equal(merged, np.concatenate([tensors["q"], tensors["k"]]))


def test_untying_what_differs() -> None:
    back = parse("[[rules]]\ntie = 'h'\nto = 'w'", "test").inverse()
    with pytest.raises(CheckpointError, match="h is not w: they cannot be tied"):
        dict(back.apply({"h": np.ones(2, np.float32), "w": np.zeros(2, np.float32)}))


VALUES = st.one_of(
    st.text(max_size=30), st.integers(), st.floats(), st.booleans(), st.lists(st.text(max_size=8), max_size=3),
    st.lists(st.integers(-5, 5), max_size=4),
)  # fmt: skip
KEYS = st.sampled_from(
    (
        *("rename", "to", "drop", "merge", "split", "into", "dim", "transpose", "reshape", "shape", "back", "slice"),
        *("start", "fill_by", "add", "value", "rotary", "head_dim", "fold", "at", "conv", "norm", "eps", "tie"),
        *("add_prefix", "strip_prefix", "optional", "one_way", "other", "permute", "dims", "transposed"),
    )
)


def toml(value: object) -> str:
    return repr(value) if isinstance(value, float) else json.dumps(value)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=3))
def test_no_rule_file_does_anything_but_work_or_be_refused(entries: list[dict[str, object]]) -> None:
    text = "\n".join("[[rules]]\n" + "\n".join(f"{k} = {toml(v)}" for k, v in entry.items()) for entry in entries)
    try:
        rules = parse(text, "fuzz")
        dict(rules.apply(ATTENTION))
        dict(rules.inverse().apply(rules.apply(ATTENTION)))
    except CheckpointError as error:
        assert "fuzz" in str(error)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        rules = parse(text, "fuzz")
    except CheckpointError as error:
        assert "fuzz" in str(error)
    else:
        assert dict(rules.apply(ATTENTION)).keys() == ATTENTION.keys()
