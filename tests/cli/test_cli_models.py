"""Every command that takes a model takes its configuration: --arg and --config."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from trtnet import ModelError
from trtnet.cli.grouping import grouped
from trtnet.cli.main import PANELS, app
from trtnet.cli.options import FactoryOptions, Json

SMALL = {"n_embd": 48, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 32}


def run(*texts: object) -> Result:
    return CliRunner().invoke(app, [str(text) for text in texts], catch_exceptions=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "gpt2", "activation_function": "gelu_new", **SMALL}))
    return file


def layers(text: str) -> set[str]:
    return set(re.findall(r"h\.(\d+)", text))


def test_a_model_of_a_file_and_of_fields(config: Path) -> None:
    by_file = run("inspect", "gpt2", "--config", config, "--json", "-")
    arguments = [part for pair in SMALL.items() for part in ("--arg", f"{pair[0]}={pair[1]}")]
    by_fields = run("inspect", "gpt2", *arguments, "--json", "-")
    assert by_file.exit_code == by_fields.exit_code == 0, by_file.output + by_fields.output
    assert json.loads(by_file.stdout) == json.loads(by_fields.stdout)
    assert layers(by_file.stdout) == {"0", "1"}
    both = run("inspect", "gpt2", "--config", config.parent, "--arg", "n_layer=3", "--json", "-")
    assert layers(both.stdout) == {"0", "1", "2"}


def test_an_unknown_field_names_the_nearest() -> None:
    found = run("inspect", "qwen2", "--arg", "num_layers=2")
    assert isinstance(found.exception, ModelError)
    assert str(found.exception).startswith("qwen2 takes no num_layers; did you mean num_hidden_layers")


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    found = run("inspect", "gpt2", "--config", tmp_path / "no.json")
    assert isinstance(found.exception, ModelError)
    assert f"there is no configuration {tmp_path / 'no.json'}" in str(found.exception)


def test_a_factory_without_a_configuration_takes_none(tmp_path: Path, config: Path) -> None:
    (tmp_path / "mine.py").write_text("import trtnet\n\ndef f(width=3):\n    return trtnet.nn.Linear(width, width)\n")
    found = run("inspect", f"{tmp_path / 'mine.py'}:f", "--config", config)
    assert isinstance(found.exception, ModelError)
    assert str(found.exception) == "f takes no config; it has width"


def test_every_command_that_makes_a_model_takes_both() -> None:
    commands = [("build",), ("run",), ("convert",), ("compare",), ("bisect",), ("precision",), ("bench",), ("inspect",)]
    for command in [*commands, ("diff",), ("draw",), ("export", "polygraphy")]:
        found = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"])
        assert found.exit_code == 0 and "--config" in found.output and "--arg" in found.output, command


def test_a_built_engine_says_its_configuration_and_diff_takes_another(tmp_path: Path, config: Path) -> None:
    weights = tmp_path / "w.safetensors"
    random_weights(weights)
    built = run("build", "gpt2", "--config", config, "--weights", weights, "--dim", "batch=1", "--dim", "length=4",
                "-o", tmp_path / "g.engine")  # fmt: skip
    assert built.exit_code == 0, built.output
    assert json.loads((tmp_path / "g.engine.json").read_text())["arguments"] == {"config": str(config)}
    same = run("diff", "gpt2", "gpt2", "--config", config)
    assert same.exit_code == 0, same.output
    (tmp_path / "other.json").write_text(config.read_text().replace('"n_layer": 2', '"n_layer": 1'))
    assert run("diff", "gpt2", "gpt2", "--config", config, "--other-config", tmp_path / "other.json").exit_code == 1


def random_weights(path: Path) -> None:
    from helpers import comparing
    from safetensors.numpy import save_file

    from trtnet import models

    save_file(comparing.random_weights(models.gpt2(**SMALL)), path)


def test_convert_checks_a_model_of_a_configuration(tmp_path: Path, config: Path) -> None:
    weights = tmp_path / "w.safetensors"
    random_weights(weights)
    right = run("convert", weights, tmp_path / "out.safetensors", "--model", "gpt2", "--config", config)
    assert right.exit_code == 0, right.output
    wrong = run(
        "convert", weights, tmp_path / "o.safetensors", "--model", "gpt2", "--config", config, "--arg", "n_layer=1"
    )
    assert type(wrong.exception).__name__ == "WeightsError" and not (tmp_path / "o.safetensors").exists()
    for_nothing = run("convert", weights, tmp_path / "o.safetensors", "--arg", "n_layer=1")
    assert str(for_nothing.exception) == "--arg and --config are for a model: give it with --model"


def test_the_help_groups_the_commands_in_the_order_of_the_panels() -> None:
    text = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["--help"]).output
    places = [text.index(f" {panel} ") for panel in PANELS]
    assert places == sorted(places)
    lines = [line for line in text.splitlines() if re.match(r"│ [a-z]+ ", line)]
    assert len(lines) == sum(map(len, PANELS.values()))
    assert all(line.rstrip("│ ").endswith(".") for line in lines), "one line each"


def test_options_that_are_grouped_are_those_of_the_command() -> None:
    got: list[Any] = []

    @grouped
    def command(name: Annotated[str, typer.Argument()], factory: FactoryOptions, json: Json = None) -> None:
        """A command."""
        got.append((name, factory, json))

    small = typer.Typer()
    small.command()(command)
    assert CliRunner().invoke(small, ["x", "--arg", "a=1", "--arg", "b=2", "--json", "-"]).exit_code == 0
    assert CliRunner().invoke(small, ["y"]).exit_code == 0
    assert got == [("x", FactoryOptions(["a=1", "b=2"], None), "-"), ("y", FactoryOptions([], None), None)]
    assert CliRunner().invoke(small, ["y", "--factory", "z"]).exit_code == 2
