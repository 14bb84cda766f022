"""Folders of transformers and GGUF files become generators that give the original's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.decoders import SIZES, caches_of, published, step
from helpers.generating import greedy_of
from helpers.gguf_files import BYTES, END, PROMPT, SMALL, SPECIAL, TEMPLATE, write_gguf

import trtnet
from trtnet import CheckpointError, GenerationConfig, InputError, ModelError, models
from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.formats.gguf_file import GGUFFile
from trtnet.tools.generation.generate import as_chat, load_generator
from trtnet.tools.generation.gguf_fields import llama_fields
from trtnet.tools.generation.gguf_gemma import gemma_fields
from trtnet.tools.generation.published import published_text
from trtnet.weights import detect, rules, smollm2

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip


FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("llama", "Llama", {"tie_word_embeddings": True}),
    "llama 3.1": ("llama", "Llama", {"rope_parameters": LLAMA3, "head_dim": 32}),
    "qwen2": ("qwen2", "Qwen2", {}),
    "qwen3": ("qwen3", "Qwen3", {"head_dim": 32}),
}


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models as kinds

    vocabulary = {token: i for i, token in enumerate([*BYTES, *SPECIAL])}
    Tokenizer(kinds.BPE(vocabulary, [])).save(str(folder / "tokenizer.json"))


def folder_of(original: Any, folder: Path) -> None:
    """What transformers writes, and a tokenizer."""
    original.save_pretrained(folder)
    write_tokenizer(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_gguf_file_gives_the_originals_logits(family: str, tmp_path: Path) -> None:
    name, kind, settings = FAMILIES[family]
    original = published(kind, **SMALL, **settings)
    path = write_gguf(tmp_path / "x.gguf", original, name)
    checkpoint = open_checkpoint(path)
    detected = detect(checkpoint)
    assert detected is not None
    assert detected.family == "gguf_llama"
    model = models.llama(**llama_fields(GGUFFile(path).fields(), checkpoint), capacity=16)
    renamed = rules("gguf_llama").apply(checkpoint)
    assert {*checkpoint} - {*rules("gguf_llama").inverse().apply(renamed)} <= {"rope_freqs.weight"}
    network = trtnet.define(model, weights=renamed)
    ids = torch.randint(0, 99, (1, 12), generator=torch.Generator().manual_seed(0))
    found = step(network.reference(), ids, [0], caches_of(network, 1))
    with torch.inference_mode():
        assert relative_l2(found, original(ids).logits) <= 1e-5


GEMMAS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma": ("Gemma", {}),
    "gemma2": ("Gemma2", {"sliding_window": 4, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3Text", {"sliding_window": 4, "num_hidden_layers": 7}),
}


@pytest.mark.parametrize("family", GEMMAS)
def test_a_gguf_file_of_gemma_gives_the_originals_logits(family: str, tmp_path: Path) -> None:
    kind, settings = GEMMAS[family]
    settings = {"tie_word_embeddings": True, "query_pre_attn_scalar": 32, **settings}  # what llama.cpp takes it to be
    original = published(kind, **SMALL, head_dim=32, **settings)
    path = write_gguf(tmp_path / "x.gguf", original, family)
    detected = detect(path).family
    assert detected == ("gguf_llama" if family == "gemma" else "gguf_gemma")  # the first has the names of Llama
    found = published_text(path, 16)
    network = trtnet.define(found.model, weights=found.weights)
    ids = torch.randint(0, 99, (1, 12), generator=torch.Generator().manual_seed(0))
    logits = step(network.reference(), ids, [0], caches_of(network, 1))
    with torch.inference_mode():
        assert relative_l2(logits, original(ids).logits) <= 1e-5
    wrong = write_gguf(tmp_path / "x.gguf", original, family, **{f"{family}__attention__sliding_window_pattern": 5})
    with pytest.raises(ModelError, match=r"sliding_window_pattern is 5; the model computes \d"):
        published_text(wrong, 16)


LONG = {
    "rope_type": "longrope", "rope_theta": 100.0, "partial_rotary_factor": 0.5, "short_factor": [1.0, 1.5, 2.0, 4.0],
    "long_factor": [1.0, 4.0, 9.0, 12.0],
}  # fmt: skip


@pytest.mark.parametrize("trained", [8, 16, None])
def test_a_gguf_file_of_phi3_gives_the_originals_logits(trained: int | None, tmp_path: Path) -> None:
    """With factors for long texts, with those for short ones, and without any but with a window."""
    settings = {"sliding_window": 4} if trained is None else {"rope_parameters": LONG}
    original = published("Phi3", **SMALL, pad_token_id=0, original_max_position_embeddings=trained or 64, **settings)
    found = published_text(write_gguf(tmp_path / "x.gguf", original, "phi3"), 16)
    network = trtnet.define(found.model, weights=found.weights)
    ids = torch.randint(0, 99, (1, 12), generator=torch.Generator().manual_seed(0))
    logits = step(network.reference(), ids, [0], caches_of(network, 1))
    with torch.inference_mode():
        assert relative_l2(logits, original(ids).logits) <= 1e-5


def test_gemma_of_27b_scales_scores_by_its_hidden_size(tmp_path: Path) -> None:
    """As llama.cpp does, whose files do not say it."""
    path = write_gguf(tmp_path / "x.gguf", published("Gemma3Text", **SMALL, head_dim=32, num_hidden_layers=1), "gemma3")
    metadata, checkpoint = GGUFFile(path).fields(), GGUFFile(path)
    assert gemma_fields(metadata, checkpoint)["query_pre_attn_scalar"] == 32.0
    norms = {f"blk.{i}.attn_norm.weight": np.ones(64, np.float32) for i in range(62)}
    large = {key: checkpoint[key] for key in checkpoint} | norms
    found = gemma_fields({**metadata, "gemma3.block_count": 62}, open_checkpoint(large))
    assert found["query_pre_attn_scalar"] == 16.0


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0", "Q4_1"])
def test_blocks_of_values_and_scales_give_the_tokens_of_their_values(name: str, tmp_path: Path) -> None:
    import gguf

    original = published("Llama", **SMALL, tie_word_embeddings=True, scale=0.3)
    path = write_gguf(tmp_path / "x.gguf", original, "llama", name)
    kind = gguf.GGMLQuantizationType[name]
    with torch.no_grad():
        for weight in original.parameters():
            if weight.ndim == 2:
                weight.copy_(torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind)))
    wanted = greedy_of(original, PROMPT, 8, end=END)
    for quantization in (None, "checkpoint"):
        generator = load_generator(path, capacity=32, quantization=quantization)
        assert generator([PROMPT], GenerationConfig(8))[0].tokens == wanted


def test_a_gguf_file_brings_its_tokenizer_and_its_chat_template(tmp_path: Path) -> None:
    generator = load_generator(write_gguf(tmp_path / "x.gguf", published("Llama", **SMALL), "llama"), capacity=64)
    assert generator.eos_token_id == {91}
    assert as_chat(generator, "!#", "$", "%") == [92, 0, 2, 93, 3, 92, 4, 93]
    text = trtnet.generate(generator, "!#", GenerationConfig(6), chat=True)
    assert text == generator([[92, 0, 2, 93]], GenerationConfig(6))[0].text
    assert len(text) > 2


def test_positions_are_scaled_by_a_factor_without_a_type(tmp_path: Path) -> None:
    original = published("Llama", **SMALL)
    for key in ("llama__rope__scaling__factor", "llama__rope__scale_linear"):
        path = write_gguf(tmp_path / "x.gguf", original, "llama", llama__expert_count=0, **{key: 4.0})
        assert llama_fields(GGUFFile(path).fields(), open_checkpoint(path))["rope_factors"] == (4.0,)


def test_a_tokenizer_may_lie_beside_a_file_without_one(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "x.gguf", published("Llama", **SMALL), "llama", tokens=False)
    with pytest.raises(CheckpointError, match=r"its tokenizer cannot be made, .*Put the tokenizer\.json"):
        load_generator(path, capacity=16)
    write_tokenizer(tmp_path)
    assert load_generator(path, capacity=16)(["!#"], GenerationConfig(2))[0].tokens


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    original = published("Qwen3", **SMALL, head_dim=32, scale=0.3, eos_token_id=91)
    folder_of(original, tmp_path)
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": null}')
    generator = load_generator(tmp_path, capacity=32)
    assert generator.eos_token_id == {91}
    assert generator([PROMPT], GenerationConfig(8))[0].tokens == greedy_of(original, PROMPT, 8, end=91)
    assert generator.chat_template is not None
    assert generator.chat_template([{"role": "user", "content": "!"}]) == "<user>!<bot>"


WINDOWS = {"head_dim": 32, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Gemma", {"head_dim": 32, "tie_word_embeddings": True}),
        ("Gemma2", {**WINDOWS, "tie_word_embeddings": False}),
        ("Gemma3Text", {**WINDOWS, "tie_word_embeddings": False}),
        ("Phi3", {"pad_token_id": 0}),
    ],
)
def test_a_folder_of_another_family(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    original = published(kind, **SMALL, scale=0.3, eos_token_id=91, **settings)
    folder_of(original, tmp_path)
    generator = load_generator(tmp_path, capacity=32)
    found = generator([PROMPT], GenerationConfig(8))[0].tokens
    assert found == greedy_of(original, PROMPT, 8, end=91)
    assert len({*found}) > 2


def test_a_folder_of_gemma_that_sees_images_reads_texts(tmp_path: Path) -> None:
    import transformers

    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    }  # fmt: skip
    text = {**SIZES, **WINDOWS, "max_position_embeddings": 64, "pad_token_id": 0}
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, eos_token_id=91)
    torch.manual_seed(3)
    original = transformers.Gemma3ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in original.named_parameters():
            parameter.normal_(0.0, 0.3 if "layers" in name else 0.05)
    folder_of(original, tmp_path)
    found = load_generator(tmp_path, capacity=32)([PROMPT], GenerationConfig(8))[0].tokens
    assert found == greedy_of(original, PROMPT, 8, end=91)
    assert len({*found}) > 1


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no language model .*nowhere: it is a folder"):
        load_generator(tmp_path / "nowhere")
    original = published("Llama", **SMALL)
    other = write_gguf(tmp_path / "other.gguf", original, "internlm2")
    with pytest.raises(ModelError, match="of the family internlm2; a decoder here is one of llama, qwen2, qwen3, phi3"):
        load_generator(other)
    yarn = write_gguf(tmp_path / "yarn.gguf", original, "llama", llama__rope__scaling__type="yarn")
    with pytest.raises(ModelError, match="scales rotary positions by 'yarn'"):
        load_generator(yarn)
    layers = write_gguf(tmp_path / "layers.gguf", original, "llama", llama__block_count=2**31)
    with pytest.raises(ModelError, match="says it has 2,147,483,648 layers, and has the weights of 2: it is damaged"):
        load_generator(layers)
    partly: dict[str, Any] = {"rope__dimension_count": 8, "attention__value_length": 8, "attention__causal": False}
    for key, value in partly.items():
        path = write_gguf(tmp_path / f"{key}.gguf", original, "llama", **{f"llama__{key}": value})
        with pytest.raises(ModelError, match=rf"says that {key.replace('__', '.')} is {value}; the model computes"):
            load_generator(path)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF\x03\0\0\0")
    with pytest.raises(CheckpointError, match=r"broken\.gguf is not a readable GGUF file"):
        load_generator(tmp_path / "broken.gguf")
    generator = load_generator(write_gguf(tmp_path / "x.gguf", original, "llama"), capacity=8)
    generator.chat_template = None
    with pytest.raises(InputError, match="has no chat template"):
        as_chat(generator, "!")


def test_smollm2_with_its_real_weights_answers() -> None:
    generator = load_generator(smollm2.gguf(), capacity=64)
    found = generator([as_chat(generator, "What is the capital of France?")], GenerationConfig(10))[0]
    assert (found.text, found.finish_reason) == ("The capital of France is Paris.", "stop")
