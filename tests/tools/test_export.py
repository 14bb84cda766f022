"""`trtnet export`: polygraphy takes the script, Triton's protobuf definition takes the configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from helpers.comparing import random_weights, relative_l2
from safetensors.numpy import save_file
from tritonclient.grpc import model_config_pb2
from typer.testing import CliRunner

import trtnet
from trtnet.builder import Plan, PlanInfo
from trtnet.builder.plan import sidecar_path
from trtnet.cli.main import app
from trtnet.models import lenet
from trtnet.reference import Reference
from trtnet.support import backend, dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, PlanError, WeightsError
from trtnet.tools.export import polygraphy, triton
from trtnet.tools.export.triton import Serving, config
from trtnet.tools.targets.networks import Choices

RTX = backend.name() == "tensorrt_rtx"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "lenet.safetensors"
    save_file(random_weights(lenet()), path)
    return str(path)


# polygraphy
def test_polygraphy_builds_the_script(weights: str, tmp_path: Path) -> None:
    choices = Choices(weights, "bfloat16", ["batch=1:2:4"])
    script = polygraphy.write("lenet", choices, tmp_path / "load it.py")
    (command,) = [line for line in script.commands if "convert" in line]
    assert "image:[1,1,28,28]" in command and "image:[4,1,28,28]" in command
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, shell=True, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "max=[4, 1, 28, 28]" in result.stdout
    assert (tmp_path / "load it.engine").stat().st_size > 100_000


def test_polygraphys_loader_gets_the_models_network(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polygraphy.backend.common import InvokeFromScript

    monkeypatch.setenv("POLYGRAPHY_USE_TENSORRT_RTX", "1" if RTX else "0")
    monkeypatch.setenv("TRTNET_BACKEND", backend.name())
    polygraphy.write("lenet", Choices(weights, dims=["batch=2"]), tmp_path / "load.py")
    builder, network, owner = InvokeFromScript(str(tmp_path / "load.py"), "load_network")()
    assert isinstance(builder, backend.trt.Builder)
    image = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    expected = trtnet.define(lenet(), weights=weights).reference()(image)
    assert relative_l2(Reference(network, owner=owner)(image), expected) == 0
    with owner:  # as `polygraphy inspect model` enters what it takes for a parser
        pass


def test_a_model_of_the_users_own_is_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from trtnet import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, width): self.fc = nn.Linear(3, width)\n"
        "    def forward(self, x): return self.fc(x)\n"
    )
    save_file(
        {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.zeros(2, np.float32)}, tmp_path / "w.safetensors"
    )
    monkeypatch.chdir(tmp_path)
    choices = Choices("w.safetensors", dims=["n=1:2:3"], arguments=["width=2"], inputs=["x=n,3:float16"])
    polygraphy.write("mine.py:Mine", choices, "sub.py")
    text = (tmp_path / "sub.py").read_text()
    assert repr(f"{tmp_path}/mine.py:Mine") in text and repr(f"{tmp_path}/w.safetensors") in text
    assert "'x': trtnet.Input(shape=('n', 3), dtype='float16'" in text and "{'width': 2}" in text


def test_nothing_is_written_for_weights_that_do_not_fit(tmp_path: Path) -> None:
    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError):
        polygraphy.write("lenet", Choices(str(tmp_path / "w.safetensors")), tmp_path / "load.py")
    assert not (tmp_path / "load.py").exists()


# Triton
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
    found = triton.write(as_of_tensorrt(engine, tmp_path), tmp_path / "repo", "lenet", Serving(version=3), python=False)
    folder = tmp_path / "repo" / "lenet"
    assert (folder / "3" / "model.plan").read_bytes() == engine.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"config.pbtxt", "3"}
    made = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert made.max_batch_size == 32 == found.max_batch_size and list(made.input[0].dims) == [1, 28, 28]
    assert any("fewer than 2 samples" in note for note in found.notes)


@pytest.mark.skipif(not RTX, reason="needs a plan of TensorRT-RTX")
def test_tensorrt_rtx_is_served_only_by_python(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="tensorrt backend loads only TensorRT's plans"):
        triton.write(engine, tmp_path, "lenet", Serving(), python=False)
    assert list(tmp_path.iterdir()) == []
    triton.write(engine, tmp_path, "lenet", Serving(), python=True)
    files = {path.name for path in (tmp_path / "lenet" / "1").iterdir()}
    assert files == {"model.plan", "model.plan.json", "model.py"}
    made = text_format.Parse((tmp_path / "lenet" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert made.backend == "python" and made.platform == "" and made.max_batch_size == 32
    assert trtnet.load(tmp_path / "lenet" / "1" / "model.plan").info == Plan.load(engine).info


def test_what_triton_cannot_serve(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="name has only letters"):
        triton.write(engine, tmp_path, "a/b", Serving(), python=True)
    plan = Plan.load(engine)
    for change, words in (
        ({"stripped": True}, "stripped of its weights"),
        ({"outputs": (TensorInfo("y", (2,), "float8_e4m3fn"),)}, "does not have this dtype"),
        ({"outputs": (TensorInfo("y", (2,), "bfloat16"),)}, "no bfloat16"),
    ):
        Plan(plan.data, replace(plan.info, **change)).save(tmp_path / "x.engine")
        with pytest.raises(PlanError, match=words):
            triton.write(tmp_path / "x.engine", tmp_path / "repo", "m", Serving(), python=True)
    assert not (tmp_path / "repo").exists()


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
        Tensor=SimpleNamespace(from_dlpack=lambda name, array: SimpleNamespace(name=name, array=np.from_dlpack(array))),
        InferenceResponse=Response, TritonError=str,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", server)
    triton.write(engine, tmp_path, "lenet", Serving(), python=True)
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile((tmp_path / "lenet" / "1" / "model.py").read_text(), "model.py", "exec"), namespace)
    model = namespace["TritonPythonModel"]()
    arguments = {
        "model_repository": str(tmp_path / "lenet"), "model_version": "1", "model_instance_device_id": "2",
    }  # fmt: skip
    model.initialize(arguments | {"model_config": json.dumps({"max_batch_size": 32})})
    assert model.engine.device == 2
    reference = trtnet.define(lenet(), weights=random_weights(lenet()), dtype="float16").reference()
    calls: list[int] = []

    class Engine:
        inputs, outputs = model.engine.inputs, model.engine.outputs

        def __call__(self, image: Any) -> Any:
            calls.append(len(image))
            if len(image) > 32:
                raise InputError("too many")
            return reference(image=image)

    model.engine, model.calls, model.reference = Engine(), calls, reference
    yield model


def test_requests_are_one_batch_and_get_their_own_rows(served: Any) -> None:
    images = [np.random.default_rng(n).random((n, 1, 28, 28)).astype(np.float16) for n in (1, 3, 2)]
    responses = served.execute([{"image": image} for image in images])
    assert served.calls == [6]
    for image, response in zip(images, responses, strict=True):
        assert response.error is None and response.outputs["output"].shape == (len(image), 10)
        assert relative_l2(response.outputs["output"], served.reference(image)) < 2e-3


def test_a_model_without_batches_answers_one_after_another(served: Any) -> None:
    served.batched = False
    images = [np.ones((n, 1, 28, 28), np.float16) for n in (2, 3)]
    responses = served.execute([{"image": image} for image in images])
    assert served.calls == [2, 3] and [len(r.outputs["output"]) for r in responses] == [2, 3]


def test_an_error_is_every_requests_answer(served: Any) -> None:
    image = np.ones((20, 1, 28, 28), np.float16)
    responses = served.execute([{"image": image}, {"image": image}])
    assert [response.error for response in responses] == ["too many"] * 2


# the commands
def test_the_commands(weights: str, engine: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    script = str(tmp_path / "load.py")
    result = run(app, ["export", "polygraphy", "lenet", "--weights", weights, "-o", script, "--json", "-"])
    assert result.exit_code == 0 and json.loads(result.stdout)["path"] == script
    options = ["--name", "lenet", "--python", "--max-batch-size", "8", "--json", "-"]
    found = json.loads(run(app, ["export", "triton", str(engine), "-o", str(tmp_path), *options]).stdout)
    assert found["max_batch_size"] == 8 and str(sidecar_path(tmp_path / "lenet/1/model.plan")) in found["files"]
