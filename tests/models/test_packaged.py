"""Models whose weights packages bring equal torch, with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from helpers import originals
from helpers.comparing import relative_l2
from helpers.originals import randomize
from helpers.packaged import CRNN, Crepe, VoiceEncoder
from torch import nn

import trtnet
from trtnet import models
from trtnet.weights.packaged import PACKAGED


def run(model: nn.Module, *arguments: Any) -> Any:
    with torch.inference_mode():
        return model(*arguments)


def test_mobilenet_v2() -> None:
    library = originals.import_torchvision().models
    original = randomize(library.mobilenet_v2(num_classes=7, width_mult=0.25))
    network = trtnet.define(models.mobilenet_v2(num_classes=7, width_mult=0.25, image_size=64), weights=original)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert relative_l2(network.reference()(x), run(original, x)) <= 1e-5


def test_crnn_and_its_characters() -> None:
    original = randomize(CRNN(9, 8))
    network = trtnet.define(models.crnn(num_classes=9, hidden_size=8, image_width=64), weights=original)
    x = torch.randn(2, 1, 48, 64, generator=torch.Generator().manual_seed(0))
    found, wanted = network.reference()(x), run(original, x).transpose(0, 1)
    assert relative_l2(found["logits"], wanted) <= 1e-5
    for row, likely in zip(found["characters"].tolist(), wanted.argmax(-1).tolist(), strict=True):
        collapsed = [c for i, c in enumerate(likely) if c and (i == 0 or c != likely[i - 1])]
        assert [c for c in row if c] == collapsed


def test_crepe() -> None:
    original = randomize(Crepe(2))
    network = trtnet.define(models.crepe(width=2), weights=original)
    x = torch.randn(3, 1024, generator=torch.Generator().manual_seed(0))
    found, wanted = network.reference()(x), run(original, x)
    assert relative_l2(found["probabilities"], wanted) <= 1e-5
    best = wanted.argmax(1)
    frequencies = 10 * 2 ** ((20 * best + 1997.3794084376191) / 1200)
    np.testing.assert_allclose(found["frequency"].numpy(), frequencies.numpy(), rtol=1e-5)
    np.testing.assert_allclose(found["periodicity"].numpy(), wanted.amax(1).numpy(), rtol=1e-4)


def test_silence_in_float16_is_no_nan() -> None:
    original = randomize(Crepe(2))
    frames = torch.zeros(1, 1024)
    wanted = trtnet.define(models.crepe(width=2), weights=original).reference()(frames)
    found = trtnet.define(models.crepe(width=2), weights=original, dtype="float16").reference()(frames.half())
    assert relative_l2(found["probabilities"], wanted["probabilities"]) <= 1e-2


def test_voice_encoder() -> None:
    originals.import_torchvision()  # before transformers
    original = randomize(VoiceEncoder(8))
    network = trtnet.define(models.voice_encoder(model_hidden_size=8, model_num_layers=2, frames=20), weights=original)
    x = torch.randn(2, 3200, generator=torch.Generator().manual_seed(0))
    assert relative_l2(network.reference()(x), run(original, x)) <= 1e-5


def test_the_voice_encoder_in_float16_computes_its_features_in_float32() -> None:
    original = randomize(VoiceEncoder(8))
    ours = models.voice_encoder(model_hidden_size=8, model_num_layers=2, frames=20)
    x = 4 * torch.sin(torch.arange(3200) / 6)[None]  # whose power is beyond the numbers of float16
    wanted = trtnet.define(ours, weights=original).reference()(x)
    found = trtnet.define(ours, weights=original, dtype="float16").reference()(x.half())
    assert relative_l2(found, wanted) <= 1e-2


def test_the_files_of_packages_are_named_once() -> None:
    for packaged in PACKAGED.values():
        assert all(len(sha256) == 64 for sha256 in packaged.files.values())
        assert len({name.rpartition("/")[2] for name in packaged.files}) == len(packaged.files)
