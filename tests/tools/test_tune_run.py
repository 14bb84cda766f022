"""A whole search on the CPU: engines are built by processes, a GPU of numbers times them by what their sidecars say."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights, relative_l2
from helpers.runtime.engines import engine_of

import trtnet
from trtnet import nn, ops
from trtnet.builder.plan import read_sidecar, sidecar_path
from trtnet.ops.formulations import KINDS
from trtnet.support.errors import BuildError, DeviceError, InputError, ModelError
from trtnet.support.text.printing import as_text
from trtnet.tools.targets.networks import Choices
from trtnet.tools.tune import tune as tuning
from trtnet.tools.tune.machine import Machine
from trtnet.tools.tune.processes import measuring
from trtnet.tools.tune.processes.repeated import Repeated
from trtnet.tools.tune.processes.subject import Given, Named, read, write
from trtnet.tools.tune.processes.timing import Profile, Timing, error_of
from trtnet.tools.tune.processes.workplace import Workplace
from trtnet.tools.tune.report import headline, picture
from trtnet.tools.tune.searching.contests import Measured
from trtnet.tools.tune.searching.recording import read as read_contest


class Block(nn.Module):
    def __init__(self) -> None:
        self.fc, self.act = nn.Linear(8, 8), nn.GELU()

    def forward(self, x: Any) -> Any:
        return x + self.act(self.fc(x))


class Net(nn.Module):
    inputs = {"x": trtnet.Input(("n", 3, 32, 32))}

    def __init__(self) -> None:
        self.conv, self.relu = nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU()
        self.blocks = nn.Sequential(Block(), Block(), Block(), Block())

    def forward(self, x: Any) -> Any:
        return self.blocks(ops.mean(self.relu(self.conv(x)), (2, 3)))


TAKES = {"space_to_depth": -0.2, "float32": 0.1}
"""Milliseconds that a form adds to an engine."""


@dataclass(frozen=True)
class GpuOfNumbers:
    """What times in the place of a GPU, in a process of its own."""

    place: Workplace
    device: int

    def __call__(self, task: Any) -> Any:
        if isinstance(task, Profile):
            return {"conv": 0.4, "blocks.0.act": 0.1}
        assert isinstance(task, Timing) and self.place.outputs(task.part)
        return tuple(map(self._measured, task.numbers))

    def _forms(self, number: int) -> list[str]:
        """Those that the search chooses."""
        forms = read_sidecar(sidecar_path(self.place.plan(number))).info.forms
        return [form for kinds in forms.values() for kind, form in kinds.items() if KINDS[kind].is_tuned]

    def _measured(self, number: int) -> Measured:
        took = 1 + sum(TAKES.get(form, 0.0) for form in self._forms(number))
        overflows = any(np.abs(array).max() > 65504 for array in self.place.outputs(()).values())
        return Measured((took, took * 1.01, took * 0.99), float("inf") if overflows else 1e-3)


class GpuThatEnds(GpuOfNumbers):
    """Its process ends with an engine that has a float32 form."""

    def _measured(self, number: int) -> Measured:
        if "float32" in self._forms(number):
            os._exit(5)
        return super()._measured(number)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """(what a search found, its file): it takes seconds, most of them to start its processes."""
    file = tmp_path_factory.mktemp("tuned") / "net.tuning.json"
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(GpuOfNumbers, monkeypatch)
        return tuned(file), file.read_text()


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    use(GpuOfNumbers, monkeypatch)


def use(gpu: type[GpuOfNumbers], monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches time with it from now on."""
    made = measuring.Processes

    def processes(place: Any, setup: Any, budget: Any, told: Any) -> Any:
        return made(place, replace(setup, warm=False), budget, told, gpu=gpu)

    monkeypatch.setattr(tuning, "Processes", processes)


def tuned(file: Path, builders: int = 1, **how: Any) -> Any:
    subject = Given(Net(), {"x": trtnet.Input((2, 3, 32, 32))}, random_weights(Net()), "float16")
    return tuning.run(subject, "Net", {}, {}, tuning.How(file=file, builders=builders, **how), machine)


def machine(devices: Any) -> Machine:
    return Machine("Numbers", "9.0", "13.0")


