"""`trtnet generate` on the CPU: a text that streams, a talk, and what it refuses."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.decoders import published
from helpers.generating import greedy_of
from helpers.gguf_files import END, PROMPT, SMALL, write_gguf
from typer.testing import CliRunner, Result

import trtnet
from trtnet.checkpoint import save_safetensors
from trtnet.cli.main import app
from trtnet.generation import Generator
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support.errors import DeviceError
from trtnet.tools.generation.generate import as_chat, load_generator


@pytest.fixture(scope="module")
def original() -> Any:
    return published("Llama", **SMALL, scale=0.3)


@pytest.fixture(scope="module")
def file(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("model") / "x.gguf", original, "llama")


def run(*texts: Any, said: str = "") -> Result:
    return CliRunner().invoke(app, ["generate", *map(str, texts), "--capacity", "48"], input=said)


def loaded(file: Path) -> Generator:
    return load_generator(file, capacity=48)


def test_a_text_goes_on_from_a_prompt(original: Any, file: Path) -> None:
    generator = loaded(file)
    assert generator.tokenizer is not None
    prompt = generator.tokenizer.decode(PROMPT)
    result = run(file, prompt, "--max-new-tokens", 8)
    assert result.exit_code == 0, result.output
    assert result.stdout == generator.tokenizer.decode(greedy_of(original, PROMPT, 8, end=END)) + "\n"
    hot = [run(file, prompt, "--max-new-tokens", 8, "--temperature", 2, "--seed", seed).stdout for seed in (1, 1, 2)]
    assert hot[0] == hot[1] != hot[2]
    guessed = run(file, prompt, "--max-new-tokens", 8, "--lookup", 3)
    assert guessed.stdout == result.stdout
    stop = result.stdout[2]
    assert run(file, prompt, "--max-new-tokens", 8, "--stop", stop).stdout == result.stdout.partition(stop)[0] + "\n"


def test_a_talk_keeps_what_was_said(original: Any, file: Path) -> None:
    generator = loaded(file)
    result = run(file, "--chat", "--max-new-tokens", 4, said="!#\n$\n")
    assert result.exit_code == 0, result.output
    assert generator.tokenizer is not None
    first = generator.tokenizer.decode(greedy_of(original, as_chat(generator, "!#"), 4, end=END))
    second = generator.tokenizer.decode(greedy_of(original, as_chat(generator, "!#", first, "$"), 4, end=END))
    assert result.stdout == f"> {first}\n> {second}\n> "
    assert run(file, "!#", "--chat", "--max-new-tokens", 4).stdout == f"{first}\n"


def test_the_plans_of_an_engine_are_built_once(file: Path, tmp_path: Path) -> None:
    plan, prompts = tmp_path / "x.engine", tmp_path / "x.engine.prompts"
    load_generator(file, capacity=8, engine=plan)
    shapes = [{info.name: info.shape for info in trtnet.load(each).inputs}["input_ids"] for each in (plan, prompts)]
    assert shapes == [(1, 1), (1, 8)]
    built = plan.stat().st_mtime_ns
    load_generator(file, capacity=8, engine=plan)
    assert plan.stat().st_mtime_ns == built
    load_generator(file, capacity=8, engine=tmp_path / "one.engine", batch=3, fixed=False)
    assert trtnet.load(tmp_path / "one.engine").info.profiles[1]["input_ids"] == ((1, 1), (3, 1), (3, 1))
    assert not (tmp_path / "one.engine.prompts").exists()


def test_what_it_refuses(file: Path) -> None:
    assert "give a prompt, or --chat" in str(run(file).exception)
    assert "there is no language model" in str(run("nowhere", "x").exception)
    assert "temperature is -1.0; it is at least 0" in str(run(file, "x", "--temperature", "-1").exception)
    assert "top_p is 2.0; it is above 0 and at most 1" in str(run(file, "x", "--top-p", "2").exception)


def test_what_is_no_language_model_is_said(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:40])
    (tmp_path / "text.gguf").write_bytes(b"hello")
    for name, said in (("cut", "it is damaged; it has 40 bytes"), ("text", "it does not begin with GGUF")):
        assert f"{name}.gguf is not a readable GGUF file: {said}" in str(run(tmp_path / f"{name}.gguf", "x").exception)
    save_safetensors(tmp_path / "model.safetensors", {"w": np.zeros(2, np.float32)})
    assert f"there is no {tmp_path}/config.json" in str(run(tmp_path, "x").exception)
    (tmp_path / "config.json").write_text("{broken")
    assert f"{tmp_path}/config.json cannot be read as JSON" in str(run(tmp_path, "x").exception)
    (tmp_path / "config.json").write_text("[]")
    assert f"{tmp_path}/config.json is no JSON object: it has a list" in str(run(tmp_path, "x").exception)
    (tmp_path / "config.json").write_text('{"model_type": "mixtral"}')
    said = str(run(tmp_path, "x").exception)
    assert said.startswith(f"{tmp_path}: ") and "LlamaConfig" not in said
    known = "'gemma', 'gemma2', 'gemma3', 'gemma3_text', 'llama', 'mistral', 'phi3', 'qwen2', 'qwen3'"
    assert said.endswith(f"model_type is 'mixtral', which is not read here; known: {known}")


def test_without_a_gpu_no_plan_is_built(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(self: CudaDevice, index: int = 0) -> None:
        raise DeviceError("no usable GPU")

    monkeypatch.setattr(CudaDevice, "__init__", absent)
    sound = tmp_path / "x.wav"
    with wave.open(str(sound), "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(bytes(320))
    for command in (["generate", file, "x", "--engine"], ["transcribe", sound, "--model", tmp_path, "--engines"]):
        result = CliRunner().invoke(app, [*map(str, command), str(tmp_path / "made")])
        assert isinstance(result.exception, DeviceError), result.output
        assert not list(tmp_path.glob("made*"))
