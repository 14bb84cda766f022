"""`trtnet doctor --explain`: every entry of its tables, and what this TensorRT really says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from trtnet.backend import name, trt
from trtnet.cli import app
from trtnet.diagnostics import ErrorRecorder, logger
from trtnet.tools.api_changes import TABLE, ApiChange
from trtnet.tools.explain import explain, nearest, render, to_json
from trtnet.tools.explain.messages import Message, messages
from trtnet.tools.explain.names import owner_of
from trtnet.tools.explain.surfaces import MODULE, surfaces

RTX = pytest.mark.skipif(name() != "tensorrt_rtx", reason="the words are TensorRT-RTX's")


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
         "IRuntimeConfig.create_runtime_cache", "TensorRT-RTX alone"),
        ("module 'tensorrt' has no attribute 'Logger'", "tensorrt.Logger", "tensorrt.__file__"),
        ("'tensorrt.tensorrt.ICudaEngine' object has no attribute 'num_io_tensors'",
         "ICudaEngine.num_io_tensors", "newer"),
        ("cannot import name 'ComputeCapability' from 'tensorrt' (/x/tensorrt/__init__.py)",
         "tensorrt.ComputeCapability", "TensorRT-RTX alone"),
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


# what TensorRT itself says of the same causes
class Trial:
    """A network of TensorRT's own calls, and the words it has for them."""

    def __init__(self) -> None:
        self.recorder = ErrorRecorder()
        self.builder = trt.Builder(logger)
        self.network = self.builder.create_network(0)
        for one in (self.builder, self.network):
            one.error_recorder = self.recorder
        self.x = self.network.add_input("x", trt.float32, (1, 3, 8, 8))

    def words(self) -> str:
        return "\n".join(self.recorder.take())

    def shape(self, layer: Any) -> None:
        try:
            tuple(layer.get_output(0).shape)
        except (RuntimeError, ValueError) as error:
            self.recorder.report_error(trt.ErrorCodeTRT.INVALID_ARGUMENT, str(error))

    def build(self, *profiles: Any) -> None:
        config = self.builder.create_builder_config()
        for profile in profiles:
            config.add_optimization_profile(profile)
        self.builder.build_serialized_network(self.network, config)


def _kernel(trial: Trial) -> None:
    kernel = np.ones((4, 4, 3, 3), np.float32)
    trial.shape(trial.network.add_convolution_nd(trial.x, 4, (3, 3), kernel))


def _half_kernel(trial: Trial) -> None:
    trial.shape(trial.network.add_convolution_nd(trial.x, 4, (3, 3), np.ones((4, 3, 3, 3), np.float16)))


def _sum(dtype: Any, *shape: int) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        y = trial.network.add_input("y", dtype, shape)
        trial.shape(trial.network.add_elementwise(trial.x, y, trt.ElementWiseOperation.SUM))

    return make


def _reshape(trial: Trial) -> None:
    layer = trial.network.add_shuffle(trial.x)
    layer.reshape_dims = (1, 3, 65)
    trial.shape(layer)


def _product(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (1, 3, 3, 8))
    none = trt.MatrixOperation.NONE
    trial.shape(trial.network.add_matrix_multiply(trial.x, none, y, none))


def _bytes(trial: Trial) -> None:
    trial.shape(trial.network.add_constant((2,), np.zeros(2, np.uint8)))


def _not_run(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_non_zero(trial.x).get_output(0))
    trial.build()


def _load(data: bytes) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        runtime = trt.Runtime(logger)
        runtime.error_recorder = trial.recorder
        assert runtime.deserialize_cuda_engine(data) is None

    return make


def _lean(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_identity(trial.x).get_output(0))
    config = trial.builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    trial.builder.build_serialized_network(trial.network, config)


def _twice(trial: Trial) -> None:
    assert trial.network.add_input("x", trt.float32, (1,)) is None


def _no_output(trial: Trial) -> None:
    trial.build()


def _no_profile(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (-1, 3))
    trial.network.mark_output(trial.network.add_identity(y).get_output(0))
    trial.build()


