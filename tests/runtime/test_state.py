"""States carried from call to call for streams side by side: on the reference, and on an engine on a fake GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import idle
from helpers.runtime.fakes import Opener
from helpers.runtime.stateful import Cached, alone, chunks, engine_of, network, streams_of

import trtnet
from trtnet.runtime.streams.host_states import HostStates
from trtnet.support.errors import ClosedError, ExecutionError, InputError, ProfileError, TrtnetError

KINDS = ("reference", "engine")
LENGTHS = (5, 1, 9, 3, 7, 2, 9, 4)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def close(found: Any, expected: Any, limit: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, atol=limit, rtol=0)


def test_a_call_takes_and_returns_what_is_no_state(kind: str) -> None:
    streams = streams_of(kind, 3)
    assert [info.name for info in streams.inputs] == ["x"]
    assert [info.name for info in streams.outputs] == ["y", "count"]
    given = np.stack([chunks(number, 6) for number in range(3)], 1)
    found = [streams(x) for x in given]
    for number in range(3):
        close([each["y"][number] for each in found], alone(given[:, number]))
    assert [each["count"].tolist() for each in found] == [[step] * 3 for step in range(1, 7)]


def test_streams_of_ragged_lengths_that_begin_and_end_at_any_time(kind: str) -> None:
    streams = streams_of(kind, 3)
    sequences = [chunks(number, length) for number, length in enumerate(LENGTHS)]
    found = streams.run(sequences)
    for sequence, result in zip(sequences, found, strict=True):
        close(result["y"], alone(sequence))
        assert result["count"].tolist() == list(range(1, len(sequence) + 1))


def test_a_stream_without_a_chunk_keeps_its_state(kind: str) -> None:
    streams, rng = streams_of(kind, 4), np.random.default_rng(3)
    given: dict[int, list[Any]] = {number: [] for number in range(4)}
    for _ in range(25):
        now = {int(number): rng.standard_normal(3).astype(np.float32) for number in np.flatnonzero(rng.random(4) < 0.5)}
        found = streams.step(now)
        assert list(found) == list(now)
        for number, chunk in now.items():
            given[number].append(chunk)
            close(found[number]["y"], alone(given[number])[-1])
            assert found[number]["count"] == len(given[number])
    assert streams.step({}) == {}


def test_a_reset_is_of_one_stream_or_of_all(kind: str) -> None:
    streams, x = streams_of(kind, 3), np.ones((3, 3), np.float32)
    first = streams(x)["y"]
    streams(x)
    streams.reset(1)
    assert streams(x)["count"].tolist() == [3, 1, 3]
    streams.reset()
    again = streams(x)
    assert again["count"].tolist() == [1, 1, 1] and np.array_equal(again["y"], first)


def test_what_does_not_fit_in_one_stream_leaves_the_others_right(kind: str) -> None:
    streams, good = streams_of(kind, 4), [chunks(number, 3) for number in range(4)]
    streams.step({number: good[number][0] for number in range(4)})
    bad = {0: good[0][1], 1: np.ones(4, np.float32), 2: np.ones(3), 3: {"z": good[3][1]}}
    found = streams.step(bad)
    close(found[0]["y"], alone(good[0])[1])
    for number, says in ((1, r"found \[4\] float32"), (2, r"found \[3\] float64"), (3, "no input 'z'")):
        assert isinstance(found[number], InputError)
        with pytest.raises(InputError, match=f"stream {number}: .*{says}"):
            raise found[number]
    after = streams.step({number: good[number][1] for number in (1, 2, 3)})
    for number in (1, 2, 3):
        close(after[number]["y"], alone(good[number])[1])
    broken = streams.step({0: np.full(3, np.nan, np.float32), 1: good[1][2]})
    assert np.isnan(broken[0]["y"]).all()
    close(broken[1]["y"], alone(good[1])[2])
    streams.reset(0)
    close(streams.step({0: good[0][0]})[0]["y"], alone(good[0])[0])


def test_values_that_were_refused_are_not_in_the_next_step_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, good = streams_of("reference", 3), chunks(0, 2)
    call = streams._call

    class Refusing:
        inputs, outputs, states = call.inputs, call.outputs, None

        def __call__(self, x: Any, **inputs: Any) -> Any:
            if (x > 1e6).any():
                raise ExecutionError("the layer does not take these values")
            return call(x=x, **inputs)

    monkeypatch.setattr(streams, "_call", Refusing())
    close(streams.step({0: good[0]})[0]["y"], alone(good)[0])
    with pytest.raises(ExecutionError):
        streams.step({1: np.full(3, 1e7, np.float32)})
    close(streams.step({0: good[1]})[0]["y"], alone(good)[1])


def test_a_sequence_that_raises_is_an_error_in_its_place(kind: str) -> None:
    def failing() -> Iterator[Any]:
        yield chunks(1, 1)[0]
        raise OSError("the microphone is gone")

    sequences = [chunks(0, 4), failing(), [chunks(2, 1)[0], np.ones(2, np.float32)], chunks(3, 6), []]
    found = streams_of(kind, 2).run(sequences)
    close(found[0]["y"], alone(sequences[0]))
    close(found[3]["y"], alone(sequences[3]))
    assert isinstance(found[1], OSError) and isinstance(found[2], InputError)
    assert found[4]["y"].shape == (0, 2) and found[4]["count"].shape == (0,)


def test_a_state_is_read_and_given_to_another_stream(kind: str) -> None:
    streams, given = streams_of(kind, 3), chunks(5, 8)
    for chunk in given[:5]:
        streams.step({2: chunk})
    state = streams.state(2)
    assert state["h"].shape == (4,) and state["steps"].tolist() == [5]
    other = streams_of("reference", 2)
    other.restore(1, state)
    found = [other.step({1: chunk, 0: chunk})[1] for chunk in given[5:]]
    close([each["y"] for each in found], alone(given)[5:])
    assert found[-1]["count"] == 8
    close(streams.step({2: given[5]})[2]["y"], alone(given)[5])
    assert np.array_equal(streams.state(0)["h"], np.zeros(4))
    with pytest.raises(InputError, match=r"state h of a stream is \[4\] float32; found \[5\]"):
        streams.restore(0, state | {"h": np.zeros(5, np.float32)})
    with pytest.raises(InputError, match=r"has the states h, steps, and each is given.*; found h$"):
        streams.restore(0, {"h": state["h"]})
    with pytest.raises(InputError, match=r"as streams.state\(number\) returns them; found none"):
        streams.restore(0, {})


def test_a_float16_network_keeps_a_float32_state(kind: str) -> None:
    streams = streams_of(kind, 2, "float16")
    found = [streams.step({1: chunk.astype(np.float16)})[1]["y"] for chunk in chunks(1, 20)]
    close(found, alone(chunks(1, 20)), 5e-3)
    assert streams.state(1)["h"].dtype == np.float32


@pytest.mark.parametrize("number", [3, -1])
def test_there_is_no_such_stream(kind: str, number: int) -> None:
    streams = streams_of(kind, 3)
    uses: list[Any] = [
        lambda: streams.step({number: np.zeros(3, np.float32)}),
        lambda: streams.reset(number),
        lambda: streams.state(number),
        lambda: streams(np.zeros((3, 3), np.float32), active=[number]),
    ]
    for use in uses:
        with pytest.raises(InputError, match=f"no stream {number}: there are 3, from 0"):
            use()


@pytest.mark.parametrize("active", [np.array([True, False, True]), [0, False], [1.0], ["a"]])
def test_streams_are_named_by_numbers_and_not_by_a_mask(kind: str, active: Any) -> None:
    with pytest.raises(InputError, match=r"streams are named by their numbers, as in \[0, 2\]; found"):
        streams_of(kind, 3)(np.zeros((3, 3), np.float32), active=active)


def test_the_rows_are_those_of_all_streams(kind: str) -> None:
    """The error names the input that the caller gives, and no state."""
    text = r"input x \[streams, 3\] float32: streams is 2 in \[2, 3\], and there are 3 streams: give the rows of all"
    with pytest.raises(InputError, match=text):
        streams_of(kind, 3)(np.zeros((2, 3), np.float32))


def test_states_are_inputs_and_outputs_for_those_who_carry_them_themselves(kind: str) -> None:
    made = network()
    call = made.reference() if kind == "reference" else engine_of(made)[0]
    x, h, steps = np.ones((2, 3), np.float32), np.zeros((2, 4), np.float32), np.zeros((1, 2), np.int32)
    found = call(x=x, h=h, steps=steps, active=np.array([True, False]))
    assert found["steps_next"].tolist() == [[1, 0]] and np.array_equal(found["output.h"][1], h[1])
    close(found["y"][0], alone(x)[0])


def test_a_cache_in_place_is_one_buffer_and_every_stream_takes_part() -> None:
    made = trtnet.define(Cached())
    assert not made.states[0].held and "active" not in made.inputs
    engine, opener = engine_of(made, {"new_cache": "cache"})
    for streams in (trtnet.Streams(made.reference(), 2), trtnet.Streams(engine, 2)):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        for step in range(6):
            y = streams(x, np.full(2, step, np.int32))
            np.testing.assert_array_equal(y, (step + 1) * x)
        streams.reset(0)
        np.testing.assert_array_equal(streams(x, np.full(2, 6, np.int32)), [x[0], 7 * x[1]])
        with pytest.raises(InputError, match=r"every stream takes part in each call.*cache is written in place"):
            streams.step({0: {"x": x[0], "place": np.int32(0)}})
    assert len(opener.device.graphs) == 1


def test_what_is_no_streams_of_states() -> None:
    class Plain(trtnet.nn.Module):
        inputs = {"x": trtnet.Input(("n", 3))}

        def forward(self, x: Any) -> Any:
            return x * 2

    plain = trtnet.define(Plain())
    with pytest.raises(InputError, match="found Reference"):
        trtnet.Streams(plain.reference(), 2)
    with pytest.raises(InputError, match=r"network.reference\(\)"):
        trtnet.Streams(network(), 2)
    with pytest.raises(InputError, match="at least one stream, a whole number of them; found 0"):
        streams_of("reference", 0)
    with pytest.raises(InputError, match=r"a whole number of them; found 2\.5"):
        trtnet.Streams(network().reference(), 2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="declares no state"):
        trtnet.Engine(plain.build({"n": 2}).plan, Opener(plain.reference())).session(streams=2)
    with pytest.raises(InputError, match="carries no states"):
        _ = engine_of(network())[0].session().carried
    with pytest.raises(ProfileError, match="no optimization profile"):
        trtnet.Streams(engine_of(network())[0], 65)(np.zeros((65, 3), np.float32))


def test_closed_streams_hold_no_memory() -> None:
    engine, opener = engine_of(network())
    streams = trtnet.Streams(engine, 4)
    streams(np.zeros((4, 3), np.float32))
    streams.close()
    with pytest.raises(ClosedError):
        streams(np.zeros((4, 3), np.float32))
    assert idle(opener.device)


def test_a_call_that_fails_leaves_all_states_as_they_were() -> None:
    engine, opener = engine_of(network())
    streams, given = trtnet.Streams(engine, 2), np.stack([chunks(0, 6), chunks(1, 6)], 1)
    for x in given[:3]:
        streams(x)
    opener.engine.refuses = "execution"
    for _ in range(3):
        with pytest.raises(TrtnetError, match="no execution today"):
            streams(given[0] + 1)
        with pytest.raises(InputError):
            streams(given[0][:1])
    opener.engine.refuses = ""
    found = [streams(x) for x in given[3:]]
    for number in range(2):
        close([each["y"][number] for each in found], alone(given[:, number])[3:])


def test_states_of_an_engine_may_be_carried_on_the_host() -> None:
    made = trtnet.define(Cached(), weights={})
    engine, _ = engine_of(made, {"new_cache": "cache"})
    own, shared = HostStates(made.reference(), 3), HostStates(engine, 3)
    for step in range(8):
        if step == 5:
            own.reset(range(3))
            shared.reset(range(3))
        given = {"x": np.full((3, 3), step + 1, np.float32), "place": np.full(3, step, np.int32)}
        # a call of either network goes on from the same states
        found = shared.carry(engine if step % 2 else made.reference(), given)
        assert [*found] == ["y"]
        close(found["y"], own(**given))
