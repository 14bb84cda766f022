"""`trtnet warm`: which sizes are called, and what is beside the engine afterwards; its engine on a fake device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.comparing import network_of
from helpers.runtime.fakes import Opener
from typer.testing import CliRunner

import trtnet
from trtnet import ops
from trtnet.builder import Plan
from trtnet.cli.main import app
from trtnet.runtime import Engine
from trtnet.support.errors import ModelError, ProfileError, TrtnetError
from trtnet.tools import warm

PROFILES = [{"n": (1, 2, 4), "m": (1, 3, 5)}, {"n": (5, 8, 16), "m": (1, 3, 5)}]


def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dims: Any = PROFILES) -> tuple[Path, Opener]:
    monkeypatch.setattr(warm.backend, "supports", lambda feature: True)
    network = network_of(lambda x: x * 2, {"x": trtnet.Input(("n", "m"))})
    opener, path = Opener(network.reference()), tmp_path / "d.engine"
    network.build(dims).save(path)
    monkeypatch.setattr(warm, "load", lambda plan: Engine(Plan.load(plan), opener, Path(plan)))
    return path, opener


def warmed(*arguments: str) -> list[str]:
    """The sizes that a command warmed, as n x m."""
    result = CliRunner().invoke(app, ["warm", *arguments, "--json", "-"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["nbytes"] == Path(document["cache"]).stat().st_size > 0
    return ["x".join(str(call["sizes"][name]) for name in "nm") for call in document["calls"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["1x1", "2x3", "4x5", "5x1", "8x3", "16x5"]),
        (["--dim", "n=1,8"], ["1x3", "8x3"]),
        (["--dim", "n=1,8", "--dim", "m=2,4"], ["1x2", "1x4", "8x2", "8x4"]),
        (["--dim", "m=4"], ["2x4"]),
    ],
)
def test_each_of_the_sizes_is_called(
    options: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opener = saved(tmp_path, monkeypatch)
    assert warmed(str(path), *options) == expected
    (context,) = opener.engine.contexts
    assert context.executions == 3 * len(expected), "the second call is captured, too"
    assert sorted(p.name for p in tmp_path.glob("*.cache")) == [warm.cache_path(path, opener.device.name).name]


def test_the_table_tells_the_sizes_the_times_and_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path, _ = saved(tmp_path, monkeypatch)
    text = CliRunner().invoke(app, ["warm", str(path), "--dim", "n=3"], catch_exceptions=False).output
    assert "n=3, m=3" in text and "first call" in text and "d.engine.Fake_GPU" in text


def test_profiles_of_one_size_are_called_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = saved(tmp_path, monkeypatch, {"n": 3, "m": 4})
    assert warmed(str(path)) == ["3x4"]


def test_values_that_say_sizes_are_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"x": trtnet.Input((1, 3)), "size": trtnet.Input((2,), "int64", values=("rows", "columns"))}
    network = network_of(lambda x, size: ops.full(tuple(size.tolist()), 1.0) * x.sum(), inputs)
    built = network.build({"rows": (1, 2, 4), "columns": (1, 3, 9)})
    assert warm.combinations(built.info, {"columns": [5]}) == [{"rows": 2, "columns": 5}]
    found = warm.feeds(built.info, {"columns": 5}, {})
    assert found["size"].tolist() == [2, 5] and found["size"].dtype.name == "int64"


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ("n=1:2:4", ModelError, "--dim n=1:2:4: sizes are written 1,8,32"),
        ("k=3", ModelError, "--dim k: no input has this dimension; the dynamic ones are n, m"),
        ("n=17", ProfileError, "x 17x3 fits no optimization profile of the engine"),
    ],
)
def test_mistakes(
    option: str, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = saved(tmp_path, monkeypatch)
    with pytest.raises(error, match=words):
        warmed(str(path), "--dim", option)


def test_a_backend_that_compiles_nothing_when_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opener = saved(tmp_path, monkeypatch)
    monkeypatch.setattr(warm.backend, "supports", lambda feature: False)
    with pytest.raises(TrtnetError, match="nothing to warm"):
        warmed(str(path))
    assert opener.engines == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opener = saved(tmp_path, monkeypatch)
    warm.cache_path(path, opener.device.name).mkdir()
    with pytest.raises(TrtnetError, match=r"\.cache was not written, and the kernels are lost"):
        warmed(str(path))
