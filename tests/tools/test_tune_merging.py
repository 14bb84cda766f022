"""Results of searches as a table: ranges, contradictions, what the table has already; and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.cli.command import trtnet as command

import trtnet
from trtnet.ops.formulations import Fastest, fastest
from trtnet.ops.formulations.measured import read_table, write_table
from trtnet.support import dtypes
from trtnet.support.errors import DeviceError
from trtnet.tools.tune.merging import merge


def tuning(*operations: tuple[str, dict[str, int], str], **changes: Any) -> trtnet.Tuning:
    """A result with one group for each (kind, facts, chosen form)."""
    groups = tuple(
        {"kind": kind, "chosen": chosen, "operations": [{"dtype": "float16", "facts": facts}]}
        for kind, facts, chosen in operations
    )
    made = trtnet.Tuning(
        model="net", gpu="NVIDIA H200", compute_capability="9.0", driver="13.0", backend="tensorrt_rtx",
        backend_version="1.6.1.120", trtnet_version="0.1.0", date="2026-11-29", inputs={}, dims={}, dtype="float16",
        groups=groups, forms={},
    )  # fmt: skip
    return replace(made, **changes)


def say(rows: Any, kind: str, **facts: int) -> str | None:
    return fastest(kind, "tensorrt_rtx", "1.6.1.120", lambda: ("9.0",), dtypes.get("float16"), facts, rows)


def test_operations_with_one_winner_are_a_range() -> None:
    given = tuning(*(("stem", {"pixels": n}, "space_to_depth") for n in (400, 100, 200)))
    merged = merge([given], [])
    assert merged.rows == (
        Fastest(
            "stem", "space_to_depth", "tensorrt_rtx", ("1.6", "1.7"), "9.0", ("float16",), {"pixels": 100},
            {"pixels": 400}, "NVIDIA H200", "1.6.1.120", "2026-11-29",
        ),
    )  # fmt: skip
    assert merged.added == 1 and merged.conflicts == ()


def test_a_range_holds_no_operation_that_another_form_won_for() -> None:
    winners = {100: "space_to_depth", 200: "convolution", 300: "space_to_depth", 400: "space_to_depth"}
    merged = merge([tuning(*(("stem", {"pixels": n}, form) for n, form in winners.items()))], [])
    assert {n: say(merged.rows, "stem", pixels=n) or "convolution" for n in winners} == winners
    assert say(merged.rows, "stem", pixels=350) == "space_to_depth" and say(merged.rows, "stem", pixels=250) is None


def test_ranges_of_several_numbers() -> None:
    points = {(1, 1): "reduction", (1, 9): "reduction", (9, 1): "reduction", (9, 9): "product", (5, 5): "product"}
    given = tuning(*(("row", {"weights": a, "in_features": b}, form) for (a, b), form in points.items()))
    rows = merge([given], []).rows
    found = {(a, b): say(rows, "row", weights=a, in_features=b) or "product" for a, b in points}
    assert found == points


def test_searches_that_contradict_each_other_give_the_neutral_form_and_are_named() -> None:
    first = tuning(("gelu", {}, "float32"), ("stem", {"pixels": 100}, "space_to_depth"))
    second = tuning(("gelu", {}, "layer"), ("stem", {"pixels": 100}, "space_to_depth"))
    merged = merge([first, second], [])
    assert [row.kind for row in merged.rows] == ["stem"]
    assert merged.conflicts == ("gelu in float16 with tensorrt_rtx 1.6 on 9.0, {}: float32 and layer",)


def test_another_gpu_or_version_is_another_row() -> None:
    one = tuning(("gelu", {}, "float32"))
    merged = merge([one, replace(one, compute_capability="8.9"), replace(one, backend_version="1.7.1.116")], [])
    assert [(row.compute_capability, row.versions) for row in merged.rows] == [
        ("9.0", ("1.6", "1.7")), ("8.9", ("1.6", "1.7")), ("9.0", ("1.7", "1.8")),
    ]  # fmt: skip


def test_a_table_gets_what_it_does_not_say_yet() -> None:
    old = Fastest("stem", "space_to_depth", "tensorrt_rtx", ("1.4", "2"), "9.0", ("float16",), {"pixels": 100})
    same = merge([tuning(("stem", {"pixels": 200}, "space_to_depth"))], [old])
    assert same.rows == (old,) and same.added == 0
    other = merge([tuning(("stem", {"pixels": 200}, "convolution"))], [old])
    assert other.added == 1 and say(other.rows, "stem", pixels=200) == "convolution"
    assert say(other.rows, "stem", pixels=201) == "space_to_depth"


def test_groups_that_were_not_measured_say_nothing() -> None:
    assert merge([tuning(("gelu", {}, ""))], []).rows == ()


def test_the_command(tmp_path: Path) -> None:
    tuning(("stem", {"pixels": 100}, "space_to_depth"), ("gelu", {}, "float32")).save(tmp_path / "a.json")
    tuning(("gelu", {}, "layer")).save(tmp_path / "b.json")
    write_table([], tmp_path / "table.json")
    done = command("tune", "--merge", "a.json", "b.json", "-o", "table.json", folder=tmp_path)
    assert done.returncode == 0 and "1 row added" in done.stdout, done.stderr
    assert "not agreed, so neutral: gelu in float16" in done.stdout
    assert [row.kind for row in read_table(tmp_path / "table.json")] == ["stem"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--merge", "a.json"], "--merge adds to a table: name it"),
        (["--merge", "a.json", "-o", "t.json"], "a.json is not a file that trtnet tune wrote"),
        (["resnet18", "resnet50"], "one model is tuned at a time"),
        (["resnet18", "--gpus", "a"], "--gpus is written 0,1"),
        (["resnet18", "--dim", "batch=1"], "no usable GPU"),
    ],
)
def test_a_wrong_command_is_an_error(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(index: int) -> Any:
        raise DeviceError("no usable GPU")

    monkeypatch.setattr("trtnet.tools.tune.machine.CudaDevice", none)
    done = command("tune", *arguments, folder=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stdout
    assert not any(tmp_path.iterdir())
