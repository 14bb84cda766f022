"""``--form`` and ``--approximations`` in every command that builds; inspect says what was chosen, by whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trtnet.cli.main import app
from trtnet.support.errors import ModelError
from trtnet.tools.targets.forms_choice import FormsChoice, forms_choice

ORIGINAL = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    layers = [nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 8), nn.GELU(), nn.SiLU()]
    return nn.Sequential(*layers).eval()
"""


def run(*texts: object) -> Result:
    return CliRunner().invoke(app, [str(text) for text in texts], catch_exceptions=True)


@pytest.fixture
def model(tmp_path: Path) -> tuple[str, ...]:
    """A live torch module, as commands take it."""
    (tmp_path / "original.py").write_text(ORIGINAL)
    return f"{tmp_path / 'original.py'}:make", "--declare", "x=batch,6", "--dtype", "float16"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_build_and_inspect_say_what_was_chosen_and_by_whom(model: tuple[str, ...], tmp_path: Path) -> None:
    chosen = (
        "--form",
        "1:gelu=layer",
        "--form",
        "gelu=float32",
        "--form",
        "0:product=stored",
        "--form",
        "accumulation=native",
    )
    engine = tmp_path / "m.engine"
    built = run("build", *model, *chosen, "--dim", "batch=2", "-o", engine)
    assert built.exit_code == 0, built.output
    sidecar = read(Path(f"{engine}.json"))
    assert sidecar["forms"]["1"] == {"gelu": "layer"} and sidecar["forms"]["3"] == {"gelu": "float32"}
    assert [sidecar["forms_by"][path] for path in ("0", "1", "2", "3")] == [
        {"product": "user: 0", "accumulation": "user", "bias": "neutral"},
        {"gelu": "user: 1"},
        {"product": "neutral", "accumulation": "user", "bias": "neutral"},
        {"gelu": "user"},
    ]
    looked = run("inspect", *model, *chosen, "--json", tmp_path / "a.json")
    assert looked.exit_code == 0, looked.output
    assert {"stored", "float32", "layer", "neutral"} <= {*looked.output.split()}
    document = read(tmp_path / "a.json")
    assert document["forms"] == sidecar["forms"] and document["forms_by"] == sidecar["forms_by"]
    shown = run("inspect", f"{engine}.json")
    assert shown.exit_code == 0 and "user: 0" in " ".join(shown.output.split()), shown.output


def test_a_model_is_compared_and_run_in_the_forms_that_are_given(model: tuple[str, ...], tmp_path: Path) -> None:
    compared = run("compare", *model, "--form", "gelu=float32", "--dim", "batch=2")
    assert compared.exit_code == 0, compared.output
    for command in ("compare", "bisect"):
        refused = run(command, *model, "--form", "gelu=float3", "--dim", "batch=2")
        assert "did you mean float32?" in str(refused.exception)
    ran = run("run", *model, "--form", "silu=tanh", "--dim", "batch=2", "--random", 0)
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("gelu=tanh", "'tanh' of 'gelu' is an approximation"),
        ("9.*:gelu=float32", "no module '9.*' has an operation of the kind 'gelu'; it is in '1', '3'"),
        ("product=merged_reduction", "there is no form 'merged_reduction' of 'product'"),
        ("gelu", "--form is written gelu=float32"),
    ],
)
def test_a_choice_that_cannot_be_is_an_error(form: str, words: str, model: tuple[str, ...]) -> None:
    refused = run("inspect", *model, "--form", form)
    assert isinstance(refused.exception, ModelError)
    assert words in str(refused.exception)


def test_approximations_are_admitted_by_an_option(model: tuple[str, ...], tmp_path: Path) -> None:
    looked = run("inspect", *model, "--form", "gelu=tanh", "--approximations", "--json", tmp_path / "a.json")
    assert looked.exit_code == 0, looked.output
    assert read(tmp_path / "a.json")["forms"]["1"] == {"gelu": "tanh"}


def test_an_engine_has_its_forms_already(model: tuple[str, ...], tmp_path: Path) -> None:
    run("build", *model, "--dim", "batch=2", "-o", tmp_path / "m.engine")
    refused = run("inspect", tmp_path / "m.engine", "--form", "gelu=layer")
    assert "takes no --form" in str(refused.exception)


def test_choices_of_the_whole_network_come_after_those_of_modules() -> None:
    found = forms_choice(["gelu=layer", "a.*:gelu=float32", "b:silu=tanh"], approximations=False)
    assert found == FormsChoice({"gelu": {"a.*": "float32", "*": "layer"}, "silu": {"b": "tanh"}})
    with pytest.raises(ModelError, match="gelu has the form 'layer' there already"):
        forms_choice(["gelu=layer", "gelu=float32"], approximations=False)
