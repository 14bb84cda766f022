"""Silero VAD with carried state: equal to its architecture anywhere, and to the published file with its weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from helpers.silero import SileroVAD

import trtnet
from trtnet import models
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.weights import rules, silero_vad

STREAMS, STEPS = 8, 125


@cache
def published() -> Any:
    """The original, with its weights; skips where its file is neither there nor to be had."""
    try:
        path = silero_vad.jit()
    except CheckpointError as error:
        pytest.skip(f"Silero VAD's published file cannot be had here: {str(error).splitlines()[0]}")
    return torch.jit.load(str(path)).eval()


def sound(chunk: int) -> torch.Tensor:
    """Chunks [steps, streams, chunk] of bursts: voiced tones with overtones, noise, silence."""
    rng, rate = np.random.default_rng(0), chunk * 1000 / 32
    time = np.arange(STEPS * chunk) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 0.7 * time)) / rate
    voice = sum(np.sin(k * pitch) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 3 * time) > 0)
    loudness = rng.uniform(0.01, 0.3, (STREAMS, 1)) * np.repeat(rng.random((STREAMS, STEPS)) > 0.3, chunk, 1)
    found = voice * loudness + 0.01 * rng.standard_normal((STREAMS, STEPS * chunk))
    return torch.from_numpy(found.astype(np.float32)).reshape(STREAMS, STEPS, chunk).transpose(0, 1).contiguous()


@pytest.mark.parametrize(("rate", "model"), [(16000, "_model"), (8000, "_model_8k")])
def test_the_probabilities_of_1000_chunks_are_those_of_the_published_file(rate: int, model: str) -> None:
    original, chunks = published(), sound(rate * 32 // 1000)
    original.reset_states()
    with torch.inference_mode():
        expected = np.stack([original(chunk, rate).numpy() for chunk in chunks])
    weights = {f"_model{key.removeprefix(model)}": x for key, x in original.state_dict().items() if model + "." in key}
    network = trtnet.define(models.silero_vad(sampling_rate=rate), weights=rules("silero_vad").apply(weights))
    streams = trtnet.Streams(network.reference(), STREAMS)
    found = np.stack([streams(chunk.numpy()) for chunk in chunks])
    assert found.size == 1000 and np.ptp(expected) > 0.5, "the sound has something like speech, and silence"
    assert np.abs(found - expected).max() < 1e-5


def test_it_equals_its_architecture_over_a_sequence_with_any_weights() -> None:
    torch.manual_seed(1)
    original = SileroVAD().eval()
    network = trtnet.define(models.silero_vad(), weights=rules("silero_vad").apply(original))
    report = trtnet.compare(network, original, [{"chunk": chunk[:2]} for chunk in sound(512)[:40]], steps=40)
    report.raise_if_failed()
    assert len(report.outputs) == 4 and not any(output.weak for output in report.outputs)
    network.build({"streams": (1, 8, 64)})


def test_the_published_file_has_its_digest_and_is_detected() -> None:
    assert published() is not None
    from trtnet.weights import detect

    assert detect(silero_vad.jit()).family == "silero_vad"


def test_other_rates_are_refused() -> None:
    with pytest.raises(ModelError, match="takes 16000 or 8000 samples a second; found 44100"):
        models.silero_vad(sampling_rate=44100)
