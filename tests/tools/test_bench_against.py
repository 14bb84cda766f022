"""Other tools beside an engine: what of it needs no GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers import originals
from helpers.comparing import network_of, random_weights
from helpers.runtime.engines import engine_of, x

import trtnet
from trtnet import models
from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import DependencyError, InputError, ModelError, TrtnetError
from trtnet.tools.bench.feeds import RandomWeights
from trtnet.tools.bench.other_tools import against
from trtnet.tools.bench.other_tools.onnx_route import onnx_engine
from trtnet.tools.bench.other_tools.originals import original
from trtnet.tools.bench.other_tools.routes import routes
from trtnet.tools.bench.target import Choices, open_target


def test_routes_are_timed_in_turns() -> None:
    order: list[str] = []

    def timer(call: Any, count: int) -> list[float]:
        call()
        return [float(len(order))] * count

    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    assert against.in_turns(calls, 3, 2, timer) == {"a": [1, 1, 3, 3, 5, 5], "b": [2, 2, 4, 4, 6, 6]}
    assert "".join(order) == "ababab"


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: (t, 1), lambda t: {"logits": t, "z": 0}, lambda t: [(t,)]])
def test_the_first_tensor_of_a_torch_modules_output(wrap: Any) -> None:
    tensor = torch.ones(2)
    assert against.first_tensor(wrap(tensor)) is tensor


def test_distances() -> None:
    assert against.relative_l2(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.0])) == 0
    assert against.relative_l2(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])) == pytest.approx(0.2)
    assert against.relative_l2(torch.ones(2), torch.ones(3)) == float("inf")


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 4)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.fc(a + b)


def test_the_onnx_route_builds_an_engine_of_the_same_shapes() -> None:
    made = onnx_engine(Small().half().eval(), [torch.ones(2, 3).half(), torch.ones(1, 3).half()])
    assert [info.shape for info in made.inputs] == [(2, 3), (1, 3)] and made.inputs[0].dtype == "float16"
    assert made.info.flops == (2 * 3 + 2 * 2 * 3 * 4 + 2 * 4,) and made.info.dtype == "float16"
    assert [tuple(ranges[1]) for ranges in made.info.profiles[0].values()] == [(2, 3), (1, 3)]
    assert made.outputs[0].shape == (2, 4) and len(made.plan.data) > 1000


def test_an_onnx_file_is_built_at_the_sizes_given(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
    a, b, c = (onnx.helper.make_tensor_value_info(name, 10, ["n", 3]) for name in "abc")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "sum", [a, b], [c]))
    model.ir_version = 10
    onnx.save(model, tmp_path / "sum.onnx")
    made = open_target(str(tmp_path / "sum.onnx"), Choices(dims=["n=5"]), object).engine.info
    assert made.profiles == ({"a": (((5, 3),) * 3), "b": (((5, 3),) * 3)},)
    assert (made.flops, made.dtype, made.model) == ((15,), "float16", "sum")
    assert open_target(str(tmp_path / "sum.onnx"), Choices(), object).engine.info.profiles[0]["a"][1] == (1, 3)
    with pytest.raises(ModelError, match=r"--dim m: .*sum\.onnx has the dynamic dimensions n"):
        open_target(str(tmp_path / "sum.onnx"), Choices(dims=["m=5"]), object)


def test_what_torch_does_not_export_is_named() -> None:
    class Broken(torch.nn.Module):
        def forward(self, a: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no way")

    with pytest.raises(TrtnetError, match=r"torch\.onnx\.export failed"):
        onnx_engine(Broken(), [torch.ones(1)])


def test_an_engines_calls_are_cuda_graphs_into_the_same_outputs() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    call = against.engine_call(engine, {"x": opener.torch.tensor(x())})
    first = call()
    assert call() is first and len(opener.device.graphs[0].launches) >= 2
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal(first.values, x() * 2 + 1)


def test_an_engine_without_graphs_is_not_compared() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    opener.device.refuses_capture = "not today"
    with pytest.raises(TrtnetError, match="do not run as CUDA graphs: not today"):
        against.engine_call(engine, {"x": opener.torch.tensor(x())})


def test_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the comparison but the GPU: engines are their references, times are given."""
    torch.manual_seed(0)
    model = Small().eval()
    network = network_of(lambda a, b: (a + b) * 2, {"a": trtnet.Input((2, 3)), "b": trtnet.Input((1, 3))})
    engine = network.build()
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    monkeypatch.setattr(against, "torch_times", lambda call, count: [float(call().numel())] * count)

    def reference(made: trtnet.Engine, tensors: dict[str, torch.Tensor]) -> against.Call:
        right = model(*tensors.values())
        return lambda: right[:, :2] if made is engine else right * 1.5

    monkeypatch.setattr(against, "engine_call", reference)
    tensors = {"a": torch.ones(2, 3), "b": torch.ones(1, 3)}
    found = against.compare(engine, model, tensors, ["onnx", "torch"], rounds=2, count=3)
    assert [rival.route for rival in found] == ["torch", "onnx", "trtnet"]
    assert [rival.times.median for rival in found] == [8, 8, 4]
    assert [rival.difference for rival in found] == [0, pytest.approx(0.5), float("inf")]


