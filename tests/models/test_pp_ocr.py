"""PP-OCRv6's networks equal their architecture in torch, and build; its ONNX files are read in their order of use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.pp_ocrs import IMAGES, PAGES, TEXTS, both, run
from onnx import helper, numpy_helper

import trtnet
from trtnet import CheckpointError, models
from trtnet.weights import pp_ocr
from trtnet.weights.packaged import PACKAGED


def assert_detects(found: torch.Tensor, wanted: torch.Tensor, within: float) -> None:
    """Compares logits."""
    assert found.shape == (2, 64, 96)
    assert relative_l2(torch.logit(found.float()), torch.logit(wanted)) <= within


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_detector(dtype: str) -> None:
    ours, original = both("detector")
    network = trtnet.define(ours, weights=original, dtype=dtype)
    found = network.reference()(PAGES.to(getattr(torch, dtype)))
    assert_detects(found, run(original, PAGES), {"float32": 1e-5, "float16": 2e-2}[dtype])
    network.build({"batch": (1, 1, 2), "height": (64, 64, 96), "width": (64, 96, 96)})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_recognizer(dtype: str) -> None:
    ours, original = both("recognizer")
    network = trtnet.define(ours, weights=original, dtype=dtype)
    found = network.reference()(TEXTS.to(getattr(torch, dtype)))
    wanted = run(original, TEXTS).softmax(-1).max(-1)
    assert relative_l2(found["scores"], wanted.values) <= {"float32": 1e-5, "float16": 1e-2}[dtype]
    if dtype == "float32":
        for row, likely in zip(found["characters"].tolist(), wanted.indices.tolist(), strict=True):
            assert row == [c if i == 0 or c != likely[i - 1] else 0 for i, c in enumerate(likely)]
        assert len({*wanted.indices.flatten().tolist()}) > 1
    network.build({"batch": (1, 1, 2), "width": (64, 64, 128)})


def weights_in_turn(original: torch.nn.Module, image: torch.Tensor) -> Iterator[tuple[str, np.ndarray]]:
    """What Paddle's exporter writes: each module's weights when it is first called, and no names of modules."""
    called: list[torch.nn.Module] = []
    leaves = [module for module in original.modules() if [*module.parameters(recurse=False)]]
    hooks = [m.register_forward_pre_hook(lambda m, _: called.append(m) if m not in called else None) for m in leaves]
    run(original, image)
    for hook in hooks:
        hook.remove()
    assert len(called) == len(leaves)
    for i, module in enumerate(called):
        state = {key: value.numpy() for key, value in module.state_dict().items() if value.ndim}
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            transposed = isinstance(module, torch.nn.ConvTranspose2d)
            weight = f"auto.cast.9{5 if module.out_channels > 1 else 8}" if transposed else f"conv2d_{i}.w_0"
            yield weight, state["weight"]
            if "bias" in state:
                yield f"p2o.pd_op.reshape.{i}.0", state["bias"].reshape(1, -1, 1, 1)
        elif isinstance(module, torch.nn.Linear):
            yield from ((f"linear_{i}.w_0", state["weight"].T), (f"linear_{i}.b_0", state["bias"]))
        elif isinstance(module, torch.nn.LayerNorm):
            yield from ((f"helper.reshape.{i}", state["weight"]), (f"helper.reshape.{i}.b", state["bias"]))
        else:
            names = ("weight", "bias", "running_mean", "running_var")
            yield from ((f"batch_norm2d_{i}.{n}", state[name]) for n, name in enumerate(names))
        yield f"helper.constant.{i}", np.float32([i])


def onnx_file(path: Path, weights: Iterator[tuple[str, np.ndarray]], **metadata: str) -> Path:
    tensors = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in weights]
    model = helper.make_model(helper.make_graph([], "g", [], [], tensors))
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", IMAGES)
def test_weights_of_a_file_get_the_names_of_what_uses_them(kind: str, tmp_path: Path) -> None:
    ours, original = both(kind)
    path = onnx_file(tmp_path / "a.onnx", weights_in_turn(original, IMAGES[kind]))
    found, wanted = pp_ocr.named(path, ours), original.state_dict()
    assert set(found) == {key for key in wanted if not key.endswith("num_batches_tracked")}
    for key, array in found.items():
        np.testing.assert_array_equal(array, wanted[key], err_msg=key, strict=True)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    _, original = both("detector")
    path = onnx_file(tmp_path / "a.onnx", weights_in_turn(original, PAGES))
    with pytest.raises(CheckpointError, match="has 162 weights; Recognizer has 151"):
        pp_ocr.named(path, both("recognizer")[0])
    with pytest.raises(CheckpointError, match=r"conv2d_0.w_0 is \[4, 3, 3, 3\]; backbone.stem.stem1.conv.weight is"):
        pp_ocr.named(path, models.pp_ocr_detector())


def test_classes_are_the_blank_the_files_characters_and_the_space(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "a.onnx", iter([("w", np.zeros(1, np.float32))]), character="a\nß\n語")
    assert pp_ocr.characters(path) == ["", "a", "ß", "語", " "]


def test_the_package_has_both_files() -> None:
    assert [*PACKAGED["pp_ocr"].files] == ["PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"]