def test_a_search_and_what_define_makes_of_it(searched: tuple[Any, str], tmp_path: Path) -> None:
    found, file = searched[0], tmp_path / "net.tuning.json"
    file.write_text(searched[1])
    assert found.forms is not None and found.forms["stem"] == {"conv": "space_to_depth"}
    assert found.forms["gelu"] == {f"blocks.{i}.act": "layer" for i in range(4)}
    assert trtnet.Tuning.load(file).forms == found.forms
    assert found.milliseconds == {"neutral": 1.0, "tuned": pytest.approx(0.8)} and found.unfinished == ""
    assert found.ordered_by == "profile"
    groups = {group["name"]: group for group in found.groups}
    assert groups["stem:conv"]["chosen"] == "space_to_depth" and groups["gelu:blocks.0.act"]["chosen"] == "layer"
    (operation,) = groups["stem:conv"]["operations"]
    assert operation["dtype"] == "float16" and operation["facts"]["pixels"] == 1024
    assert groups["product:blocks.0.fc"]["paths"] == [f"blocks.{i}.fc" for i in range(4)]
    text = as_text(picture(found, file))
    assert "1 -> 0.8 ms (0.800)" in text and "space_to_depth 0.800" in text
    inputs, weights = {"x": trtnet.Input((2, 3, 32, 32))}, random_weights(Net())
    for forms in (found, file, str(file), trtnet.Tuning.load(file)):
        network = trtnet.define(Net(), inputs, weights, dtype="float16", forms=forms)
        assert network.describe().forms["conv"] == {"stem": "space_to_depth"}
        assert network.describe().forms["blocks.1.act"] == {"gelu": "layer"}
        assert network.describe().forms_by["conv"]["stem"] in ("net.tuning.json: conv", "the tuning of Net: conv")


def test_a_search_goes_on_with_its_file(numbers: None, searched: tuple[Any, str], tmp_path: Path) -> None:
    found, file = searched[0], tmp_path / "net.tuning.json"
    document = json.loads(searched[1])
    kept = document["contests"][:1]
    file.write_text(json.dumps(document | {"contests": kept, "forms": None, "unfinished": "killed"}))
    kept[0]["variants"][0]["milliseconds"] = [2.0, 2.0, 2.0]
    file.write_text(json.dumps(document | {"contests": kept, "forms": None, "unfinished": "killed"}))
    again = tuned(file, resume=True)
    assert again.forms == found.forms and again.contests[0] == kept[0]
    assert len(again.contests) == len(found.contests)
    with pytest.raises(InputError, match="continues the file of an earlier search"):
        tuned(tmp_path / "other.json", resume=True)
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"gpu": "another"}))
    with pytest.raises(InputError, match="has the gpu another, this is Numbers"):
        tuned(file, resume=True)


def test_a_form_that_ends_the_process_of_the_gpu_has_failed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(GpuThatEnds, monkeypatch)
    found = tuned(tmp_path / "net.tuning.json", builders=2)
    assert found.forms is not None and found.forms["stem"] == {"conv": "space_to_depth"}
    outcomes = {contest.where: outcome for contest, outcome in map(read_contest, found.contests)}
    neutral, wide, apart = outcomes["gelu:blocks.0.act"]
    assert neutral.failed == apart.failed == "" and wide.failed == "its process ended with exit code 5"


def test_what_does_not_build_is_an_error_that_says_why(numbers: None, tmp_path: Path) -> None:
    weights = random_weights(Net())
    weights["conv.weight"] = np.full_like(weights["conv.weight"], np.nan)
    subject = Given(Net(), {"x": trtnet.Input((2, 3, 32, 32))}, weights, "float16")
    with pytest.raises(BuildError, match="output output of the model is not finite in float32"):
        tuning.run(subject, "Net", {}, {}, tuning.How(builders=1), machine)


