"""The two networks of Whisper whole: from sound to the logits of transformers' model, with caches; and they build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.whispers import SIZES, around, features, original, sound

import trtnet
from trtnet import models
from trtnet.models.whisper_text import loudest, mel_filters
from trtnet.weights import rules


def networks(dtype: str, **changes: int) -> tuple[Any, Any]:
    weights = rules("whisper_text").apply(original())
    kept = {"": dtype, "features": "float32"}
    return (
        trtnet.define(models.whisper_encoder(**{**SIZES, **changes}), weights=weights, strict=False, dtype=kept),
        trtnet.define(models.whisper_decoder(**{**SIZES, **changes}), weights=weights, strict=False, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_from_sound_to_logits_with_caches(dtype: str) -> None:
    encoder, decoder = (network.reference() for network in networks(dtype))
    samples = np.stack([sound(1), sound(2)])
    ids = np.random.default_rng(0).integers(0, 60, (2, 7))
    with torch.inference_mode():
        wanted = original()(features(samples), decoder_input_ids=torch.from_numpy(ids)).logits.numpy()
    whole = np.full(2, samples.shape[1], np.int32)
    heard = dict(encoder(samples=around(samples), length=whole, loudest=np.full(2, -10, np.float32)))
    caches = {i.name: np.zeros((2, *i.shape[1:]), dtype) for i in decoder.inputs if i.name.startswith(("key", "value"))}
    limit = {"float32": 2e-5, "float16": 1e-2}[dtype]
    for begin, end in ((0, 5), (5, 6), (6, 7)):
        places = np.tile(np.arange(end - begin), (2, 1))
        found = decoder(
            input_ids=ids[:, begin:end], write_indices=np.full(2, begin, np.int32), places=places, **caches, **heard
        )
        caches = {name: found[f"new_{name}"] for name in caches}
        assert relative_l2(found["logits"], wanted[:, begin:end]) <= limit
        assert found["logits"].dtype == np.float32


def test_the_networks_build_for_several_texts() -> None:
    encoder, decoder = networks("float16", encoder_layers=1, decoder_layers=1)
    encoder.build({"batch": 1})
    prompts = {"batch": 1, "length": (1, 4, 16), "count": (1, 2, 2)}
    plan = decoder.build([prompts, {"batch": (1, 5, 5), "length": 1, "count": 1}]).plan
    assert len(plan.info.profiles) == 2


@pytest.mark.parametrize("mels", [80, 128])  # the latter of large-v3
def test_features_after_the_sound_are_zero_and_quiet_parts_are_measured_by_the_loudest(mels: int) -> None:
    class Features(trtnet.nn.Module):
        inputs = models.whisper_encoder(**SIZES).inputs

        def __init__(self) -> None:
            self.features = models.whisper_encoder(**SIZES, num_mel_bins=mels).features

        def forward(self, samples: Any, length: Any, loudest: Any) -> Any:
            return self.features(samples, length, loudest)

    samples = sound(3)
    reference = trtnet.define(Features(), weights={}).reference()
    own = np.array([-10], np.float32)
    found = reference(around(samples[None]), np.array([len(samples)], np.int32), own)
    assert relative_l2(found, features(samples[None], mels).numpy()) <= 1e-5
    short = reference(around(samples[None]), np.array([16000], np.int32), own)
    np.testing.assert_array_equal(short[..., :100], found[..., :100])
    assert not short[..., 100:].any()
    most = loudest(samples, mels)
    assert abs(float(found.max()) - (most + 4) / 4) <= 1e-5
    lifted = reference(around(samples[None]), np.array([len(samples)], np.int32), np.array([most + 7], np.float32))
    assert abs(float(lifted.min()) - (most - 1 + 4) / 4) <= 1e-5


@pytest.mark.parametrize("count", [80, 128])
def test_mel_filters_are_transformers(count: int) -> None:
    from transformers.audio_utils import mel_filter_bank

    wanted = mel_filter_bank(201, count, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filters(count), wanted.T, atol=1e-7)