def test_routes_by_name() -> None:
    assert routes("torch,onnx") == ("torch", "onnx")
    with pytest.raises(InputError, match="--against takes torch, compile, onnx; found 'tvm'"):
        routes("torch,tvm")


def test_torchvisions_original_with_the_checkpoints_weights(tmp_path: Path) -> None:
    originals.import_torchvision()
    weights = RandomWeights(models.resnet18(), "float16")
    model = original(None, "resnet18", weights, "float16")
    assert not model.training and model.conv1.weight.dtype == torch.float16
    np.testing.assert_array_equal(model.layer1[0].bn1.running_var.numpy(), weights["layer1.0.bn1.running_var"])
    with pytest.raises(ModelError, match="torchvision has no lenet: give its PyTorch original with"):
        original(None, "lenet", None, "float32")
    with pytest.raises(ModelError, match=r"other weights than torchvision's ResNet: conv1\.weight"):
        original(None, "resnet18", open_checkpoint({"x": np.ones(1)}), "float32")


def test_an_original_of_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import torch\ndef net(): return torch.nn.Linear(2, 3)\ndef wrong(): return 3\n")
    assert original(f"{file}:net", "", None, "bfloat16").weight.dtype == torch.bfloat16
    with pytest.raises(ModelError, match=r"wrong returned int, not a torch\.nn\.Module"):
        original(f"{file}:wrong", "", None, "float32")


def test_a_model_of_torch_is_its_own_original_and_stays_as_it_is() -> None:
    module = torch.nn.Linear(2, 3)
    other = {"weight": np.ones((3, 2), np.float32), "bias": np.zeros(3, np.float32)}
    found = original(None, "net.py:net", open_checkpoint(other), "float16", module)
    assert found.weight.dtype == torch.float16 and bool((found.weight == 1).all())
    assert module.weight.dtype == torch.float32 and not bool((module.weight == 1).all())
    assert torch.equal(original(None, "net.py:net", None, "float32", module).weight, module.weight)


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match=r"trtnet\[torch\]"):
        original(None, "resnet18", None, "float32")


def test_random_weights_are_the_same_each_time_and_keep_activations_near_1() -> None:
    model = models.lenet()
    first, second = RandomWeights(model, "float32"), RandomWeights(model, "float32")
    assert first.digest() == second.digest() and set(first) == set(random_weights(model))
    image = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    output = trtnet.define(model, weights=first).reference()(image)
    assert 0.05 < float(np.std(output)) < 20


def test_a_model_is_built_at_one_size_or_a_range_and_a_plan_is_loaded(tmp_path: Path) -> None:
    assert open_target("lenet", Choices(), object).engine.info.profiles[0]["image"] == (((1, 1, 28, 28),) * 3)
    made = open_target("lenet", Choices(dtype="float16", dims=["batch=1:4:8"]), object)
    assert [shape[0] for shape in made.engine.info.profiles[0]["image"]] == [1, 4, 8]
    assert made.engine.info.dtype == "float16" and made.name == "lenet" and made.sizes == {}
    made.engine.save(tmp_path / "l.engine")
    loaded = open_target(str(tmp_path / "l.engine"), Choices(dims=["batch=2"]))
    assert loaded.sizes == {"batch": 2} and loaded.name == "lenet" and loaded.checkpoint is None
    with pytest.raises(ModelError, match="--dim batch: it is measured at one size"):
        open_target(str(tmp_path / "l.engine"), Choices(dims=["batch=1:2:3"]))
    with pytest.raises(ModelError, match=r"l\.engine is not a model, so it takes no --dtype"):
        open_target(str(tmp_path / "l.engine"), Choices(dtype="float16"))
    with pytest.raises(ModelError, match="--dim width: no input has this dimension"):
        open_target("lenet", Choices(dims=["width=2"]), object)
