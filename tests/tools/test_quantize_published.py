"""`trtnet quantize` of published models: from their files to files that `trtnet generate` and `transcribe` take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cli.command import trtnet as command
from helpers.comparing import relative_l2
from helpers.decoders import SIZES, published
from helpers.gguf_files import SMALL, write_gguf
from helpers.whispers import original, sound, write_ctranslate2, write_folder, write_wav

import trtnet
from trtnet import models
from trtnet.checkpoint import open_checkpoint, save_safetensors
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.definition.quantization import Watch
from trtnet.generation import Step
from trtnet.support.errors import CheckpointError, InputError, ModelError
from trtnet.tools.generation.generate import load_generator
from trtnet.tools.generation.published import published_text
from trtnet.tools.quantize.published.quantize import quantize_published
from trtnet.tools.quantize.published.text import Texts, texts_of
from trtnet.tools.speech.published import published_speech
from trtnet.tools.speech.transcribe import load_transcriber

TEXTS = ["!#$%&'()*+,-./", "0123456789:;<=>?@ABCDEFG", "abc"]


# language models


@pytest.fixture(scope="module")
def decoder() -> Any:
    return published("Llama", **SMALL, tie_word_embeddings=True, scale=0.3)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory, decoder: Any) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "x.gguf", decoder, "llama")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, decoder: Any, gguf: Path) -> Path:
    """The same model as transformers saves it."""
    made = tmp_path_factory.mktemp("folder")
    decoder.save_pretrained(made)
    (made / "tokenizer.json").write_text(published_text(gguf, 32).tokenizer.tokenizer.to_str())
    return made


def logits(source: Path, quantization: str | None = None) -> np.ndarray[Any, Any]:
    """Of all places of a text."""
    found = published_text(source, 32)
    step = Step(found.model, sampling=False, logits=True)
    reference = trtnet.define(step, weights=found.weights, quantization=quantization).reference()
    (call,) = Texts([[*range(5, 30)]], reference.inputs)
    return np.asarray(reference(**call)["logits"])


def test_a_gguf_file_and_a_folder_become_the_same_quantized_folder(folder: Path, gguf: Path, tmp_path: Path) -> None:
    wanted = logits(folder)
    for source, out in ((folder, tmp_path / "a"), (gguf, tmp_path / "b")):
        found = quantize_published(source, TEXTS, out)
        assert len(found.rows) == 14
        assert found.reasons == {"model.embed_tokens.weight": "it is the table of an embedding, too"}
        assert relative_l2(logits(out, "checkpoint"), wanted) < 0.12
        assert relative_l2(logits(out), wanted) < 0.08
    ours, theirs = (open_checkpoint(tmp_path / name) for name in "ab")
    assert {*ours} == {*theirs}
    key = "model.layers.1.self_attn.q_proj.weight"
    np.testing.assert_array_equal(ours[key], theirs[key])  # rows in transformers' order
    one, other = (load_generator(tmp_path / name, capacity=32, quantization="checkpoint") for name in "ab")
    config = trtnet.GenerationConfig(6)
    assert one(["!#"], config)[0].tokens == other(["!#"], config)[0].tokens
    assert other.chat_template is not None
    assert other.eos_token_id == {91}


@pytest.mark.parametrize("options", [{}, {"smooth": 0.5}], ids=str)
def test_a_folder_of_gemma(options: dict[str, Any], gguf: Path, tmp_path: Path) -> None:
    """Its norms keep their weight less one, which takes no divisors: they are factors of the inputs."""
    made = tmp_path / "gemma"
    published("Gemma3Text", **SMALL, head_dim=32, tie_word_embeddings=True).save_pretrained(made)
    (made / "tokenizer.json").write_text(published_text(gguf, 32).tokenizer.tokenizer.to_str())
    found = quantize_published(made, TEXTS, tmp_path / "a", **options)
    assert (len(found.rows), {row.smoothed for row in found.rows}) == (14, {"inputs" if options else ""})
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(made)) < 0.12


def test_a_gguf_file_of_phi3_becomes_a_folder(tmp_path: Path) -> None:
    rope = {"rope_type": "longrope", "partial_rotary_factor": 0.5, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
    made = published("Phi3", **SMALL, pad_token_id=0, original_max_position_embeddings=8, rope_parameters=rope)
    file = write_gguf(tmp_path / "x.gguf", made, "phi3")
    assert len(quantize_published(file, None, tmp_path / "a", scheme="int8_weights").rows) == 9
    assert published_text(tmp_path / "a", 32).model.config == published_text(file, 32).model.config
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(file)) < 0.08


def test_of_a_gemma_that_sees_images_the_text_model_is_written(gguf: Path, tmp_path: Path) -> None:
    import transformers

    made = tmp_path / "gemma"
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**SIZES, **SMALL, "head_dim": 32, "pad_token_id": 0}
    config = transformers.Gemma3Config(text_config=text, vision_config={**vision, "image_size": 28})
    transformers.Gemma3ForConditionalGeneration(config).save_pretrained(made)
    (made / "tokenizer.json").write_text(published_text(gguf, 32).tokenizer.tokenizer.to_str())
    quantize_published(made, None, tmp_path / "a", scheme="int8_weights")
    written = transformers.AutoConfig.from_pretrained(tmp_path / "a")
    assert (type(written).__name__, written.architectures) == ("Gemma3TextConfig", ["Gemma3ForCausalLM"])
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(made)) < 0.08


@pytest.mark.parametrize("family", ["gemma", "gemma2", "gemma3"])
def test_a_gguf_file_of_gemma_becomes_a_folder(family: str, tmp_path: Path) -> None:
    kind = {"gemma": "Gemma", "gemma2": "Gemma2", "gemma3": "Gemma3Text"}[family]
    window = {"query_pre_attn_scalar": 32, "sliding_window": 4} if family != "gemma" else {}
    window |= {"num_hidden_layers": 6} if family == "gemma3" else {}
    more: dict[str, Any] = {"gemma3__rope__scaling__factor": 8.0} if family == "gemma3" else {}
    made = published(kind, **SMALL, head_dim=32, tie_word_embeddings=True, **window)
    file = write_gguf(tmp_path / "x.gguf", made, family, **more)
    found = quantize_published(file, None, tmp_path / "a", scheme="int8_weights")
    assert len(found.rows) == 7 * made.config.num_hidden_layers
    assert published_text(tmp_path / "a", 32).model.config == published_text(file, 32).model.config
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(file)) < 0.08


def test_texts_are_lines_of_files_and_strings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    (tmp_path / "b.txt").write_text("three")
    assert texts_of(tmp_path) == ["one", "two", "three"]
    assert texts_of([tmp_path / "b.txt", "four"]) == ["four", "three"]
    for data, words in (
        (tmp_path / "c.txt", r"c\.txt: data is texts"),
        ("", "no text"),
        (tmp_path / "a.npz", "data is"),
    ):
        with pytest.raises(InputError, match=words):
            texts_of(data)


def test_long_texts_are_several_calls(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtnet.tools.quantize.published.text.LONGEST", 8)
    found = published_text(gguf, 8)
    network = trtnet.define(Step(found.model, sampling=False, logits=True), weights=found.weights)
    calls = [*Texts([[*range(19)], [4]], network.reference().inputs)]
    assert [call["input_ids"].tolist() for call in calls] == [[[*range(8)]], [[*range(8, 16)]], [[16, 17, 18]], [[4]]]


def test_smoothing_leaves_the_table_of_an_embedding_as_it_is(folder: Path, tmp_path: Path) -> None:
    """The head's weight is the embedding's: with divisors in it tokens would be other ones."""
    found = quantize_published(folder, TEXTS, tmp_path / "a", smooth=0.5)
    assert any(row.smoothed == "norm" for row in found.rows)
    table = "model.embed_tokens.weight"
    np.testing.assert_array_equal(open_checkpoint(tmp_path / "a")[table], open_checkpoint(folder)[table])
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(folder)) < 0.15


def test_weights_alone_need_no_texts(folder: Path, tmp_path: Path) -> None:
    found = quantize_published(folder, None, tmp_path / "a", scheme="int8_weights", skip=["*.mlp.*"])
    assert (len(found.rows), found.error) == (8, None)
    assert relative_l2(logits(tmp_path / "a", "checkpoint"), logits(folder)) < 0.08
    with pytest.raises(ModelError, match="int8 quantizes inputs, whose scales are calibrated: give data"):
        quantize_published(folder, None, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_command_writes_a_folder_that_generate_takes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    quantize = ("quantize", folder, "--data", "texts.txt", "-o", "out")
    result = command(*quantize, "--json", "-", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["weights"]) == 14
    options = ("--max-new-tokens", 3, "--capacity", 32, "--quantization", "checkpoint")
    said = command("generate", "out", "!#", *options, folder=tmp_path)
    assert said.returncode == 0, said.stderr
    again = command(*quantize, folder=tmp_path)
    assert again.returncode == 2
    assert "out is there already: name a new folder" in again.stderr
    more = command("quantize", folder, "--weights", "trtnet:lenet.safetensors", "-o", "more", folder=tmp_path)
    assert "leave out --weights, --arg and --declare" in more.stderr


def test_a_folder_that_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no .*config\.json, which says what the model is"):
        quantize_published(tmp_path, TEXTS, tmp_path / "out")


# Whisper


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("recordings")
    for seed in range(2):
        write_wav(made / f"{seed}.wav", sound(seed, 2))
    return made


def states(source: Path, quantization: str | None = None) -> np.ndarray[Any, Any]:
    """What the encoder says of a recording that did not calibrate."""
    found = published_speech(source)
    model = models.whisper_encoder(**found.config)
    network = trtnet.define(model, weights=found.weights, strict=False, quantization=quantization)
    samples = np.zeros((1, 48400), np.int32)
    samples[0, 200:48200] = sound(7)
    results = network.reference()(samples, np.array([48000], np.int32), np.array([-10], np.float32))
    return np.asarray(results["sound_value_1"])


def test_a_whisper_becomes_a_quantized_folder_that_transcribes(whisper: Path, recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    other = write_ctranslate2(tmp_path / "c")
    wanted, rows = states(whisper), {}
    for source, name in ((whisper, "a"), (other, "b")):
        found = quantize_published(source, recordings, tmp_path / name)
        rows[name] = {row.key for row in found.rows}
        assert found.reasons["encoder.conv1.weight"] == "skipped"
        assert relative_l2(states(tmp_path / name, "checkpoint"), wanted) < 0.12
        assert (tmp_path / name / "tokenizer.json").is_file()
    assert rows["a"] == rows["b"]
    assert {f"{side}coder.layers.1.self_attn.in_proj_weight" for side in ("en", "de")} < rows["a"]
    file = quantization_of(tmp_path / "a")
    assert file is not None
    published = {key.removeprefix("model.") for key in original().state_dict()} - {"proj_out.weight"}
    assert {*file.dequantized()} == published
    kept = published_speech(tmp_path / "a")
    described = {}
    for model in (models.whisper_encoder(**kept.config), models.whisper_decoder(**kept.config)):
        network = trtnet.define(model, weights=kept.weights, strict=False, quantization="checkpoint")
        described |= network.describe().quantization
    assert {*described} == rows["a"]
    assert {*described.values()} == {"int8, a scale a channel, inputs in int8"}
    texts = [load_transcriber(tmp_path / name, quantization="checkpoint")(sound(7)).text for name in "ab"]
    assert texts[0] == texts[1]


def test_each_network_of_a_whisper_takes_its_own_attentions(whisper: Path, recordings: Path, tmp_path: Path) -> None:
    found = quantize_published(whisper, recordings, tmp_path / "a", attention="int8")
    kept, described = published_speech(tmp_path / "a"), set[str]()
    for model in (models.whisper_encoder(**kept.config), models.whisper_decoder(**kept.config)):
        network = trtnet.define(model, weights=kept.weights, strict=False, quantization="checkpoint")
        described |= {path for path, scheme in network.describe().quantization.items() if scheme == "attention in int8"}
    assert len(described) == len(found.attentions) > 2


@pytest.mark.parametrize("options", [{"smooth": 0.5}, {"scheme": "nvfp4_weights"}], ids=str)
def test_rows_that_are_split_are_one_product_again(
    options: dict[str, Any], whisper: Path, recordings: Path, tmp_path: Path
) -> None:
    """With factors of the inputs, or scales of the scales, that the three parts of a product share."""
    data = recordings if "smooth" in options else None
    found = quantize_published(whisper, data, tmp_path / "a", **options)
    assert found.alphas == (options.get("smooth"),) * 2
    kept = published_speech(tmp_path / "a")
    network = trtnet.define(
        models.whisper_encoder(**kept.config), weights=kept.weights, strict=False, quantization="checkpoint",
        compute_capabilities=("12.0",),
    )  # fmt: skip
    assert "encoder.layers.0.self_attn.in_proj_weight" in network.describe().quantization
    assert relative_l2(states(tmp_path / "a", "checkpoint"), states(whisper)) < 0.25


def test_a_whisper_of_16_bits_is_read_again(whisper: Path, tmp_path: Path) -> None:
    """A rule that merges biases takes them of one dtype, with that of the keys, which no file has."""
    half = tmp_path / "half"
    half.mkdir()
    for name in ("tokenizer.json", "generation_config.json"):
        shutil.copyfile(whisper / name, half / name)
    config = json.loads((whisper / "config.json").read_text())
    (half / "config.json").write_text(json.dumps(config | {"dtype": "float16", "torch_dtype": "float16"}))
    tensors = open_checkpoint(whisper)
    save_safetensors(half / "model.safetensors", {key: tensors[key].astype(np.float16) for key in tensors})
    quantize_published(half, None, tmp_path / "a", scheme="int8_weights")
    assert relative_l2(states(tmp_path / "a", "checkpoint"), states(whisper)) < 0.1
    written = open_checkpoint(tmp_path / "a")
    assert written.info("decoder.embed_tokens.weight").dtype.name == "float16"
    assert written.info("decoder.layers.0.self_attn.q_proj.bias").dtype.name == "float32"


def test_a_quantized_decoder_sees_the_words_that_it_writes(whisper: Path, recordings: Path, tmp_path: Path) -> None:
    """The largest inputs of its head's norm are those of the calls of the transcription."""
    found = quantize_published(whisper, recordings, tmp_path / "a", method="max")
    speech = published_speech(whisper)
    made = models.whisper_decoder(**speech.config)
    watched = trtnet.define(made, weights=speech.weights, strict=False, quantization=Watch())
    use = watched.quantized.watched
    assert use is not None
    key = "decoder.layers.0.self_attn.in_proj_weight"
    watched.mark_output("x", use.uses[key][0].x)
    seen: list[float] = []
    encoder = trtnet.define(models.whisper_encoder(**speech.config), weights=speech.weights, strict=False).reference()
    reference = watched.reference()

    class Decoder:
        inputs = trtnet.define(made, weights=speech.weights, strict=False).reference().inputs

        def __call__(self, **given: Any) -> Any:
            results = reference(**given)
            seen.append(float(np.abs(results["x"]).max()))
            return results

    config = trtnet.TranscriptionConfig(temperatures=(0.0,))
    for seed in range(2):
        samples = np.clip(sound(seed, 2), -32768, 32767).astype(np.int16).astype(np.int32)
        speech.transcriber(encoder, Decoder())(samples, config)
    (row,) = (row for row in found.rows if row.key == key)
    assert row.largest == pytest.approx(max(seen), rel=1e-4)


def test_what_cannot_be_quantized_is_said(whisper: Path, recordings: Path, tmp_path: Path) -> None:
    for data, words in ((tmp_path, "data is recordings"), (tmp_path / "x.txt", r"x\.txt: data is recordings")):
        with pytest.raises(InputError, match=words):
            quantize_published(whisper, data, tmp_path / "a")
    with pytest.raises(ModelError, match=r"skip: 'lm_head' matches no module"):
        quantize_published(whisper, None, tmp_path / "a", scheme="int8_weights", skip=["lm_head"])
    with pytest.raises(CheckpointError, match="a folder is written"):
        quantize_published(whisper, recordings, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="there is no folder"):
        quantize_published(whisper, recordings, tmp_path / "none" / "a")
    assert [*tmp_path.iterdir()] == []
