"""`trtnet export triton` of a model with states: its configuration, and the streams of sequences that come and go."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from helpers.runtime.stateful import Cached, alone, chunks, network, streams_of
from tritonclient.grpc import model_config_pb2
from typer.testing import CliRunner

import trtnet
from trtnet.builder import PlanInfo
from trtnet.cli.main import app
from trtnet.support.call_interface import StateInfo, TensorInfo
from trtnet.support.errors import ExecutionError, InputError, PlanError, TrtnetError
from trtnet.tools.export.triton.config import config
from trtnet.tools.export.triton.repository import check, of_engine, publish
from trtnet.tools.export.triton.sequence_config import of_sequences
from trtnet.tools.export.triton.sequences import Chunk, Sequences
from trtnet.tools.export.triton.serving import Serving


def chunk(sequence: int | str, x: Any, start: bool = False, end: bool = False) -> Chunk:
    return Chunk(sequence, start, end, {"x": np.asarray(x)[None]})


@pytest.fixture(params=["reference", "engine"])
def sequences(request: pytest.FixtureRequest) -> Sequences:
    return Sequences(streams_of(request.param, 3))


def test_more_sequences_than_streams_come_and_go(sequences: Sequences) -> None:
    sequences.warm()
    given = {f"s{number}": chunks(number, 2 + number % 4) for number in range(9)}
    waiting, running, found = [*given], {}, {name: [] for name in given}  # type: ignore[var-annotated]
    while waiting or running:
        while waiting and len(running) < 3:
            running[waiting.pop(0)] = 0
        now = [*running][: 1 + len(waiting) % 3]
        parts = [chunk(n, given[n][running[n]], running[n] == 0, running[n] + 1 == len(given[n])) for n in now]
        for name, answer in zip(now, sequences.answers(parts), strict=True):
            assert isinstance(answer, dict), answer
            found[name].append(answer["y"])
            running[name] += 1
            assert answer["count"].tolist() == [running[name]]
            if running[name] == len(given[name]):
                del running[name]
    assert sequences.held == {}
    for name, sequence in given.items():
        np.testing.assert_allclose(np.concatenate(found[name]), alone(sequence), atol=1e-6, rtol=0)


def test_an_error_is_its_own_sequences_and_leaves_its_state(sequences: Sequences) -> None:
    x = chunks(0, 2)
    sequences.answers([chunk(1, x[0], start=True), chunk(2, x[0], start=True)])
    wrong, right, unknown = sequences.answers([chunk(1, np.zeros(4, np.float32)), chunk(2, x[1]), chunk(9, x[0])])
    assert isinstance(wrong, InputError) and "found [4]" in str(wrong)
    assert isinstance(unknown, InputError) and "sequence 9 has no state here" in str(unknown)
    (later,) = sequences.answers([chunk(1, x[1], end=True)])
    for answer in (right, later):
        assert isinstance(answer, dict)
        np.testing.assert_allclose(answer["y"], alone(x)[1:], atol=1e-6, rtol=0)
    assert [*sequences.held] == [2]
    (again,) = sequences.answers([chunk(2, x[0], start=True)])
    assert isinstance(again, dict) and again["count"].tolist() == [1]


def test_a_model_that_fails_is_the_error_of_all_and_ends_those_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = streams_of("reference", 2)
    sequences = Sequences(streams)

    def failing(chunks: Any) -> Any:
        raise TrtnetError("out of memory")

    x = chunks(0, 1)
    with monkeypatch.context() as patched:
        patched.setattr(streams, "step", failing)
        found = sequences.answers([chunk(1, x[0], start=True), chunk(2, x[0], start=True, end=True)])
    assert [str(each) for each in found] == ["out of memory"] * 2 and [*sequences.held] == [1]
    assert sequences.answers([]) == []


class Looking(trtnet.nn.Module):
    """The sum of the rows of a table that were asked for."""

    inputs = {"ids": trtnet.Input(("streams", 1), "int64"), "total": trtnet.State(("streams", 1))}

    def __init__(self) -> None:
        self.table = trtnet.nn.Embedding(5, 1)

    def forward(self, ids: Any, total: Any) -> Any:
        total = total + self.table(ids).sum(1)
        return {"y": total * 1, "total": total}


def test_values_that_the_model_does_not_take_fail_only_their_chunk() -> None:
    reference = trtnet.define(Looking(), weights={"table.weight": np.float32([[0], [1], [2], [3], [4]])}).reference()
    sequences = Sequences(trtnet.Streams(reference, 3))

    def step(ids: dict[int, int], start: bool = False) -> list[Any]:
        given = [Chunk(sequence, start, False, {"ids": np.array([[value]])}) for sequence, value in ids.items()]
        return [each["y"].item() if isinstance(each, dict) else each for each in sequences.answers(given)]

    assert step({1: 1, 2: 2, 3: 3}, start=True) == [1, 2, 3]
    right, wrong, other = step({1: 4, 2: 5, 3: 1})
    assert (right, other) == (5, 4) and isinstance(wrong, ExecutionError) and "0 to 5" in str(wrong)
    assert step({3: 1}) == [5] and step({2: 1, 1: 0}) == [3, 5], "what was refused is not computed again"


def test_what_is_no_error_of_trtnets_has_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = streams_of("reference", 2)
    sequences, x = Sequences(streams), chunks(0, 1)

    def failing(chunks: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(streams, "step", failing)
    found = sequences.answers([chunk(1, x[0], start=True), chunk(2, x[0], start=True, end=True)])
    assert [str(each) for each in found] == ["RuntimeError: out of memory"] * 2 and [*sequences.held] == [1]


def test_a_new_sequence_gets_the_stream_that_was_heard_least_recently(sequences: Sequences) -> None:
    x = chunks(0, 3)
    for name in "abc":
        sequences.answers([chunk(name, x[0], start=True)])
    sequences.answers([chunk("a", x[1])])
    held = sequences.held
    # b is the oldest, but has a chunk in this very batch
    new, old = sequences.answers([chunk("d", x[0], start=True), chunk("b", x[1])])
    assert isinstance(new, dict) and isinstance(old, dict)
    assert sequences.held == {"a": held["a"], "b": held["b"], "d": held["c"]}
    np.testing.assert_allclose(old["y"][0], alone(x)[1], atol=1e-6, rtol=0)
    np.testing.assert_allclose(new["y"][0], alone(x)[0], atol=1e-6, rtol=0)


# the configuration
def info(**changes: Any) -> PlanInfo:
    made = network().describe()
    profile = {each.name: tuple(_shape(each, size) for size in (1, 8, 64)) for each in made.inputs}
    return replace(made, backend="tensorrt_rtx", backend_version="1.6", profiles=(profile,), **changes)


def _shape(tensor: TensorInfo, streams: int) -> tuple[int, ...]:
    return tuple(streams if isinstance(size, str) else size for size in tensor.shape)


def parsed(described: PlanInfo, serving: Serving | None = None) -> Any:
    text = config(of_sequences(described), "m", serving or Serving(), python=True)
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_triton_sees_neither_states_nor_their_mask() -> None:
    found = parsed(info(), Serving(idle=2.5, delay=300, gpus=(0, 1), instances=2, warmup=True))
    assert [(each.name, list(each.dims)) for each in found.input] == [("x", [3])]
    assert [(each.name, list(each.dims)) for each in found.output] == [("y", [2]), ("count", [1])]
    assert found.max_batch_size == 64 and not found.HasField("dynamic_batching")
    batching = found.sequence_batching
    assert batching.max_sequence_idle_microseconds == 2_500_000
    assert batching.oldest.max_candidate_sequences == 64 and batching.oldest.max_queue_delay_microseconds == 300
    kinds = [
        model_config_pb2.ModelSequenceBatching.Control.Kind.Name(c.control[0].kind) for c in batching.control_input
    ]
    assert kinds == [f"CONTROL_SEQUENCE_{control.name}" for control in batching.control_input] and len(kinds) == 3
    (group,) = found.instance_group
    assert (group.count, list(group.gpus)) == (2, [0, 1])
    assert not found.model_warmup and found.parameters["trtnet_warmup"].string_value == "true"


def test_slots_of_the_direct_strategy() -> None:
    found = parsed(info(), Serving(sequences="direct", max_batch_size=4, delay=300))
    direct = found.sequence_batching.direct
    assert found.max_batch_size == 4 and direct.max_queue_delay_microseconds == 300
    assert direct.minimum_slot_utilization == 1 and not found.parameters


@pytest.mark.parametrize("serving", [Serving(sequences="direct"), Serving(idle=5)])
def test_a_model_without_states_has_no_sequences(serving: Serving) -> None:
    described = info(states=())
    with pytest.raises(PlanError, match="--sequences and --idle are for a model with states, and m has none"):
        config(described, "m", serving, python=True)


def test_streams_are_the_first_axis_wherever_the_model_has_them() -> None:
    shapes = {"x": ((5, 1, 2), (5, 4, 2), (5, 8, 2)), "h": ((1, 3), (4, 3), (8, 3)), "active": ((1,), (4,), (8,))}
    described = info(
        inputs=(
            TensorInfo("x", (5, "n", 2), "float32"), TensorInfo("h", ("n", 3), "bfloat16"),
            TensorInfo("active", ("n",), "bool"),
        ),
        outputs=(TensorInfo("y", (5, "n"), "float32"), TensorInfo("h", ("n", 3), "bfloat16")),
        states=(StateInfo("h", "h"),),
    )  # fmt: skip
    found = of_sequences(replace(described, profiles=(shapes,)))
    assert [each.shape for each in (*found.inputs, *found.outputs)] == [("streams", 5, 2), ("streams", 5)]
    assert found.profiles == ({"x": ((1, 5, 2), (4, 5, 2), (8, 5, 2))},)
    fixed = tuple(replace(each, shape=tuple(4 if s == "n" else s for s in each.shape)) for each in described.inputs)
    profile = {name: (each[1],) * 3 for name, each in shapes.items()}
    assert parsed(replace(described, inputs=fixed, profiles=(profile,))).max_batch_size == 4


def test_what_cannot_be_served_as_sequences() -> None:
    for changes, serving, words in (
        ({}, Serving(cache=True), "answers of a model with states depend on the requests before"),
        ({}, Serving(max_batch_size=65), "65 sequences were asked for at a time; it is made for 1 to 64 streams"),
        ({}, Serving(max_batch_size=0), "0 sequences were asked for at a time"),
        ({"states": (StateInfo("h", "h", held=False),)}, Serving(max_batch_size=4), "--max-batch-size 1 --instances 4"),
    ):
        with pytest.raises(PlanError, match=words):
            parsed(info(**changes), serving)
    moving = info(states=(StateInfo("h", "h", held=False),))
    assert parsed(moving).max_batch_size == 1
    with pytest.raises(PlanError, match=r"h from call to call.*--python serves it"):
        check(replace(moving, backend="tensorrt"), "m.engine", python=False)
    for name, shape, words in (("START", ("streams", 3), "its name is that"), ("x", ("streams", "n"), "give n a size")):
        inputs = (TensorInfo(name, shape, "float32"), *info().inputs[1:])
        with pytest.raises(PlanError, match=words):
            of_sequences(info(inputs=inputs))
    for serving, words in (
        (Serving(sequences="newest"), "one of oldest, direct; found 'newest'"),
        (Serving(idle=0), "may be idle"),
        (Serving(idle=float("nan")), "may be idle"),
    ):
        with pytest.raises(PlanError, match=re.escape(words)):
            serving.check()


def test_an_engine_with_states_in_place_has_one_sequence_in_each_instance(tmp_path: Path) -> None:
    trtnet.define(Cached()).build({"streams": (1, 2, 4)}).save(tmp_path / "cached.engine")
    made = publish(of_engine(tmp_path / "cached.engine", python=True), tmp_path / "repo", "m", Serving(instances=3))
    assert made.max_batch_size == 1 and "1 sequence at a time" in " ".join(made.notes)
    assert "Streams" in (tmp_path / "repo/m/1/model.py").read_text()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mean.py").write_text(MEAN)
    options = ["--dim", "streams=1:2:3", "--name", "mean", "--sequences", "direct", "--idle", "5", "--json", "-"]
    found = json.loads(
        CliRunner().invoke(app, ["export", "triton", "mean.py:Mean", "--python", "-o", "r", *options]).stdout
    )
    assert found["max_batch_size"] == 3
    text = (tmp_path / "r/mean/config.pbtxt").read_text()
    assert "max_sequence_idle_microseconds: 5000000" in text and "direct {" in text


MEAN = """import trtnet
class Mean(trtnet.nn.Module):
    inputs = {"x": trtnet.Input(("streams", 2)), "total": trtnet.State(("streams", 2))}
    def forward(self, x, total):
        return {"y": total + x, "total": total + x}
"""
