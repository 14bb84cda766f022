"""`trtnet doctor --explain`: every entry of its tables, and what this TensorRT really says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.support.backend import trt
from trtnet.support.diagnostics import logger
from trtnet.tools.explain import explain, nearest, render, to_json
from trtnet.tools.explain.api_changes import TABLE, ApiChange
from trtnet.tools.explain.messages import Message, messages
from trtnet.tools.explain.names import owner_of
from trtnet.tools.explain.surfaces import MODULE, surfaces


# names
def test_the_releases() -> None:
    assert surfaces().releases[0] == "TensorRT 10.13" and surfaces().releases[-1] == "TensorRT-RTX 1.7"


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.dotted)
def test_the_releases_agree_with_the_table_of_removed_names(change: ApiChange) -> None:
    owner = change.owner or MODULE
    majors = {
        release.split()[1].split(".")[0] for release in surfaces().having(owner, change.name) if "RTX" not in release
    }
    assert majors == (set() if change.removed in ("8.0", "10.0") else {"10"})
    assert owner == MODULE or owner in surfaces().masks


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.dotted)
def test_every_removed_name_is_explained(change: ApiChange) -> None:
    missing = (
        f"type object 'tensorrt.tensorrt.{change.owner}' has no attribute '{change.name}'"
        if change.owner
        else f"module 'tensorrt' has no attribute '{change.name}'"
    )
    (found,) = explain(f"Traceback (most recent call last):\n  ...\nAttributeError: {missing}\n")
    assert found.title == change.dotted and found.advice == change.instead and found.trtnet == change.ours
    assert f"removed in TensorRT {change.removed}" in found.cause
    assert change.dotted in [one.title for one in explain(change.name)]


def test_the_issues_own_example() -> None:
    (found,) = explain("AttributeError: 'Builder' object has no attribute 'max_workspace_size'")
    assert "TensorRT 8.0" in found.cause and "set_memory_pool_limit" in found.advice and "--workspace" in found.trtnet


@pytest.mark.parametrize(
    ("missing", "title", "words"),
    [
        ("'tensorrt.tensorrt.IConvolutionLayer' object has no attribute 'precision'", "ILayer.precision", "strongly"),
        ("'tensorrt_rtx_bindings.tensorrt_rtx.INetworkDefinit' object has no attribute 'add_plugin_v2'",
         "INetworkDefinition.add_plugin_v2", "has no plugins"),
        ("'tensorrt.tensorrt.INetworkDefinition' object has no attribute 'add_attention_v2'",
         "INetworkDefinition.add_attention_v2", "hasattr"),
        ("'tensorrt.tensorrt.IRuntimeConfig' object has no attribute 'create_runtime_cache'",
         "IRuntimeConfig.create_runtime_cache", "only TensorRT-RTX"),
        ("module 'tensorrt' has no attribute 'Logger'", "tensorrt.Logger", "tensorrt.__file__"),
        ("'tensorrt.tensorrt.ICudaEngine' object has no attribute 'num_io_tensors'",
         "ICudaEngine.num_io_tensors", "newer"),
        ("cannot import name 'ComputeCapability' from 'tensorrt' (/x/tensorrt/__init__.py)",
         "tensorrt.ComputeCapability", "only TensorRT-RTX"),
    ],
)  # fmt: skip
def test_names_that_some_releases_have(missing: str, title: str, words: str) -> None:
    (found,) = explain(missing)
    assert found.title == title and words in found.advice


def test_a_name_says_which_releases_have_it() -> None:
    (found,) = explain("INetworkDefinition.add_attention_v2")
    assert (
        found.cause
        == "in TensorRT 11.0, 11.4 and TensorRT-RTX 1.6, 1.7; not in TensorRT 10.13, 10.16 and TensorRT-RTX 1.4"
    )


def test_every_name_that_not_all_releases_have_is_explained() -> None:
    everyone = len(surfaces().releases)
    for owner, names in surfaces().masks.items():
        for member in names:
            if member and len(surfaces().having(owner, member)) < everyone:
                (found,) = explain(f"'tensorrt.{owner}' object has no attribute '{member}'")
                assert " not in " in found.cause or "removed in" in found.cause


def test_what_this_tensorrt_says_is_explained() -> None:
    for owner, attribute in ("INetworkDefinition", "add_fully_connected"), ("IExecutionContext", "execute_async_v2"):
        with pytest.raises(AttributeError) as error:
            getattr(getattr(trt, owner), attribute)
        assert explain(str(error.value))[0].title == f"{owner}.{attribute}"
    with pytest.raises(AttributeError) as error:
        trt.Builder(logger).max_workspace_size  # noqa: B018
    assert explain(str(error.value))[0].title == "Builder.max_workspace_size"


def test_owners() -> None:
    assert owner_of("tensorrt_rtx_bindings.tensorrt_rtx.INetworkDefinit") == "INetworkDefinition"
    assert owner_of("Builder") == "Builder" and owner_of("tensorrt_rtx") == MODULE
    assert owner_of("torch.nn.Linear") == owner_of("INetworkDefinit") == ""


# messages
@pytest.mark.parametrize("message", messages(), ids=lambda message: message.title)
def test_every_message_is_explained_by_its_own_entry(message: Message) -> None:
    found = explain(f"before\n{message.example}\nafter")
    assert [one.title for one in found if one.title == message.title] or message.general
    special = [one for one in messages() if not one.general and one.pattern.search(message.example)]
    assert [one.title for one in special] == ([] if message.general else [message.title])
    assert message.cause and message.advice and message.cause != message.advice
    assert message.pattern.search("") is None


def test_titles_are_different_and_there_are_many() -> None:
    titles = [message.title for message in messages()]
    assert len(set(titles)) == len(titles) >= 60


def test_general_entries_give_way() -> None:
    general = "Error Code 3: API Usage Error (Parameter check failed, condition: x)"
    assert [one.title for one in explain(general)] == ["TensorRT's check of an argument failed"]
    both = f"{general}\nBuildCanceled"
    assert [one.title for one in explain(both)] == ["The build was cancelled"]


def test_a_log_with_several_errors_is_explained_in_its_order() -> None:
    log = "UNSUPPORTED_NODE: No importer registered for op: X\n...\nNetwork must have at least one output\n"
    assert [one.title for one in explain(log)] == [
        "An ONNX operator that the parser does not know",
        "The network has no output",
    ]


# unknown text, and the command
@pytest.mark.parametrize(
    "words", ["", "hello", "KeyError: 'x'", "'Model' object has no attribute 'max_workspace_size'"]
)
def test_unknown_text_is_said_to_be_unknown(words: str) -> None:
    assert explain(words) == []
    assert "Nothing is known" in printed(render([], nearest(words)))


def test_names_that_come_near() -> None:
    assert nearest("'tensorrt.Builder' object has no attribute 'max_workspace'")[0] == "Builder.max_workspace_size"
    assert "IExecutionContext.set_input_shape" in nearest("context.set_inputs_shape(x)")
    assert to_json([], ["a.b"]) == {"explained": False, "explanations": [], "near": ["a.b"]}


def printed(picture: Any) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(picture)
    return console.export_text()


def test_what_is_printed_is_not_markup() -> None:
    found = explain("Could not find any implementation for node [red]x[/red]")
    assert "No implementation of a layer" in printed(render(found, []))


@pytest.fixture
def run() -> Iterator[Callable[..., Any]]:
    def call(*arguments: str, stdin: str = "") -> Any:
        return CliRunner().invoke(app, ["doctor", "--explain", *arguments], input=stdin)

    yield call


def test_the_command(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("'Builder' object has no attribute 'max_workspace_size'")
    assert result.exit_code == 0 and "trtnet build --workspace 4GiB" in result.stdout
    found = json.loads(run("-", "--json", "-", stdin="[TRT] Version tag does not match\n").stdout)
    assert found["explanations"][0]["title"] == "Another version of TensorRT built the engine"
    unknown = run("Builder has no creat_network")
    assert unknown.exit_code == 2 and "Builder.create_network" in unknown.stdout
