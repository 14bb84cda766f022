"""`trtnet export triton`: Triton's protobuf definition takes the configuration, versions appear whole."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from helpers.comparing import random_weights, relative_l2
from tritonclient.grpc import model_config_pb2
from typer.testing import CliRunner

import trtnet
from trtnet.builder import Plan, PlanInfo
from trtnet.builder.plan import sidecar_path
from trtnet.cli.main import app
from trtnet.models import lenet
from trtnet.support import backend, dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError, PlanError, ProfileError
from trtnet.tools.export.triton import config as triton
from trtnet.tools.export.triton.config import config
from trtnet.tools.export.triton.ensembles import Step, write_ensemble
from trtnet.tools.export.triton.models import open_model, served as served_by
from trtnet.tools.export.triton.placing import Version, place
from trtnet.tools.export.triton.repository import Repository, of_engine, publish, template
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.networks import Choices

RTX = backend.name() == "tensorrt_rtx"


def write(engine: Path, repository: Path, name: str, serving: Serving | None = None, *, python: bool) -> Repository:
    return publish(of_engine(engine, python=python), repository, name, serving or Serving())


def info(**changes: Any) -> PlanInfo:
    made = PlanInfo(
        backend="tensorrt", backend_version="10.13.3.9", model="m", dtype="float16",
        inputs=(TensorInfo("image", ("batch", 3, "height", 8), "float16"), TensorInfo("ids", ("batch",), "int64")),
        outputs=(TensorInfo('a "name"', ("batch", 5), "float32"),),
        profiles=(
            {"image": ((1, 3, 8, 8), (4, 3, 8, 8), (16, 3, 64, 8)), "ids": ((1,), (4,), (16,))},
            {"image": ((16, 3, 8, 8), (32, 3, 8, 8), (64, 3, 8, 8)), "ids": ((16,), (32,), (64,))},
        ),
    )  # fmt: skip
    return replace(made, **changes)


def parsed(described: PlanInfo, serving: Serving | None = None) -> Any:
    text = config(described, "m", serving or Serving(), python=False)
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_the_configuration_is_what_the_engine_takes() -> None:
    found = parsed(info(), Serving(delay=250, instances=2))
    assert (found.name, found.backend, found.platform) == ("m", "tensorrt", "tensorrt_plan")
    assert found.default_model_filename == "model.plan" and found.max_batch_size == 64
    image, ids = found.input
    assert (image.name, list(image.dims)) == ("image", [3, -1, 8])
    assert image.data_type == model_config_pb2.TYPE_FP16 and ids.data_type == model_config_pb2.TYPE_INT64
    assert list(ids.dims) == [1] and ids.HasField("reshape") and list(ids.reshape.shape) == []
    assert found.output[0].name == 'a "name"' and list(found.output[0].dims) == [5]
    assert list(found.dynamic_batching.preferred_batch_size) == [4, 32]
    assert found.dynamic_batching.max_queue_delay_microseconds == 250
    (group,) = found.instance_group
    assert group.count == 2 and list(group.profile) == ["0", "1"]
    assert group.kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert found.version_policy.latest.num_versions == 1


def test_batches_as_asked_or_none() -> None:
    assert list(parsed(info(), Serving(max_batch_size=16)).dynamic_batching.preferred_batch_size) == [4]
    none = parsed(info(), Serving(max_batch_size=0))
    assert none.max_batch_size == 0 and list(none.input[0].dims) == [-1, 3, -1, 8] and list(none.input[1].dims) == [-1]
    assert not none.HasField("dynamic_batching")
    with pytest.raises(PlanError, match="allow batches of 64 at most"):
        config(info(), "m", Serving(max_batch_size=65), python=False)


@pytest.mark.parametrize(
    "outputs",
    [
        (TensorInfo("y", (), "float32"),),
        (TensorInfo("y", (8, 5), "float32"),),
        (TensorInfo("y", ("n", "batch"), "float32"),),
        (TensorInfo("y", ("batch", "batch"), "float32"),),
    ],
)
def test_what_has_no_batch_axis_is_not_batched(outputs: tuple[TensorInfo, ...]) -> None:
    assert parsed(info(outputs=outputs)).max_batch_size == 0
    with pytest.raises(PlanError, match="no batch axis"):
        config(info(outputs=outputs), "m", Serving(max_batch_size=2), python=False)


@pytest.mark.parametrize("dtype", triton.TYPES)
def test_every_dtype_is_tritons(dtype: str) -> None:
    found = parsed(info(outputs=(TensorInfo("y", ("batch", 5), dtype),))).output[0]
    client = model_config_pb2.DataType.Name(found.data_type).removeprefix("TYPE_").lower()
    name = dtypes.get(dtype).name
    assert client in (name, {"float16": "fp16", "float32": "fp32", "bfloat16": "bf16"}.get(name))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "lenet.engine"
    trtnet.define(lenet(), weights=random_weights(lenet()), dtype="float16").build({"batch": (2, 8, 32)}).save(path)
    return path


def as_of_tensorrt(engine: Path, folder: Path) -> Path:
    """The same plan as if TensorRT had built it."""
    plan = Plan.load(engine)
    Plan(plan.data, replace(plan.info, backend="tensorrt")).save(folder / "t.engine")
    return folder / "t.engine"


def test_a_repository(engine: Path, tmp_path: Path) -> None:
    found = write(as_of_tensorrt(engine, tmp_path), tmp_path / "repo", "lenet", Serving(version=3), python=False)
    folder = tmp_path / "repo" / "lenet"
    assert (folder / "3" / "model.plan").read_bytes() == engine.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"config.pbtxt", "3"}
    made = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert made.max_batch_size == 32 == found.max_batch_size and list(made.input[0].dims) == [1, 28, 28]
    assert any("fewer than 2 samples" in note for note in found.notes)


@pytest.mark.skipif(not RTX, reason="needs a plan of TensorRT-RTX")
def test_tensorrt_rtx_is_served_only_by_python(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="tensorrt backend loads only TensorRT's plans"):
        write(engine, tmp_path, "lenet", python=False)
    assert list(tmp_path.iterdir()) == []
    write(engine, tmp_path, "lenet", python=True)
    files = {path.name for path in (tmp_path / "lenet" / "1").iterdir()}
    assert files == {"model.plan", "model.plan.json", "model.py", "__pycache__"}
    made = text_format.Parse((tmp_path / "lenet" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert made.backend == "python" and made.platform == "" and made.max_batch_size == 32
    assert trtnet.load(tmp_path / "lenet" / "1" / "model.plan").info == Plan.load(engine).info


def test_what_triton_cannot_serve(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="name has only letters"):
        write(engine, tmp_path, "a/b", python=True)
    plan = Plan.load(engine)
    for change, words in (
        ({"stripped": True}, "stripped of its weights"),
        ({"outputs": (TensorInfo("y", (2,), "float8_e4m3fn"),)}, "does not have this dtype"),
        ({"outputs": (TensorInfo("y", (2,), "bfloat16"),)}, "no bfloat16"),
    ):
        Plan(plan.data, replace(plan.info, **change)).save(tmp_path / "x.engine")
        with pytest.raises(PlanError, match=words):
            write(tmp_path / "x.engine", tmp_path / "repo", "m", python=True)
    assert not (tmp_path / "repo").exists()


@pytest.mark.parametrize(("name", "value"), [("version", 0), ("versions", 0), ("instances", -1), ("delay", -5)])
def test_a_number_that_is_too_small_is_named(name: str, value: int) -> None:
    with pytest.raises(PlanError, match=rf"^{name} is {value}; it is at least [01]$"):
        Serving(**{name: value}).check()  # type: ignore[arg-type]


# model.py, in a server that is not there
class Response(SimpleNamespace):
    def __init__(self, output_tensors: list[Any], error: Any = None) -> None:
        super().__init__(error=error, outputs={tensor.name: tensor.array for tensor in output_tensors})


class ServersTensor:
    """As Triton 2.51 has it: with numpy 2, as_numpy() reads other memory than its own, without an error."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def as_numpy(self) -> np.ndarray:
        return np.full_like(self.array, self.array.ravel()[0])

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.fixture
def served(engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The model as Triton's python backend loads it, its engine replaced by the network's reference."""
    server = SimpleNamespace(
        get_input_tensor_by_name=lambda request, name: ServersTensor(request[name]),
        TRITONSERVER_RESPONSE_COMPLETE_FINAL=1,
        Tensor=SimpleNamespace(from_dlpack=lambda name, array: SimpleNamespace(name=name, array=np.from_dlpack(array))),
        InferenceResponse=Response, TritonError=str,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", server)
    write(engine, tmp_path, "lenet", python=True)
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile((tmp_path / "lenet" / "1" / "model.py").read_text(), "model.py", "exec"), namespace)
    model = namespace["TritonPythonModel"]()
    arguments = {
        "model_repository": str(tmp_path / "lenet"), "model_version": "1", "model_instance_device_id": "2",
    }  # fmt: skip
    model.initialize(arguments | {"model_config": json.dumps({"max_batch_size": 32})})
    assert model.function.device == 2
    reference = trtnet.define(lenet(), weights=random_weights(lenet()), dtype="float16").reference()
    calls: list[int] = []

    class Engine:
        inputs, outputs = model.function.inputs, model.function.outputs

        def __call__(self, image: Any) -> Any:
            calls.append(len(image))
            if len(image) > 32:
                raise InputError("too many")
            return reference(image=image)

    model.function, model.called, model.reference = Engine(), calls, reference
    yield model


class Request(dict[str, Any]):
    """Arrays by name; the response that was sent."""

    def get_response_sender(self) -> Request:
        return self

    def send(self, response: Any, flags: int) -> None:
        assert flags == 1 and not hasattr(self, "response")
        self.response = response


def answers(model: Any, images: list[np.ndarray]) -> list[Any]:
    """The responses to requests that come at once."""
    requests = [Request(image=image) for image in images]
    assert model.execute(requests) is None
    model.finalize()
    return [request.response for request in requests]


def test_requests_are_one_batch_and_get_their_own_rows(served: Any) -> None:
    images = [np.random.default_rng(n).random((n, 1, 28, 28)).astype(np.float16) for n in (1, 3, 2)]
    responses = answers(served, images)
    assert served.called == [6]
    for image, response in zip(images, responses, strict=True):
        assert response.error is None and response.outputs["output"].shape == (len(image), 10)
        assert relative_l2(response.outputs["output"], served.reference(image)) < 2e-3


def test_a_model_without_batches_answers_one_after_another(served: Any) -> None:
    served.batched = False
    images = [np.ones((n, 1, 28, 28), np.float16) for n in (2, 3)]
    responses = answers(served, images)
    assert served.called == [2, 3] and [len(r.outputs["output"]) for r in responses] == [2, 3]


def test_requests_that_fail_together_have_their_own_answers(served: Any) -> None:
    images = [np.ones((n, 1, 28, 28), np.float16) for n in (20, 33, 2)]
    responses = answers(served, images)
    assert served.called == [55, 20, 33, 2] and [response.error for response in responses] == [None, "too many", None]
    assert [len(response.outputs.get("output", ())) for response in responses] == [20, 0, 2]


def test_values_that_the_model_does_not_take_fail_only_their_request(served: Any) -> None:
    engine = served.function

    class Looking:
        inputs, outputs = engine.inputs, engine.outputs

        def __call__(self, image: Any) -> Any:
            if (image > 1).any():
                raise IndexError("index 2 is out of range")
            return engine(image)

    served.function = Looking()
    responses = answers(served, [np.full((2, 1, 28, 28), value, np.float16) for value in (1, 2, 0)])
    assert [each.error for each in responses] == [None, "IndexError: index 2 is out of range", None]
    assert [len(each.outputs.get("output", ())) for each in responses] == [2, 0, 2]


@pytest.mark.parametrize(
    ("given", "gave"),
    [("None", "not a dict but NoneType"), ("{'a': x}", "a"), ("{'y': x}", "float32, the model takes int64")],
)
def test_a_step_that_gives_something_else_says_what(
    given: str, gave: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SimpleNamespace(
        get_input_tensor_by_name=lambda request, name: ServersTensor(request[name]),
        triton_string_to_numpy={"TYPE_INT64": np.int64}.get, InferenceResponse=Response, TritonError=str,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", server)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/function.py").write_text(f"def f(x): return {given}\n")
    (tmp_path / "1/step.json").write_text(json.dumps({"function": "f", "inputs": ["x"], "outputs": ["y"]}))
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile(template("python_step.py"), "model.py", "exec"), namespace)
    step, output = namespace["TritonPythonModel"](), {"name": "y", "data_type": "TYPE_INT64"}
    step.initialize({
        "model_repository": str(tmp_path), "model_version": "1", "model_name": "s",
        "model_config": json.dumps({"output": [output]}),
    })  # fmt: skip
    (response,) = step.execute([{"x": np.ones(2, np.float32)}])
    assert response.error.startswith("TypeError") and response.error.endswith(gave)
    assert "dict" not in gave or "f is to give y" in response.error


def test_whatever_the_model_raises_every_request_has_an_answer(served: Any) -> None:
    served.function = SimpleNamespace(inputs=served.function.inputs, outputs=served.function.outputs)
    images = [np.ones((2, 1, 28, 28), np.float16)] * 2
    assert [response.error.split(":")[0] for response in answers(served, images)] == ["TypeError"] * 2


def test_an_engine_has_three_batches_at_a_time(served: Any) -> None:
    inside, go = threading.Semaphore(0), threading.Event()

    class Slow:
        inputs, outputs = served.function.inputs, served.function.outputs

        def __call__(self, image: Any) -> Any:
            inside.release()
            assert go.wait(10)
            return np.zeros((len(image), 10), np.float16)

    served.function = Slow()
    requests = [Request(image=np.ones((1, 1, 28, 28), np.float16)) for _ in range(4)]
    for request in requests[:3]:
        served.execute([request])
        assert inside.acquire(timeout=10)
    fourth = threading.Thread(target=served.execute, args=([requests[3]],))
    fourth.start()
    assert not inside.acquire(timeout=0.05) and fourth.is_alive(), "it waits, while the server gathers the next batch"
    go.set()
    fourth.join()
    served.finalize()
    assert [request.response.outputs["output"].shape for request in requests] == [(1, 10)] * 4


# versions
def test_a_version_appears_whole_and_is_never_changed(engine: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repo"
    assert [write(engine, repository, "m", Serving(versions=2), python=True).version for _ in range(3)] == [1, 2, 3]
    assert "num_versions: 2" in (repository / "m/config.pbtxt").read_text()
    with pytest.raises(PlanError, match="has a version 2, which is never changed"):
        write(engine, repository, "m", Serving(version=2), python=True)
    with pytest.raises(PlanError, match=r"other tensors or another max_batch_size.*Choose another --name"):
        write(engine, repository, "m", Serving(max_batch_size=8), python=True)
    assert sorted(path.name for path in (repository / "m").iterdir()) == ["1", "2", "3", "config.pbtxt"]
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_nothing_is_left_of_a_version_that_cannot_be_written(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full)
        with pytest.raises(PlanError, match="No space left on device"):
            write(engine, tmp_path / "repo", "m", python=True)
    assert list((tmp_path / "repo").iterdir()) == [] and [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_python_writes_nothing_beside_a_version_that_it_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    place(tmp_path, Version("m", "", {"model.py": b"def f(): return 3\n"}))
    there = sorted(tmp_path.rglob("*"))
    spec = importlib.util.spec_from_file_location("model_of_m", tmp_path / "m/1/model.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    assert module.f() == 3 and module.f.__code__.co_filename == str(tmp_path / "m/1/model.py")
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EACCES, errno.EROFS])
def test_a_repository_that_is_a_mount_gets_whole_versions_too(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    rename, repository = Path.rename, tmp_path / "repo"

    def inside_only(self: Path, target: Path) -> Path:
        if not self.is_relative_to(repository):
            raise OSError(reason, os.strerror(reason), str(self), None, str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", inside_only)
    assert [write(engine, repository, "m", python=True).version for _ in range(2)] == [1, 2]
    assert [path.name for path in repository.iterdir()] == ["m"] and [path.name for path in tmp_path.iterdir()] == [
        "repo"
    ]
    assert (repository / "m/2/model.plan").read_bytes() == engine.read_bytes()


def test_a_configuration_of_others_is_not_written_over(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/config.pbtxt").write_bytes(b'platform: "onnxruntime_onnx"\n# caf\xe9\n')
    was = (tmp_path / "m/config.pbtxt").read_bytes()
    with pytest.raises(PlanError, match=r"m has a model with other tensors"):
        write(engine, tmp_path, "m", python=True)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["config.pbtxt"]
    assert (tmp_path / "m/config.pbtxt").read_bytes() == was


def test_several_gpus_warm_up_and_a_cache() -> None:
    found = parsed(info(), Serving(gpus=(0, 3), instances=2, warmup=True, cache=True, versions=4))
    (group,) = found.instance_group
    assert (group.count, list(group.gpus)) == (2, [0, 3]) and found.response_cache.enable
    assert [each.batch_size for each in found.model_warmup] == [4, 32]
    image, ids = (found.model_warmup[1].inputs[name] for name in ("image", "ids"))
    assert list(image.dims) == [3, 8, 8] and list(ids.dims) == [1] and image.zero_data
    assert found.version_policy.latest.num_versions == 4
    whole = parsed(info(), Serving(max_batch_size=0, warmup=True)).model_warmup[0]
    assert whole.batch_size == 0 and list(whole.inputs["image"].dims) == [4, 3, 8, 8]


# models on the CPU reference
def test_a_model_is_named_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    choices = Choices(dims=["batch=1:2:8", "length=1:4:16"], arguments=["factor=3"])
    made = served_by("mine.py:Sum", choices, python=True)
    publish(made, tmp_path / "repo", "sum", Serving(warmup=True))
    text = (tmp_path / "repo/sum/config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert config.max_batch_size == 8 and [list(each.dims) for each in (*config.input, *config.output)] == [[-1]] * 3
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU
    monkeypatch.chdir("/")
    a, b = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)
    np.testing.assert_array_equal(open_model(tmp_path / "repo/sum/1", 0)(a, b), np.full((2, 3), 9))
    with pytest.raises(PlanError, match="which the CPU reference runs in Triton's python backend: --python"):
        served_by(f"{tmp_path}/mine.py:Sum", choices, python=False)
    with pytest.raises(ProfileError, match=r"give the range of length.*--dim length=1:8:32"):
        served_by(f"{tmp_path}/mine.py:Sum", replace(choices, dims=["batch=1:2:8"]), python=True)


MODEL = """from trtnet import Input, nn
class Sum(nn.Module):
    inputs = {"a": Input(("batch", "length")), "b": Input(("batch", "length"))}
    def __init__(self, factor): self.factor = factor
    def forward(self, a, b): return (a + b) * self.factor
"""


# ensembles
def test_an_ensemble_connects_functions_and_the_model(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("def before(pixels): ...\ndef after(output): ...\n")
    before = Step(f"{tmp_path}/steps.py:before", {"pixels": trtnet.Input(("batch", 28, 28), "uint8")})
    after = Step(f"{tmp_path}/steps.py:after", {"digit": trtnet.Input(("batch",), "int64")})
    made = write_ensemble(of_engine(engine, python=True), tmp_path / "repo", "lenet", Serving(), before, after)
    assert made.version == 1 and made.max_batch_size == 32
    texts = {path.parent.name: path.read_text() for path in (tmp_path / "repo").glob("*/config.pbtxt")}
    assert sorted(texts) == ["lenet", "lenet_after", "lenet_before", "lenet_model"]
    found = {name: text_format.Parse(text, model_config_pb2.ModelConfig()) for name, text in texts.items()}
    ensemble = found["lenet"]
    steps = ensemble.ensemble_scheduling.step
    assert [(step.model_name, dict(step.input_map), dict(step.output_map)) for step in steps] == [
        ("lenet_before", {"pixels": "pixels"}, {"image": "lenet_before.image"}),
        ("lenet_model", {"image": "lenet_before.image"}, {"output": "lenet_model.output"}),
        ("lenet_after", {"output": "lenet_model.output"}, {"digit": "digit"}),
    ]  # fmt: skip
    assert list(ensemble.input[0].dims) == [28, 28] and list(ensemble.output[0].dims) == [1]
    assert not ensemble.output[0].HasField("reshape") and found["lenet_after"].output[0].HasField("reshape")
    assert (tmp_path / "repo/lenet_before/1/function.py").read_text().startswith("def before")
    with pytest.raises(ModelError, match=r"say what it takes: --takes NAME=batch,SIZES:dtype"):
        write_ensemble(
            of_engine(engine, python=True), tmp_path / "r", "m", Serving(), replace(before, tensors={}), None
        )
    with pytest.raises(ModelError, match=r"bfloat16 excepted"):
        Step("f.py:f", {"x": trtnet.Input(("batch",), "bfloat16")}).infos  # noqa: B018


def test_nothing_is_written_of_an_ensemble_of_which_a_part_cannot_be(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("def after(output): ...\n")
    after = Step(f"{tmp_path}/steps.py:after", {"digit": trtnet.Input(("batch",), "int64")})
    of_lenet, repository = of_engine(engine, python=True), tmp_path / "repo"
    write_ensemble(of_lenet, repository, "m", Serving(), None, after)
    other = replace(after, tensors={"number": trtnet.Input(("batch",), "int64")})
    with pytest.raises(PlanError, match=r"m_after has a model with other tensors"):
        write_ensemble(of_lenet, repository, "m", Serving(), None, other)
    assert sorted(str(path.relative_to(repository)) for path in repository.glob("*/[0-9]*")) == [
        "m/1", "m_after/1", "m_model/1",
    ]  # fmt: skip


# the command
def test_the_command(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("def after(output): ...\n")
    options = ["--name", "lenet", "--python", "--max-batch-size", "8", "--json", "-"]
    run = CliRunner().invoke
    found = json.loads(run(app, ["export", "triton", str(engine), "-o", str(tmp_path / "r"), *options]).stdout)
    assert found["max_batch_size"] == 8 and str(sidecar_path(tmp_path / "r/lenet/1/model.plan")) in found["files"]
    around = ["--after", f"{tmp_path}/steps.py:after", "--gives", "digit=batch:int64"]
    found = json.loads(run(app, ["export", "triton", str(engine), "-o", str(tmp_path / "e"), *around, *options]).stdout)
    assert {path.name for path in (tmp_path / "e").iterdir()} == {"lenet", "lenet_model", "lenet_after"}
