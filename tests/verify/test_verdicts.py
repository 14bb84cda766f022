"""The model's own outputs decide: their order, shape, layout, dtype; and nothing compared is no pass."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError
from trtnet.verify import Tolerance
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.report import Bisection
from trtnet.verify.bisection.result import Verdict
from trtnet.verify.comparison.compare import compare

X = np.random.default_rng(0).standard_normal((2, 4, 9, 9)).astype(np.float32)


class Ours(nn.Module):
    """Two convolutions, and what `last` makes of them."""

    inputs = {"x": trtnet.Input((2, 4, 9, 9))}

    def __init__(self, first: nn.Module, second: nn.Module, last: Any) -> None:
        self.conv, self.pool, self.last = first, second, last

    def forward(self, x: Any) -> Any:
        return self.last(self.pool(self.conv(x)))


class Theirs(torch.nn.Module):
    def __init__(self, first: torch.nn.Module, second: torch.nn.Module, last: Any) -> None:
        super().__init__()
        self.conv, self.pool, self.last = first, second, last

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.pool(self.conv(x)))


def models(conv: Any, pool: Any, last: Any, torch_conv: Any, torch_pool: Any, torch_last: Any) -> Any:
    torch.manual_seed(0)
    theirs = Theirs(torch.nn.Conv2d(4, 6, 3, **torch_conv), torch.nn.MaxPool2d(2, **torch_pool), torch_last)
    return trtnet.define(Ours(nn.Conv2d(4, 6, 3, **conv), nn.MaxPool2d(2, **pool), last), weights=theirs), theirs


def both(found: Any, original: Any, x: Any = X) -> Bisection:
    """What bisect says, after compare has said the same."""
    bisected = bisect(found, original, x)
    assert compare(found, original, x).passed == bisected.passed, str(bisected)
    return bisected


def same(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("ours", "theirs", "module", "says"),
    [
        (({}, {}), ({"stride": 2}, {}), "conv", "stride is 1 here, 2 in torch"),
        (({"dilation": 2}, {}), ({}, {}), "conv", "dilation is 2 here, 1 in torch"),
        (({}, {}), ({"padding": 1}, {}), "conv", "padding is 0 here, 1 in torch"),
        (({}, {}), ({}, {"ceil_mode": True}), "pool", "ceil_mode is False here, True in torch"),
        (({}, {"stride": 1}), ({}, {"stride": 2}), "pool", "stride is 1 here, 2 in torch"),
        (({"stride": 2}, {"stride": 1}), ({"stride": 1}, {"stride": 2}), "conv", "stride is 2 here, 1 in torch"),
    ],
    ids=["stride", "dilation", "padding", "ceil_mode", "pool stride", "strides exchanged"],
)
@pytest.mark.parametrize("flat", [False, True], ids=["map", "mean"])
def test_a_module_whose_output_has_another_shape_is_named(
    ours: Any, theirs: Any, module: str, says: str, flat: bool
) -> None:
    last = (lambda x: x.mean((2, 3))) if flat else same
    if "ceil_mode" in says:
        ours, theirs = ({"padding": 1}, ours[1]), ({"padding": 1}, theirs[1])
    found = both(*models(*ours, last, *theirs, last))
    assert found.module == module and not found.passed
    assert found.findings[0].row.verdict is Verdict.SHAPE and any(says in one for one in found.findings[0].reasons)
    assert f"{module}: its inputs agree, its output has another shape: [2, 6, " in str(found)
    assert "without effect" not in str(found)


@pytest.mark.parametrize(
    ("last", "torch_last", "says"),
    [
        (same, lambda x: x.permute(0, 2, 3, 1), "another layout"),
        (same, lambda x: x.flatten(1), "another layout"),
        (lambda x: x.mean((2, 3), keepdim=True), lambda x: x.mean((2, 3)), "another layout"),
        (same, lambda x: x.transpose(2, 3), "axes in the order [0, 1, 3, 2]"),
        (same, lambda x: x[:, :, None], "another layout"),
        (lambda x: ops.flip(x, 1), same, "backwards along axis 1"),
        (same, lambda x: x.roll(3, 1), "the halves of axis 1 exchanged"),
        (lambda x: x[:1], lambda x: x[:2], "another shape"),
    ],
    ids=["permute", "flatten", "keepdim", "square", "unsqueeze", "flip", "halves", "fewer rows"],
)
def test_what_the_caller_gets_has_torchs_layout(last: Any, torch_last: Any, says: str) -> None:
    found = both(*models({}, {}, last, {}, {}, torch_last))
    assert found.module == "" and not found.passed and says in str(found), str(found)


def test_a_layout_inside_of_a_model_is_free() -> None:
    class Last(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    class TorchLast(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    found = both(
        *models({}, {}, nn.Sequential(Last()), {}, {}, torch.nn.Sequential(TorchLast())),
    )
    assert found.module == "" and found.findings[0].row.verdict is Verdict.LAYOUT

    class Back(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 3, 1, 2)

    right = both(*models({}, {}, nn.Sequential(Last(), Back()), {}, {}, torch.nn.Sequential(TorchLast(), TorchLast())))
    assert right.passed and right.module is None


def two(x: Any) -> Any:
    return x[:, :2], x[:, 2:]


@pytest.mark.parametrize(
    ("last", "torch_last"),
    [
        (lambda x: two(x)[::-1], two),
        (lambda x: two(x)[::-1], lambda x: dict(zip(("small", "large"), two(x), strict=True))),
        (lambda x: (x, x * 2), lambda x: (x * 2, x)),
        (lambda x: {"a": x, "b": x * 2}, lambda x: {"a": x * 2, "b": x}),
    ],
    ids=["widths", "by order", "same shape", "by name"],
)
def test_exchanged_outputs_are_named(last: Any, torch_last: Any) -> None:
    network, original = models({}, {}, last, {}, {}, torch_last)
    found = both(network, original)
    assert found.module == "" and "outputs are exchanged" in str(found)
    report = compare(network, original, X)
    assert "outputs are exchanged" in str(report) and "exchanged" in str(report.to_json())


def test_names_in_another_order_are_noted_and_chosen_ones_compared() -> None:
    network, original = models({}, {}, lambda x: {"b": x * 2, "a": x}, {}, {}, lambda x: {"a": x, "b": x * 2})
    found = both(network, original)
    assert found.passed and any("their order is b, a, expected is a, b" in note for note in found.notes)
    network, original = models({}, {}, two, {}, {}, lambda x: two(x)[::-1])
    names = {"output0": "output1", "output1": "output0"}
    assert bisect(network, original, X, outputs=names).passed and compare(network, original, X, outputs=names).passed


@dataclass
class Detections:
    boxes: torch.Tensor
    scores: torch.Tensor


def test_the_fields_of_a_dataclass_are_outputs() -> None:
    network, original = models({}, {}, lambda x: {"boxes": x, "scores": x * 2}, {}, {}, lambda x: Detections(x, x * 2))
    assert both(network, original).passed
    network, original = models({}, {}, lambda x: {"boxes": x * 2, "scores": x}, {}, {}, lambda x: Detections(x, x * 2))
    assert both(network, original).module == ""


def best(x: Any) -> Any:
    return x.flatten(1).argmax(1)


@pytest.mark.parametrize(
    ("last", "torch_last", "says"),
    [
        (lambda x: best(x) + 1, best, "+1 everywhere"),
        (lambda x: best(x) + 30000, lambda x: best(x) + 30001, "-1 everywhere"),
        (lambda x: best(x).to("float32"), best, "dtype float32, expected int"),
        (best, lambda x: best(x).float(), "dtype int"),
        (lambda x: (x > 0).to("int32"), lambda x: x > 0, "dtype int32, expected bool"),
        (lambda x: x.to("float16"), same, "dtype float16, expected float32"),
        (lambda x: x[:, :0], lambda x: x[:, :0], "nothing is compared: [2, 0, 3, 3] has no values"),
        (lambda x: (x, x[:, :0]), lambda x: (x, x[:, :0]), "nothing is compared"),
        (lambda x: x / 0.0 * 0.0, lambda x: x / 0.0 * 0.0, "NaN"),
    ],
    ids=["off by one", "large", "floats", "integers", "not bool", "float16", "empty", "one empty", "NaN twice"],
)  # fmt: skip
def test_dtypes_integers_and_nothing(last: Any, torch_last: Any, says: str) -> None:
    network, original = models({}, {}, last, {}, {}, torch_last)
    found = both(network, original)
    assert not found.passed and says in str(found) and says in str(compare(network, original, X))
    assert found.to_json()["passed"] is False


def test_a_float16_network_may_give_float16() -> None:
    _, original = models({}, {}, same, {}, {}, same)
    ours = Ours(nn.Conv2d(4, 6, 3), nn.MaxPool2d(2), same)
    assert both(trtnet.define(ours, weights=original, dtype="float16"), original).passed


def test_integers_are_exact_whatever_is_asked_of_floats() -> None:
    ids = np.array([30000, 30001])

    def off(x: Any) -> Any:
        return ids + np.array([0, 1])

    for tolerance in (None, Tolerance(relative_l2=0.1), Tolerance(rtol=0.1), Tolerance(cosine=0.9)):
        assert not compare(off, lambda x: ids, {"x": ids}, tolerance=tolerance).passed
    assert compare(off, lambda x: ids, {"x": ids}, tolerance=Tolerance(atol=1)).passed
    assert compare(off, lambda x: ids, {"x": ids}, tolerance={"output": Tolerance(relative_l2=0.1)}).passed


class Recurrent(nn.Module):
    """Takes the last state alone, as a voice activity detector does."""

    inputs = {"x": trtnet.Input(("batch", 5, 3))}

    def __init__(self, wrong: bool = False) -> None:
        self.lstm, self.head, self.wrong = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2), wrong

    def forward(self, x: Any) -> Any:
        _, (h, c) = self.lstm(x)
        return self.head((c if self.wrong else h)[0])


class TorchRecurrent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.head = torch.nn.LSTM(3, 4, batch_first=True), torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (h, _) = self.lstm(x)
        return self.head(h[0])


@pytest.mark.parametrize("batch", [1, 2])
def test_results_are_paired_by_position_where_the_first_is_not_used(batch: int) -> None:
    x = np.random.default_rng(0).standard_normal((batch, 5, 3)).astype(np.float32)
    original = TorchRecurrent()
    right = both(trtnet.define(Recurrent(), weights=original), original, x)
    assert right.passed and {row.verdict for row in right.rows} == {Verdict.AGREES}
    wrong = both(trtnet.define(Recurrent(wrong=True), weights=original), original, x)
    assert wrong.module == "" and "before it calls head" in str(wrong)
    weights = {key: value * 2 if key == "lstm.weight_hh_l0" else value for key, value in original.state_dict().items()}
    scaled = both(trtnet.define(Recurrent(), weights=weights), original, x)
    assert scaled.module == "lstm" and any("weight_hh_l0 is 2 times torch's" in r for r in scaled.findings[0].reasons)


SCRIPTS = {
    "script": torch.jit.script,
    "trace": lambda module: torch.jit.trace(module, torch.from_numpy(X)),
    "frozen": lambda module: torch.jit.freeze(torch.jit.script(module.eval())),
}


@pytest.mark.parametrize("make", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_compared_and_not_bisected(make: Any) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU())
    network = trtnet.define(Plain(), weights=plain)
    assert compare(network, make(plain), X).passed
    wrong = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU())
    assert not compare(network, make(wrong), X).passed
    with pytest.raises(InputError, match=r"TorchScript module.*give the Python module"):
        bisect(network, make(plain), X)


class Plain(nn.Sequential):
    inputs = {"image": trtnet.Input((2, 4, 9, 9))}

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(4, 6, 3), nn.ReLU())


def test_integers_are_exact_beside_the_floats_of_a_file(tmp_path: Path) -> None:
    ids = np.array([30000, 999_999, -7])
    off = ids + np.array([0, 1, 0])
    for name, stored, wrong in (("trtexec.json", exported, exported), ("f.npz", as_floats, as_floats)):
        stored(tmp_path / name, ids)
        wrong(tmp_path / f"wrong_{name}", off)
        assert compare(lambda x: {"y": ids}, str(tmp_path / name), {"x": ids}).passed
        assert not compare(lambda x: {"y": ids}, str(tmp_path / f"wrong_{name}"), {"x": ids}).passed
    large = np.array([2**24 + 1, 5])
    exported(tmp_path / "large.json", large)
    assert compare(lambda x: {"y": large}, str(tmp_path / "large.json"), {"x": ids}).passed
    assert not compare(lambda x: {"y": large + 1}, str(tmp_path / "large.json"), {"x": ids}).passed
    as_floats(tmp_path / "large.npz", large)
    with pytest.raises(InputError, match=r"y is float32, which holds every integer up to 16,777,216; .* 16,777,217"):
        compare(lambda x: {"y": large}, str(tmp_path / "large.npz"), {"x": ids})


def exported(path: Path, array: np.ndarray) -> None:
    """As `trtexec --exportOutput` writes an output."""
    path.write_text(json.dumps([{"name": "y", "dimensions": str(array.size), "values": array.tolist()}]))


def as_floats(path: Path, array: np.ndarray) -> None:
    np.savez(path, y=array.astype(np.float32))


def test_top_1_is_of_rows_of_scores_alone() -> None:
    image = compare(lambda x: x, lambda x: x, {"x": X})
    scores = compare(lambda x: x, lambda x: x, {"x": X[0, 0]})
    assert "100 %" not in str(image) and "100 %" in str(scores)


class InPlace(nn.Module):
    inputs = {"x": trtnet.Input((2, 4, 9, 9))}

    def __init__(self) -> None:
        self.conv, self.act, self.head = nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 2, 1)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        self.act(y)
        y += 1
        return self.head(y)


class TorchInPlace(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act = torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Conv2d(6, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        self.act(y)
        y += 1
        return self.head(y)


def test_what_modules_got_and_gave_is_as_it_was_before_it_was_written_into() -> None:
    original = TorchInPlace()
    right = both(trtnet.define(InPlace(), weights=original), original)
    assert right.passed and {row.verdict for row in right.rows} == {Verdict.AGREES}, str(right)
    weights = {k: v * 2 if k == "conv.bias" else v for k, v in original.state_dict().items()}
    assert both(trtnet.define(InPlace(), weights=weights), original).module == "conv"
