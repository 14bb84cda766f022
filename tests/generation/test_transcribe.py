"""`trtnet transcribe`: a folder of Hugging Face or CTranslate2, and a WAV file, to what transformers says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.docs.pages import ROOT, read
from helpers.whispers import (
    END,
    LANGUAGES,
    SUPPRESSED,
    SUPPRESSED_FIRST,
    TOKENS,
    WORDS,
    features,
    original,
    sound,
    write_ctranslate2,
    write_folder,
    write_wav,
)
from typer.testing import CliRunner

from trtnet import CheckpointError, InputError, ModelError, TranscriptionConfig
from trtnet.cli.main import app
from trtnet.tools.speech.transcribe import load_transcriber, transcribe
from trtnet.weights import detect, rules


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("multilingual"), is_multilingual=True)


NEVER = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech")


def logits_of(samples: np.ndarray, tokens: list[int]) -> np.ndarray:
    """transformers' logits of what follows."""
    with torch.inference_mode():
        found = original()(features(samples[None]), decoder_input_ids=torch.tensor([tokens])).logits
    return found[0, -1].numpy().copy()


def greedy(samples: np.ndarray, *forced: str) -> list[int]:
    """transformers' most likely tokens, each by the whole text before it, without times."""
    tokens = [TOKENS[name] for name in ("startoftranscript", *forced, "notimestamps")]
    begin, forbidden = len(tokens), [*SUPPRESSED, *(TOKENS[name] for name in NEVER)]
    while len(tokens) < begin + 12:
        logits = logits_of(samples, tokens)
        logits[forbidden + (SUPPRESSED_FIRST if len(tokens) == begin else [])] = -np.inf
        tokens.append(int(logits.argmax()))
        if tokens[-1] == END:
            return tokens[begin:-1]
    return tokens[begin:]


def test_the_text_is_transformers_from_both_kinds_of_folder(folder: Path, tmp_path: Path) -> None:
    samples, config = sound(4), TranscriptionConfig(timestamps=False, temperatures=(0.0,), no_speech_threshold=1.0)
    wanted = greedy(samples)
    assert len(set(wanted)) > 2
    write_ctranslate2(tmp_path)
    assert detect(tmp_path).family == "ctranslate2_whisper" and detect(folder).family == "whisper"
    for source in (folder, tmp_path):
        (segment,) = load_transcriber(source)(samples, config).segments
        assert segment.tokens == wanted
        assert segment.text == "".join(WORDS[token] for token in wanted if token < END)


@pytest.mark.parametrize("task", ["transcribe", "translate"])
@pytest.mark.parametrize("language", ["de", "ja"])
def test_a_model_of_many_languages_is_told_the_language_and_the_task(
    multilingual: Path, language: str, task: str
) -> None:
    samples, transcriber = sound(6), load_transcriber(multilingual)
    plain = TranscriptionConfig(timestamps=False, temperatures=(0.0,), no_speech_threshold=1.0)
    found = transcriber(samples, replace(plain, language=language.upper(), task=task))
    assert found.language == language
    assert [each.tokens for each in found.segments] == [greedy(samples, language, task)]


def test_a_model_of_many_languages_says_which_it_hears(multilingual: Path) -> None:
    samples, transcriber = sound(0), load_transcriber(multilingual)
    logits = logits_of(samples, [TOKENS["startoftranscript"]])
    wanted = max(LANGUAGES, key=lambda code: float(logits[TOKENS[code]]))
    assert logits.argmax() != TOKENS[wanted] and wanted != LANGUAGES[0]  # of the languages alone
    found = transcriber(samples, TranscriptionConfig(temperatures=(0.0,), timestamps=False, no_speech_threshold=1.0))
    assert found.language == wanted
    assert [each.tokens for each in found.segments] == [greedy(samples, wanted, "transcribe")]
    with pytest.raises(InputError, match="does not know the language 'xx'; it knows en, de, ja, haw"):
        transcriber(samples, TranscriptionConfig(language="xx"))


def test_the_rules_of_both_kinds_come_back() -> None:
    state = original().state_dict()
    back = rules("whisper_text").inverse().apply(rules("whisper_text").apply(state))
    assert {f"model.{key}" for key in back} == {key for key in state if not key.startswith("proj_out")}
    for key in back:
        np.testing.assert_array_equal(back[key], state[f"model.{key}"].numpy(), strict=True)


def test_the_command_and_the_function_read_a_file(folder: Path, tmp_path: Path) -> None:
    path, wanted = write_wav(tmp_path / "a.wav", sound(5)), greedy(sound(5))
    text = "".join(WORDS[token] for token in wanted if token < END).strip()
    options = ["--model", str(folder), "--language", "en", "--no-timestamps"]
    result = CliRunner().invoke(app, ["transcribe", str(path), *options])
    assert (result.exit_code, result.output) == (0, f"{text}\n")
    times = transcribe(path, folder, TranscriptionConfig(temperatures=(0.0,)))
    assert times.language == "en" and all(0 <= part.start < part.end for part in times.segments)


def test_the_example_of_the_guide_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (block for block in read(ROOT / "docs/guide/transcribe.md").blocks if block.language == "python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").symlink_to(folder)
    write_wav(tmp_path / "talk.wav", sound(2))
    exec(compile(example.text.replace('"de"', '"en"'), example.where, "exec"), {})  # the only language of the small one


def test_what_is_no_whisper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no Whisper"):
        load_transcriber(tmp_path / "nowhere")
    torch.save({"w": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"is no Whisper: there is no tokenizer\.json in it"):
        load_transcriber(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="is no Whisper: its weights have other names"):
        load_transcriber(tmp_path)


def test_engines_of_a_folder_are_built_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trtnet.tools.speech import published, transcribe as module

    made: list[Any] = []
    monkeypatch.setattr(published, "Transcriber", lambda *parts, **options: made.append((parts, options)))
    monkeypatch.setattr(module, "load", lambda path: Path(path).name)
    for name in ("encoder.engine", "decoder.engine"):
        (tmp_path / name).touch()
    load_transcriber(folder, engines=tmp_path)
    assert made[0][0][:2] == ("encoder.engine", "decoder.engine")
    assert made[0][0][-1] == "cuda"
