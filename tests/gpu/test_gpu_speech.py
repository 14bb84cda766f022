"""Models of sound on a real GPU equal the reference: pitch, who speaks, and Whisper with its texts.

tests/conftest.py skips them where there is no GPU.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2
from helpers.originals import randomize
from helpers.packaged import Crepe, VoiceEncoder
from helpers.whispers import SECONDS, SIZES, original, sound, write_folder

import trtnet
from trtnet import TranscriptionConfig, models
from trtnet.generation.speech.steps import Steps
from trtnet.tools.speech.transcribe import load_transcriber
from trtnet.weights import rules

pytestmark = pytest.mark.gpu
WITHIN = {"float32": 2e-3, "float16": 3e-2}
KINDS = pytest.mark.parametrize("dtype", WITHIN)
RATE = 16000


def tones(samples: int, *frequencies: int) -> torch.Tensor:
    """[frequencies, samples], with overtones and noise."""
    times = torch.arange(samples) / RATE
    played = [sum(torch.sin(6.2832 * n * f * times) / n for n in (1, 2, 3)) for f in frequencies]
    noise = torch.randn(len(frequencies), samples, generator=torch.Generator().manual_seed(0))
    return torch.stack([torch.as_tensor(each) for each in played]) + 0.05 * noise


@KINDS
def test_the_pitch_of_frames(dtype: str) -> None:
    network = trtnet.define(models.crepe(width=2), weights=randomize(Crepe(2)), dtype=dtype)
    with network.build({"batch": (1, 2, 3)}) as engine:
        for frames in (tones(1024, 220, 330, 550), tones(1024, 440)):
            given = frames.to(getattr(torch, dtype))
            found, wanted = engine(given.cuda()), network.reference()(given)
            for name in ("probabilities", "periodicity"):
                assert relative_l2(found[name].cpu(), wanted[name]) <= WITHIN[dtype]
            best = wanted["probabilities"].float().sort(1, descending=True).values
            clear = best[:, 0] - best[:, 1] > WITHIN[dtype] * best[:, 0]
            torch.testing.assert_close(found["frequency"].cpu()[clear], wanted["frequency"][clear])


@KINDS
@pytest.mark.parametrize("length", [3200, "samples"], ids=["fixed", "named"])
def test_who_speaks(length: int | str, dtype: str) -> None:
    originals.import_torchvision()
    ours = models.voice_encoder(model_hidden_size=16, model_num_layers=2, frames=20)
    inputs = {"samples": trtnet.Input(("batch", length))}
    network = trtnet.define(ours, inputs, weights=randomize(VoiceEncoder(16)), dtype=dtype)
    sizes: dict[str, Any] = {"batch": (1, 2, 3)}
    sizes |= {"samples": (1600, 3200, 4800)} if length == "samples" else {}
    with network.build(sizes) as engine:
        for count in (3200, 3200) if length == 3200 else (1600, 3200, 4800):
            given = tones(count, 150, 900, 2500).to(getattr(torch, dtype))
            wanted = network.reference()(given)
            assert relative_l2(wanted[0], wanted[2]) > 5 * WITHIN["float16"]
            assert relative_l2(engine(given.cuda()).cpu(), wanted) <= WITHIN[dtype]


@cache
def whisper(dtype: str) -> tuple[Any, Any]:
    """The networks of the encoder and of the decoder."""
    config, state = original().config.to_dict(), rules("whisper_text").apply(original())
    encoder = trtnet.define(
        models.whisper_encoder(config), weights=state, strict=False, dtype={"": dtype, "features": "float32"}
    )
    return encoder, trtnet.define(models.whisper_decoder(config), weights=state, strict=False, dtype=dtype)


@KINDS
def test_what_whisper_hears(dtype: str) -> None:
    network, _ = whisper(dtype)
    given = {
        "samples": np.stack([np.pad(sound(seed), (200, 200), "reflect") for seed in (1, 2)]),
        "length": np.array([SECONDS * RATE, RATE], np.int32),
        "loudest": np.array([1.5, 0.5], np.float32),
    }
    tensors = {name: torch.from_numpy(each) for name, each in given.items()}
    with network.build({"batch": (1, 2, 2)}) as engine:
        found, wanted = engine(**{name: x.cuda() for name, x in tensors.items()}), network.reference()(**tensors)
    assert len(wanted) == 2 * SIZES["decoder_layers"]
    for name, x in wanted.items():
        assert relative_l2(found[name].cpu(), x) <= WITHIN[dtype]


@KINDS
def test_the_steps_of_whispers_decoder(dtype: str) -> None:
    encoder, decoder = whisper(dtype)
    profiles = [
        {"batch": 1, "length": (1, 4, 16), "count": (1, 2, 2)},
        {"batch": (1, 3, 3), "length": 1, "count": 1},
    ]
    with encoder.build({"batch": 1}) as heard, decoder.build(profiles) as said:
        both = [Steps(heard, said, "cuda"), Steps(encoder.reference(), decoder.reference())]
        for steps in both:
            steps.listen(sound(3), 0, SECONDS * RATE, 1.0)
        results = [steps.begin([61, 62, 7], [0, 2], 3) for steps in both]
        assert relative_l2(*results) <= WITHIN[dtype]
        for tokens, sources in (([3, 9, 12], [0, 1, 2]), ([5, 5, 8], [2, 0, 0]), ([1, 2, 3], [1, 1, 2])):
            results = [steps.next(tokens, sources) for steps in both]
            assert relative_l2(results[1][0], results[1][2]) > 2 * WITHIN["float16"]
            assert relative_l2(*results) <= WITHIN[dtype]


@KINDS
@pytest.mark.parametrize("beams", [1, 3])
def test_the_texts_of_whisper(beams: int, dtype: str, tmp_path: Path) -> None:
    """The reference says the same in both dtypes: what it chooses is clearer than rounding."""
    folder, engines = write_folder(tmp_path / "whisper"), tmp_path / "engines"
    config = TranscriptionConfig(beam_size=beams, temperatures=(0.0,), timestamps=False, no_speech_threshold=1.0)
    references = [load_transcriber(folder, dtype=each) for each in WITHIN]
    engine = load_transcriber(folder, dtype=dtype, engines=engines, rows=beams)
    said = set()
    for seconds in (0.5, 2, 6):
        first, second = (reference(sound(4, seconds), config) for reference in references)
        assert [each.tokens for each in first.segments] == [each.tokens for each in second.segments]
        found = engine(sound(4, seconds), config)
        assert [each.tokens for each in found.segments] == [each.tokens for each in first.segments]
        said.add(tuple(token for each in found.segments for token in each.tokens))
    assert len(said) == 3 and min(len(set(tokens)) for tokens in said) > 2
    assert {path.name for path in engines.iterdir()} >= {"encoder.engine", "decoder.engine"}