def _profile(trial: Trial, *sizes: tuple[int, ...]) -> Any:
    y = trial.network.add_input("y", trt.float32, (-1, 3))
    trial.network.mark_output(trial.network.add_identity(y).get_output(0))
    profile = trial.builder.create_optimization_profile()
    profile.set_shape("y", *sizes)
    return profile


def _crossed_profile(trial: Trial) -> None:
    trial.build(_profile(trial, (8, 3), (4, 3), (2, 3)))


def _contradicting_profile(trial: Trial) -> None:
    trial.build(_profile(trial, (1, 4), (1, 4), (2, 4)))


def _top_k(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (1, 9000))
    layer = trial.network.add_topk(y, trt.TopKOperation.MAX, 4000, 2)
    if layer is not None:
        trial.shape(layer)


def _quantized(trial: Trial, dtype: Any) -> Any:
    """A quantize layer, its dequantized output marked."""
    scale = trial.network.add_constant((), np.array(0.5, np.float32)).get_output(0)
    layer = trial.network.add_quantize(trial.x, scale, dtype)
    trial.network.mark_output(trial.network.add_dequantize(layer.get_output(0), scale, trt.float32).get_output(0))
    return layer


def _zero_point(trial: Trial) -> None:
    layer = _quantized(trial, trt.int8)
    layer.set_input(2, trial.network.add_constant((), np.array(3, np.int8)).get_output(0))
    trial.build()


def _old_target(trial: Trial) -> None:
    _quantized(trial, trt.fp8)
    config = trial.builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    trial.builder.build_serialized_network(trial.network, config)


class Refusing(trt.IProgressMonitor):
    """Cancels the build at its first step."""

    def __init__(self) -> None:
        super().__init__()

    def phase_start(self, *_: Any) -> None:
        pass

    def phase_finish(self, *_: Any) -> None:
        pass

    def step_complete(self, *_: Any) -> bool:
        return False


def _cancelled(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_softmax(trial.x).get_output(0))
    config, monitor = trial.builder.create_builder_config(), Refusing()
    config.progress_monitor = monitor
    trial.builder.build_serialized_network(trial.network, config)


CAUSES: dict[str, Callable[[Trial], None]] = {
    "A kernel does not fit the channels": _kernel,
    "A kernel has another dtype than the input": _half_kernel,
    "Shapes do not broadcast": _sum(trt.float32, 1, 2, 8, 8),
    "Ranks of an elementwise operation differ": _sum(trt.float32, 8, 8),
    "Dtypes of an elementwise operation differ": _sum(trt.float16, 1, 3, 8, 8),
    "A zero point that is not zero": _zero_point,
    "A dtype that a target has not": _old_target,
    "The build was cancelled": _cancelled,
    "A reshape changes the number of elements": _reshape,
    "A matrix product's inner sizes differ": _product,
    "Two inputs of one name": _twice,
    "The network has no output": _no_output,
    "A dynamic network without an optimization profile": _no_profile,
    "A profile whose sizes are not min <= opt <= max": _crossed_profile,
    "A profile contradicts a fixed axis": _contradicting_profile,
    "A top-k of more than 3840": _top_k,
    "A constant of a dtype that TensorRT has not": _bytes,
    "A layer that TensorRT-RTX does not run": _not_run,
    "The lean runtime is not found": _lean,
    "The file is no plan of this TensorRT": _load(b"ptrt" + bytes(1000)),
    "The plan is cut": _load(b"vtrt"),
}


@RTX
@pytest.mark.parametrize("title", CAUSES)
def test_tensorrts_own_words_are_explained(title: str) -> None:
    trial = Trial()
    CAUSES[title](trial)
    words = trial.words()
    assert title in [one.title for one in explain(words)], words


def test_no_plan_at_all() -> None:
    with pytest.raises(TypeError) as error:
        trt.Runtime(logger).deserialize_cuda_engine(None)
    assert "The engine was not built" in [one.title for one in explain(f"TypeError: {error.value}")]


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


def test_what_is_printed_is_no_markup() -> None:
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
    assert unknown.exit_code == 1 and "Builder.create_network" in unknown.stdout
