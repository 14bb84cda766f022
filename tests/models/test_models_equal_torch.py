"""Every model of the zoo equals its published PyTorch original, through the reference executor, and builds."""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2
from helpers.originals import randomize

import trtnet
from trtnet import models

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
MODELS: dict[str, tuple[Callable[[], Any], Callable[[], torch.nn.Module]]] = {
    "lenet": (models.lenet, originals.LeNet),
    "unet": (models.unet, originals.UNet),
    "unet_softmax": (
        lambda: models.unet(softmax=True),
        lambda: torch.nn.Sequential(originals.UNet(), torch.nn.Softmax(1)),
    ),
    "efficientnet_lite0": (models.efficientnet_lite0, originals.efficientnet_lite0),
    **{name: (getattr(models, name), lambda name=name: originals.resnet(name)) for name in RESNETS},
}


def state_dict(original: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Without the prefix a wrapping Sequential adds."""
    return {key.removeprefix("0."): value for key, value in original.state_dict().items()}


SMALLER = {"resnet34": 96, "resnet101": 96, "resnet152": 96, "unet_softmax": 64}
"""Height and width of images for models of which others have the same kinds of layers at the published size."""


def inputs(name: str, model: trtnet.nn.Module) -> dict[str, trtnet.Input]:
    ((key, spec),) = model.inputs.items()
    pixels = SMALLER.get(name)
    return {key: trtnet.Input((*spec.shape[:2], pixels, pixels)) if pixels else spec}


def image(declared: dict[str, trtnet.Input], batch: int) -> torch.Tensor:
    (spec,) = declared.values()
    return torch.randn(batch, *spec.shape[1:], generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize("name", MODELS)
def test_float32_equals_the_original_at_two_batch_sizes_and_builds(name: str) -> None:
    ours, original = MODELS[name][0](), randomize(MODELS[name][1]())
    declared = inputs(name, ours)
    network = trtnet.define(ours, declared, state_dict(original))
    reference = network.reference()
    for batch in (1, 3):
        x = image(declared, batch)
        with torch.inference_mode():
            wanted = original(x)
        assert relative_l2(reference(x), wanted) <= 1e-5
    plan = network.build({"batch": (1, 2, 4)}).plan
    assert plan.info.inputs[0].shape[0] == "batch"
    assert len(plan.data) > 0.9 * 4 * sum(p.numel() for p in original.parameters())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["lenet", "unet_softmax", "resnet18", "efficientnet_lite0"])
def test_half_precision_stays_close_and_builds(name: str, dtype: str) -> None:
    ours, original = MODELS[name][0](), randomize(MODELS[name][1]())
    declared = inputs(name, ours)
    network = trtnet.define(ours, declared, state_dict(original), dtype=dtype)
    x = image(declared, 2)
    with torch.inference_mode():
        wanted = original(x)
    found = network.reference()(x.to(getattr(torch, dtype)))
    assert found.dtype == getattr(torch, dtype)
    assert relative_l2(found, wanted) <= {"float16": 1e-2, "bfloat16": 6e-2}[dtype]
    network.build({"batch": (1, 2, 4)})


LIMITS = {"lenet": 25, "unet": 65, "resnet": 90, "efficientnet_lite": 90}
LIMITS |= {"vit": 120, "llama": 150, "qwen2": 120, "bert": 100, "gpt2": 100, "silero_vad": 60}
LIMITS |= {"stable_diffusion_unet": 175, "diffusion_layers": 75, "denoising": 80, "vae_decoder": 75}


@pytest.mark.parametrize("name", LIMITS)
def test_a_model_file_is_as_short_as_promised(name: str) -> None:
    assert code_lines(name) <= LIMITS[name]


def code_lines(name: str) -> int:
    """Lines of a model file without blank lines, comments and docstrings."""
    source = Path(str(import_module(f"trtnet.models.{name}").__file__)).read_text()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [n.body[0] for n in ast.walk(ast.parse(source)) if isinstance(n, documented) and ast.get_docstring(n)]
    skipped = {line for doc in docs for line in range(doc.lineno, doc.end_lineno + 1)}
    lines = enumerate(source.splitlines(), start=1)
    return sum(1 for i, line in lines if line.strip() and not line.strip().startswith("#") and i not in skipped)


def test_a_unet_takes_images_of_odd_sides() -> None:
    original = randomize(originals.UNet())
    x = torch.randn(1, 2, 23, 33, generator=torch.Generator().manual_seed(0))
    network = trtnet.define(models.unet(), {"image": trtnet.Input((1, 2, 23, 33))}, original)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), original(x)) <= 1e-5


def test_dynamic_height_and_width() -> None:
    original = randomize(originals.resnet("resnet18"))
    spec = {"image": trtnet.Input(("batch", 3, "height", "width"))}
    reference = trtnet.define(models.resnet18(), spec, original).reference()
    for height, width in ((64, 96), (97, 130)):
        x = torch.randn(2, 3, height, width)
        with torch.inference_mode():
            assert relative_l2(reference(x), original(x)) <= 1e-5


def test_numpy_in_numpy_out() -> None:
    original = randomize(originals.LeNet())
    x = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    found = trtnet.define(models.lenet(), weights=original).reference()(x)
    assert isinstance(found, np.ndarray)
    assert relative_l2(found, original(torch.from_numpy(x)).detach().numpy()) <= 1e-5
