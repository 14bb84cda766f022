"""The precision search: the smallest mapping of modules to float32 that passes; where the first infinity appears."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.verify.planted import tokens, transformers

import trtnet
from trtnet import nn
from trtnet.models.gpt2 import GPT2, GPT2Config
from trtnet.support.errors import DifferenceError, InputError
from trtnet.verify import Tolerance
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.result import Verdict
from trtnet.verify.precision.quickxplain import smallest_set
from trtnet.verify.precision.search import search_precision

SIZES = {"vocab_size": 99, "n_positions": 32, "n_embd": 48, "n_layer": 12, "n_head": 4}
LIMIT = 65504


@pytest.fixture(scope="module")
def overflowing() -> torch.nn.Module:
    """A GPT-2 of twelve layers whose layers 9 and 10 each add about 50,000 to one channel of the residual stream."""
    torch.manual_seed(0)
    model = transformers().GPT2LMHeadModel(transformers().GPT2Config(**SIZES)).eval()
    with torch.no_grad():
        for layer in (9, 10):
            mlp = model.transformer.h[layer].mlp
            mlp.c_fc.bias.fill_(3.0)
            mlp.c_proj.weight[:, 5] = 50_000 / (3 * mlp.c_proj.weight.shape[0])
    return model


IDS = {"input_ids": tokens(2, 7, below=99)}


def test_the_report_says_where_the_first_infinity_appears(overflowing: torch.nn.Module) -> None:
    with torch.inference_mode():
        stream = overflowing(torch.from_numpy(IDS["input_ids"]), output_hidden_states=True).hidden_states
    assert stream[10].abs().max() < LIMIT < stream[11].abs().max()
    network = trtnet.define(GPT2(GPT2Config(**SIZES)), weights=overflowing, dtype="float16")
    found = bisect(network, overflowing, IDS)
    assert found.module == "transformer.h.10" and found.findings[0].row.verdict is Verdict.OVERFLOW
    assert found.overflow.startswith("transformer.h.10/") and "models/gpt2.py:" in found.overflow
    assert found.overflow.endswith("14 of 672 values are NaN or infinite")


def test_few_modules_in_float32_are_enough(overflowing: torch.nn.Module) -> None:
    model = GPT2(GPT2Config(**SIZES))
    found = search_precision(model, overflowing, IDS, overflowing)
    assert 0 < found.share <= 0.1, found
    assert "transformer.h.10" in found.best.modules and found.mapping[""] == "float16"
    network = trtnet.define(model, weights=overflowing, dtype=found.mapping)
    logits = network.reference()(torch.from_numpy(IDS["input_ids"]))
    with torch.inference_mode():
        expected = overflowing(torch.from_numpy(IDS["input_ids"])).logits
    assert float((logits.float() - expected).norm() / expected.norm()) <= 1e-2
    network.build({"batch": 2, "length": 7})


def test_a_model_that_passes_is_narrow_throughout() -> None:
    torch.manual_seed(0)
    sizes = SIZES | {"n_layer": 1}
    original = transformers().GPT2LMHeadModel(transformers().GPT2Config(**sizes)).eval()
    found = search_precision(GPT2(GPT2Config(**sizes)), original, IDS, original)
    assert found.mapping == {"": "float16"} and len(found.trials) == 1 and found.best.error > 0


def test_a_wrong_model_is_not_a_matter_of_precision() -> None:
    sizes = SIZES | {"n_layer": 1}
    original = transformers().GPT2LMHeadModel(transformers().GPT2Config(**sizes)).eval()
    expected = {"logits": np.ones((2, 7, 99), np.float32)}
    with pytest.raises(DifferenceError, match=r"in float32 it does not pass either .*bisect"):
        search_precision(GPT2(GPT2Config(**sizes)), original, IDS, expected)


@pytest.mark.parametrize("needed", [{0}, {99}, {40, 41, 42}, {3, 50, 77}, set(range(100))], ids=str)
def test_the_smallest_set_is_found_in_few_questions(needed: set[int]) -> None:
    asked: list[Any] = []

    def enough(items: Any) -> bool:
        asked.append(items)
        return needed <= set(items)

    assert set(smallest_set(range(100), enough)) == needed
    assert len(asked) <= 2 * len(needed) * 8


class Sums(nn.Module):
    """Its parts each add what float16 does not hold beside large inputs. parts: which are in a block."""

    inputs = {"x": trtnet.Input((2, 4), "float32")}

    def __init__(self, count: int = 4) -> None:
        self.block = Block(count)

    def forward(self, x: Any) -> Any:
        return self.block(x)


class Block(nn.Module):
    def __init__(self, count: int) -> None:
        self.parts = nn.ModuleList([Part() for _ in range(count)] + [Idle()])

    def forward(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x


class Part(nn.Module):
    def forward(self, x: Any) -> Any:
        return (x + 1024.0) - 1024.0


class Idle(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 1.0


SMALL, LARGE = np.full((2, 4), 0.3, np.float32), np.full((2, 4), 64.0, np.float32)


def test_a_module_of_which_nearly_all_is_wide_is_named_itself() -> None:
    found = search_precision(Sums(), {}, {"x": SMALL}, lambda x: x, Tolerance(relative_l2=1e-3))
    # four of the five are enough: with the idle one, and the block around them, it is one entry
    assert found.mapping == {"": "float16", "block": "float32"}, found
    assert any(len(trial.modules) == 4 and trial.passed for trial in found.trials)
    assert set(found.best.modules) == {"block", *(f"block.parts.{i}" for i in range(5))}
    # beside others it is not shorter where one of many is enough
    few = search_precision(Sums(1), {}, {"x": SMALL}, lambda x: x, Tolerance(relative_l2=1e-3))
    assert few.mapping == {"": "float16", "block.parts.0": "float32"}


def test_it_passes_only_if_it_does_on_all_inputs() -> None:
    tolerance = Tolerance(relative_l2=1e-3)
    easy = search_precision(Sums(), {}, [{"x": LARGE}, {"x": LARGE}], lambda x: x, tolerance)
    assert easy.mapping == {"": "float16"}
    for inputs in ([{"x": LARGE}, {"x": SMALL}], [{"x": SMALL}, {"x": LARGE}]):
        both = search_precision(Sums(), {}, inputs, lambda x: x, tolerance)
        assert both.mapping == {"": "float16", "block": "float32"}
        place = next(i for i, each in enumerate(inputs) if each["x"] is SMALL)
        assert any(trial.why.startswith(f"inputs {place}: relative L2") for trial in both.trials)
    given = [{"output": LARGE}, {"output": SMALL}]
    assert search_precision(Sums(), {}, [{"x": LARGE}, {"x": SMALL}], given, tolerance).mapping == both.mapping
    with pytest.raises(InputError, match="2 inputs and 1 expected outputs: each of the inputs has its own"):
        search_precision(Sums(), {}, [{"x": LARGE}, {"x": SMALL}], given[0], tolerance)
    with pytest.raises(InputError, match="2 inputs and 1 reference inputs"):
        search_precision(Sums(), {}, [{"x": LARGE}] * 2, lambda x: x, tolerance, reference_inputs={"x": LARGE})


class Choosing(torch.nn.Module):
    """Logits, the largest of which float16 does not tell from the second, and which that is."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 3, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[1.0, 0], [1 + 1e-5, 0], [0, 1]]))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.fc(x)
        return y, y.argmax(-1, keepdim=True) + 30_000


def searched(model: torch.nn.Module, **more: Any) -> Any:
    x = {"x": torch.ones(2, 2).numpy()}
    return search_precision(model.eval(), None, x, specs={"x": trtnet.Input((2, 2))}, **more)


def test_integers_are_held_to_be_equal() -> None:
    """30000 in place of 30001 is near by its relative L2."""
    found = searched(Choosing())
    assert found.best.modules and not found.trials[0].passed and "2 elements differ" in found.trials[0].why


def test_nothing_that_is_compared_passes_nothing() -> None:
    class Empty(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 2:]

    with pytest.raises(DifferenceError, match="nothing is compared"):
        searched(Empty())


def test_what_is_not_compared_is_noted() -> None:
    y = {"output0": np.array([[1, 1, 1]] * 2, np.float32)}
    found = searched(Choosing(), reference=y)
    assert "outputs not compared, as they are not expected: output1" in found.notes
    assert any(note.startswith("output0: every value expected is the same") for note in found.notes)


@pytest.mark.parametrize("tolerance", [0, 1e-3, "1e-3"])
def test_a_tolerance_is_one(tolerance: Any) -> None:
    with pytest.raises(InputError, match=r"is a trtnet.Tolerance"):
        searched(Choosing(), tolerance=tolerance)