def test_an_engine_whose_results_overflow_is_an_error(
    numbers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_weights(Net())
    weights["blocks.0.fc.weight"] = weights["blocks.0.fc.weight"] * 0 + 6e4
    subject = Given(Net(), {"x": trtnet.Input((2, 3, 32, 32))}, weights, "float16")
    with pytest.raises(InputError, match="far from float32"):
        tuning.run(subject, "Net", {}, {}, tuning.How(builders=1), machine)


def test_a_dimension_without_a_size_is_an_error(tmp_path: Path) -> None:
    subject = Given(Net(), Net.inputs, random_weights(Net()), "float16")
    with pytest.raises(InputError, match="give the size of n, as in --dim n=8"):
        tuning.run(subject, "Net", {}, {}, tuning.How(), machine)


def test_without_a_gpu_it_says_so_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(index: int) -> Any:
        raise DeviceError("no usable GPU")

    monkeypatch.setattr("trtnet.tools.tune.machine.CudaDevice", none)
    with pytest.raises(DeviceError, match="no usable GPU"):
        trtnet.tune(Net(), weights=random_weights(Net()), dims={"n": 2})


def test_a_model_that_cannot_be_sent_is_an_error(tmp_path: Path) -> None:
    class Local(nn.Module):
        pass

    with pytest.raises(ModelError, match="cannot be sent to the processes that build it"):
        write(Given(Local(), {}, None, "float16"), tmp_path / "subject")


def test_a_named_model_is_made_by_each_process_with_the_same_random_weights(tmp_path: Path) -> None:
    choices = Choices(None, "float16", ["batch=1"])
    first = Named("lenet", choices)
    write(first, tmp_path / "subject")
    networks = [each.define(tuning.NeutralBut({})) for each in (first, read(tmp_path / "subject"))]
    assert len({network.describe().checkpoint_digest for network in networks}) == 1
    assert networks[0].describe().dtype == "float16"
    assert first.define(tuning.NeutralBut({}), "float32").describe().dtype == "float32"


def test_an_engine_is_timed_by_graphs_of_many_executions() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    ready = Repeated(engine.open(), {"x": x})
    assert relative_l2(ready.outputs["output"], x * 2 + 1) == 0
    assert ready.sample() == pytest.approx(1.0) and len(opener.device.graphs) == 1
    ready.close()


def test_the_error_is_that_of_the_worst_output() -> None:
    a, b = np.ones(4, np.float32), np.full(4, 2, np.float32)
    assert error_of({"a": a, "b": b}, {"a": a, "b": a}) == pytest.approx(1)
    assert error_of({"a": np.full(4, np.nan, np.float32)}, {"a": a}) == np.inf


def test_a_tuning_of_something_else_is_refused(searched: tuple[Any, str], tmp_path: Path) -> None:
    file = tmp_path / "net.tuning.json"
    found, weights = searched[0], random_weights(Net())
    inputs = {"x": trtnet.Input((2, 3, 32, 32))}

    def define(forms: Any = found, shape: Any = (2, 3, 32, 32), dtype: Any = "float16", name: str = "x") -> Any:
        return trtnet.define(Net(), {name: trtnet.Input(shape)}, weights, dtype=dtype, forms=forms)

    assert define(shape=("n", 3, 32, 32)).describe().forms
    for changes, words in (
        ({"shape": (4, 3, 32, 32)}, r"the shape of x was \[2, 3, 32, 32\] when Net was tuned and is \[4, 3, 32, 32\]"),
        ({"dtype": "float32"}, "the dtype was float16 when Net was tuned and is float32 now"),
        ({"name": "image"}, "the list of inputs was x when Net was tuned and is image now"),
        ({"forms": replace(found, backend="tensorrt")}, "the backend was tensorrt when"),
        ({"forms": replace(found, forms=None)}, "did not finish: continue it with trtnet tune --resume"),
        ({"forms": replace(found, forms={"gelu": {"head.act": "layer"}})}, "no module 'head.act' has an operation"),
        ({"forms": tmp_path / "none.json"}, "is not a file that trtnet tune wrote: No such file or directory$"),
    ):
        with pytest.raises(ModelError, match=words):
            define(**changes)
    file.write_text("{}")
    with pytest.raises(ModelError, match="is not what this version of trtnet tune writes"):
        trtnet.define(Net(), inputs, weights, dtype="float16", forms=file)
    assert headline(replace(found, milliseconds=None)).endswith("the neutral forms; no other was faster")
